// A logical backup of a service of the plan, taken on this controller's host: for the step postgres.dump and for what a plan asks for by
// the clock. Where to, from which server, with which secrets.
#pragma once

#include "actions/validate_common.hpp"
#include "recovery/planned_dump.hpp"

namespace lifeboat {

struct DumpWish {
  DatabaseAsked asked;  // `host` empty: a standby, or the member that takes writes
  Dumps dumps;
  std::string order;  // one order is one backup
  WallTime from{};    // when it was given, at the earliest
};

// What is wrong with it, without looking at the plan; `at`: the path of it in a document.
void check_dumps(const Dumps& dumps, const std::string& at, DecodeProblems& problems);

Result<std::unique_ptr<BackupPlace>> open_dump_place(World& world, const Dumps& dumps);
// In the order in which they are asked. `unreachable` when there is none.
Result<std::vector<PlannedServer>> dump_servers(World& world, const DatabaseAsked& asked);
DumpNote note_for(const World& world, const DatabaseAsked& asked, std::string order);

// `world` must outlive the call. No secret is in the error.
Task<Result<PlannedDumped>> dump_service(World* world, DumpWish wish, Deadline deadline, OnLogicalProgress progress);

// {place, name, bytes, seconds, format, from, tables, rows, removed, kept_back}
JsonObject in_json(const PlannedDumped& dumped, const std::string& place);
std::string in_words(const PlannedDumped& dumped, const std::string& place);
std::string megabytes(uint64_t bytes);

}  // namespace lifeboat
