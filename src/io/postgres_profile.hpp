// What is in a database and whether it is sound inside, asked over one connection. Nothing is changed: the connection is asked
// only to read. Judged by core/validation.
#pragma once

#include "core/validation/profile.hpp"
#include "io/postgres.hpp"

namespace lifeboat {

struct ProfileWish {
  bool contents = false;  // also a sum over all rows, which reads and renders every one of them
};

// Settings that both functions rely on; merged into the options of a connection that is to be used for them.
std::string profile_options(Duration statement);

// Counts every row of every table of users. In a transaction with one snapshot the profile is of that moment. The connection
// must outlive the call. Errors: those of the first query that failed, named with its table.
Task<Result<DatabaseProfile>> take_profile(PgConnection* connection, ProfileWish wish, Deadline deadline);

struct IntegrityWish {
  bool amcheck = true;  // if the extension is in the database
};

// Looks at foreign keys row by row, at sequences, indexes, constraints, checksums and, with the extension amcheck, at the
// structure of every table and B-tree. A query that fails is part of the answer (`unknown`) and does not end it; the connection
// must not be inside a transaction.
Task<Result<Integrity>> look_for_damage(PgConnection* connection, IntegrityWish wish, Deadline deadline);

}  // namespace lifeboat
