// What is in a database and whether it is sound inside, asked over one connection. Nothing is changed: the connection is asked
// only to read. Judged by core/validation.
#pragma once

#include <functional>

#include "core/validation/profile.hpp"
#include "io/postgres.hpp"

namespace lifeboat {

// Where the questions go: a connection, or whatever else answers SQL, such as an agent that asks a copy in isolation. An error
// without an SQLSTATE means that no more will be answered.
using PgAsk = std::function<Task<Result<PgRows>>(std::string sql, Deadline deadline)>;
// Of a connection that outlives it.
PgAsk ask_over(PgConnection* connection);

struct ProfileWish {
  bool contents = false;  // also a sum over all rows, which reads and renders every one of them
};

// Settings that both functions rely on, as libpq's `options`.
std::string profile_options(Duration statement);

// Counts every row of every table of users. In a transaction with one snapshot the profile is of that moment. Errors: those of
// the first query that failed, named with its table.
Task<Result<DatabaseProfile>> take_profile(PgAsk ask, ProfileWish wish, Deadline deadline);

struct IntegrityWish {
  bool amcheck = true;  // if the extension is in the database
};

// Looks at foreign keys row by row, at sequences, indexes, constraints, checksums and, with the extension amcheck, at the
// structure of every table and B-tree. A query that fails is part of the answer (`unknown`) and does not end it, so it must not
// be asked inside a transaction.
Task<Result<Integrity>> look_for_damage(PgAsk ask, IntegrityWish wish, Deadline deadline);

}  // namespace lifeboat
