// The settings of a restored server. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/recovery/target.hpp"
#include "recovery/folder.hpp"

namespace lifeboat::recovery {

// What replay needs to be at least what it was where the log was written; by pg_controldata.
struct ServerLimits {
  int64_t connections = 100;
  int64_t worker_processes = 8;
  int64_t wal_senders = 10;
  int64_t prepared_transactions = 0;
  int64_t locks_per_transaction = 64;
};
ServerLimits parse_limits(std::string_view controldata);

inline constexpr int kPort = 5432;  // names the socket's file; nobody listens on a network
// Options of every connection to a restored server. What ALTER ROLE and ALTER DATABASE have set came back with the data and wins over
// every file: a library named there would run here, or keep everybody out.
inline constexpr std::string_view kNoLibraries = "-c session_preload_libraries= -c local_preload_libraries=";

// server.conf, which stands in for the source's own: that one lies untouched in the data folder, if it ever did. It cuts the server
// off. `for_replay`: as fast as it gets, safe only because the copy is worth nothing before the end; else what it is left with.
std::string server_settings(const RestoreFolder& folder, const RecoveryTarget& target, const ServerLimits& limits,
                            uint64_t timeline, uint64_t shared_buffers_mb, bool for_replay);
// postgresql.auto.conf in the data folder wins over every file: the source's is put aside and this one says the same as above.
std::string guard_settings();
// pg_hba.conf: the folder of the socket lets only the server's user and root in.
std::string access_rules();

}  // namespace lifeboat::recovery
