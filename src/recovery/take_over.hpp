// Makes what a restore left, paused at its target, fit to be started as an ordinary standby elsewhere.
//
// A server that is started without a target replays all the log it finds. So everything behind the point that was reached is taken
// out of its log: what is there ends exactly at that point, and whatever begins there later is another history. What the source's
// settings said about archives, upstreams and targets is not taken over.
#pragma once

#include <string>

#include "io/task.hpp"
#include "recovery/folder.hpp"

namespace lifeboat::recovery {

// What becomes of a file in pg_wal when the log is to end at `at` of `timeline`. Pure.
enum class LogFate {
  stays,
  goes,  // behind the point, or of a history that begins behind it
  cut,   // the point lies in it: zeros from there on
};
LogFate fate_of_log(const std::string& name, uint64_t timeline, Lsn at, uint64_t segment_bytes);

// What is kept of the source's postgresql.auto.conf: settings that are the server's own business. Pure.
std::string settings_for_member(const std::string& auto_conf);

struct ReadyData {
  Lsn at;
  uint64_t timeline = 0;
  std::string system_id;
};

// Ends the restored server in good order and settles its data. Done again it changes nothing more. `postgres`: full path of the
// program. Errors: `refused` when it is no finished restore, was promoted, or its data need log behind `at` to be consistent.
Task<Result<ReadyData>> make_ready(RestoreFolder folder, std::string tools, Lsn at, uint64_t timeline,
                                   Deadline deadline);

}  // namespace lifeboat::recovery
