// What the log holds around a position: the last commit before it and the first behind it. Read by pg_waldump from the very files
// that were replayed, so that what a server says of itself is not the only witness.
#pragma once

#include <string>
#include <vector>

#include "core/orphans/wal.hpp"
#include "core/recovery/target.hpp"
#include "io/task.hpp"

namespace lifeboat::recovery {

struct SeenCommit {
  uint64_t xid = 0;
  Lsn at;
  Moment time{};
  bool operator==(const SeenCommit&) const = default;
};
// Every commit that pg_waldump printed, in the order of the log.
std::vector<SeenCommit> commits_in(std::string_view waldump);
// When the first transaction was given up that pg_waldump printed.
std::optional<Moment> first_abort_in(std::string_view waldump);

struct LogPlace {
  std::string tool;    // pg_waldump, with its full path
  std::string folder;  // with the segments
  std::string user;
};

struct Point {
  std::optional<SeenCommit> before;
  std::vector<SeenCommit> behind;  // the first ones
  std::optional<Moment> abort_behind;
  Lsn next_record;  // where the first record at or behind the position begins; 0/0: there is none
  std::string end;  // what pg_waldump said when it came to the end of what is there
};
// `first_segment`: the oldest there is. Errors: `unsupported`, `refused` (cannot be read).
Task<Result<Point>> find_point(LogPlace place, Lsn position, uint64_t timeline, uint64_t segment_bytes,
                               uint64_t first_segment, Deadline deadline);

// How many commits stand at or behind the position, up to `end`, where the log ends or a segment begins that is not there. By pg_waldump's
// statistics (`--stats=record`), which cost little. Errors: `unsupported`, `refused`.
Task<Result<uint64_t>> count_commits(LogPlace place, Lsn position, Lsn end, uint64_t timeline, Deadline deadline);
uint64_t commits_in_statistics(std::string_view waldump);

// Whether the reached point is what was asked for; in words what is wrong, or empty. `lost`: commits up to a target moment that
// stand behind the point (commit times are not quite in the order of the log).
struct Verdict {
  std::string wrong;
  uint64_t lost = 0;
};
Verdict judge_point(const RecoveryTarget& target, Lsn reached, const Point& point);

}  // namespace lifeboat::recovery
