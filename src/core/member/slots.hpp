// Which of a server's physical replication slots go and which are wanting: by them the other members, and the stream of the archive,
// receive from it. Slots of strangers are left alone. Pure.
#pragma once

#include <string>
#include <vector>

namespace lifeboat {

struct Slot {
  std::string name;
  bool active = false;
  bool lost = false;  // what it was to keep is gone
};

struct SlotChanges {
  std::vector<std::string> drop;
  std::vector<std::string> make;
};

// `own`: the slot of this very member; `others`: those of all other members and of the stream. A primary has one for each of the others and
// none for itself, and one that has lost its log is made anew; a standby has none, since its slots would hold log for nobody. One
// that somebody receives by is never dropped.
SlotChanges slot_changes(bool primary, const std::string& own, const std::vector<std::string>& others,
                         const std::vector<Slot>& there);

}  // namespace lifeboat
