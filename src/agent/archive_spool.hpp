// Why a member could not archive a segment last. pgBackRest archives in the background and says that to nobody: it leaves a file in its
// spool for each segment that failed, or one for all of them, and removes them when it tries again. What was read is kept over that time.
#pragma once

#include <string>

#include "core/base/time.hpp"

namespace lifeboat {

class ArchiveSpool {
 public:
  // `folder`: the spool of this host; `waits`: a segment has yet to be archived. In words; empty: nothing has failed.
  const std::string& look(const std::string& folder, const std::string& stanza, bool waits, MonoTime now);

 private:
  std::string said_;
  MonoTime seen_{};
};

}  // namespace lifeboat
