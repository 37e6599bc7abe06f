// A copy of a store as text: JSON lines, portable between SQLite and etcd, readable by people, and proof against change:
// the events carry their chain, the last line a checksum of all before it.
//
//   {"lifeboat_store":1,"plan":NAME,"at":TIME,"events":N,"head":HASH}
//   {"event":{seq, at, stream, kind, body, hash}}    N lines
//   {"counter":NAME,"value":V}
//   {"owner":SERVICE,"term":T,"holder":MEMBER}
//   {"end":true,"sha256":HEX}
#pragma once

#include <string>
#include <string_view>

#include "store/store.hpp"

namespace lifeboat {

struct Backup {
  std::string plan;
  WallTime at{};
  StoreContents contents;
};

std::string backup_text(const Backup& backup);
// invalid_input, with what is wrong, for one that is cut off, changed, or of a newer version.
Result<Backup> read_backup(std::string_view text);

// Readies a copy for being restored, since nobody knows what was done after it was made.
//   - Up to a hundred terms may have been granted. For each database an event "terms-left-out" {above} says that the next term is
//     above those, and that who wrote last is not known. The recorded holder keeps its term, so one that nothing happened to goes on.
//   - A run that has not ended in it may have gone on. "run-restored" pauses it until a person resumes it.
// Fails, and changes nothing, when a run in the copy cannot be read.
Result<> ready_for_restore(StoreContents& contents, WallTime now);

// Whether the chain of these events holds, from the first on.
ChainReport check_chain(const std::vector<StoredEvent>& events);

}  // namespace lifeboat
