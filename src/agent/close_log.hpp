// Everything committed so far put within reach of a restore: what is committed in a segment of the log that is not full yet
// stands in no archive.
#pragma once

#include "agent/database_member.hpp"

namespace lifeboat {

// Ends the segment that this member writes and waits until it is archived (PostgreSQL, 9.27.3: pg_switch_wal does nothing when nothing
// was written since the last one). Replies {segment, seconds}. Errors: `refused` when it takes no writes, `timed_out` with what the
// archiver said last.
Task<Result<Json>> close_log(DatabaseMember& member, Deadline deadline);

}  // namespace lifeboat
