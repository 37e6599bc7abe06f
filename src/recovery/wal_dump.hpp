// Records out of segments, by pg_waldump, one after the other as they come: the log may be larger than memory.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/forensics/record.hpp"
#include "io/task.hpp"
#include "recovery/wal_folder.hpp"

namespace lifeboat {

// pg_waldump of that major version. Errors: `unsupported` when it is not installed.
Result<std::string> find_waldump(int version);

struct DumpWish {
  std::string program;  // of find_waldump
  std::string view;     // of WalFolder
  uint64_t timeline = 1;
  Lsn begin;
  Lsn end;  // 0: as far as it goes; pg_waldump then waits five seconds for a segment behind the last that is there
  std::vector<std::string> managers;  // of resources: only their records; empty: all
  int64_t most = 0;                   // records; 0: all
};

struct DumpEnd {
  bool enough = false;         // the sink wanted no more
  std::optional<Lsn> stopped;  // the last record that could be read before something that is none
  std::string complaint;       // what pg_waldump said of it
  std::string lacks;           // the segment that it would have read next, and that is not there
};

// The sink gives false when it wants no more. What is no error here: the log ends, or is damaged, within the range.
Task<Result<DumpEnd>> dump_records(DumpWish wish, std::function<bool(const forensics::Record&)> sink,
                                   Deadline deadline);

// All of a run up to its end; behind damage it goes on with the next segment. `damage` gets a sentence for each.
Task<Result<bool>> dump_run(DumpWish wish, WalRun run, uint64_t segment_bytes,
                            std::function<bool(const forensics::Record&)> sink, std::vector<std::string>& damage,
                            Deadline deadline);

}  // namespace lifeboat
