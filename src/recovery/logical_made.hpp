// How a database is made, asked of its server, and made so again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/logical/restore_messages.hpp"
#include "core/validation/database_made.hpp"
#include "io/postgres_profile.hpp"

namespace lifeboat {

// Of the database that answers. Servers of any version since 12 are asked.
Task<Result<DatabaseMade>> ask_how_made(PgAsk ask, Deadline deadline);
// `server`: with the dbname that is made. Without `made` it is as template0. `refused` with what the server said, for instance that it does not
// know the locale.
Task<Result<>> make_database(PgParams server, std::optional<DatabaseMade> made, Deadline deadline);
// Puts the settings into force. What could not be is told, and concerns no data: a role that does not exist here.
Task<Result<std::vector<RestoreProblem>>> put_settings(PgParams server, DatabaseMade made, Deadline deadline);

}  // namespace lifeboat
