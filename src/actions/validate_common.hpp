// What the actions that validate data share: which database is meant, and how checks become an outcome.
#pragma once

#include "actions/action.hpp"
#include "core/validation/judge.hpp"
#include "core/validation/known_profile.hpp"
#include "io/postgres_access.hpp"

namespace lifeboat {

// A service's holder, or another server that holds a copy of its data.
struct DatabaseAsked {
  Identifier service;
  std::string host;      // of the plan, an address, or a folder with a socket; empty: the member that takes writes
  int port = 0;          // 0: the holder's, or 5432
  std::string database;  // empty: the service's
  std::string restored;  // name of a restored copy, which is asked instead
};

void check_asked(const DatabaseAsked& asked, const Plan& plan, DecodeProblems& problems);
Result<PgParams> params_of(World& world, const DatabaseAsked& asked, const std::string& options);
std::string name_of(const DatabaseAsked& asked);

// Asks a restored copy through the agent of the host that it is on. Every question is a transaction of its own, read only.
Task<Result<PgAsk>> ask_of_copy(ActionContext context, DatabaseAsked asked);
// Any database of that copy. Names without a schema are the system's, as with profile_options.
Task<Result<PgAskOf>> databases_of_copy(ActionContext context, DatabaseAsked asked);
// Any database of a server, each over a connection of its own.
PgAskOf databases_of_server(ActionContext context, DatabaseAsked asked, std::string options);

// Until when that copy can hold data (core/validation/known_profile.hpp).
Task<Result<std::optional<WallTime>>> data_until_of_copy(ActionContext context, DatabaseAsked asked);
// The newest profile by the journal that is not younger than `data_until`. Null: none is known.
std::shared_ptr<const KnownProfile> last_profile(World& world, const DatabaseAsked& asked,
                                                 std::optional<WallTime> data_until);
// With the service's password: who has it can read in the database itself what was hashed. Empty when there is none.
KeyedHash hash_of_profiles(World& world, const std::string& service);

// The outcome of checks that all hold, with each of them in its data; else an error of kind `conflict` that names those that do
// not, which are told to `progress` too.
Result<Outcome> outcome_of(ActionContext context, const std::string& what, const Checks& checks, JsonObject data);

}  // namespace lifeboat
