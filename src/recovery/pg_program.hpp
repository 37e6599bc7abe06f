// The client programs of PostgreSQL that logical backups use.
#pragma once

#include <map>
#include <string>

#include "core/base/error.hpp"
#include "io/postgres.hpp"

namespace lifeboat {

// Full path of pg_dump, pg_restore …: the newest that is installed, since a dump needs one at least as new as its server.
// `unsupported` when there is none.
Result<std::string> pg_program(const std::string& name);

// What libpq reads from the environment, so that neither password nor address stands in an argument list.
std::map<std::string, std::string> pg_environment(const PgParams& params, const std::string& options);

}  // namespace lifeboat
