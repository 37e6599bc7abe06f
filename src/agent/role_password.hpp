// A new password for a role of the database.
#pragma once

#include "agent/database_member.hpp"
#include "agent/protocol.hpp"

namespace lifeboat {

// Gives the role what a server keeps of its password, and ends the role's sessions, which were opened with the former one. Asking again
// does the same again. Replies {ended: how many sessions}. Errors: `refused` when this member takes no writes or has no such role,
// `invalid_input` when the verifier is none.
Task<Result<Json>> set_role_password(DatabaseMember& member, wire::SetPassword order, Deadline deadline);

}  // namespace lifeboat
