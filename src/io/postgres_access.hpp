// Who may do what in a cluster, and what acts in it by itself, asked of every one of its databases: a job or an event trigger can be
// planted in any. Nothing is changed. Judged by core/validation/judge_access.
#pragma once

#include <functional>
#include <string>

#include "core/validation/access.hpp"
#include "io/postgres_profile.hpp"

namespace lifeboat {

// Opens one database of a cluster; an empty name is that of the service.
using PgAskOf = std::function<Task<Result<PgAsk>>(std::string database, Deadline deadline)>;

// What the role that asks may not see, or a database that does not answer, is part of the answer (`unseen`). Names without a schema must
// be the system's, as profile_options sets it: an attacker can put his own in front of them. Errors: the service's database cannot be
// asked any more, or the time is over.
Task<Result<AccessProfile>> take_access(PgAskOf open, Deadline deadline);

}  // namespace lifeboat
