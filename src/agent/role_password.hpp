// New passwords for roles of the database.
#pragma once

#include "agent/database_member.hpp"
#include "agent/protocol.hpp"

namespace lifeboat {

// Gives the role what a server keeps of its password, and ends the role's sessions, which were opened with the former one. Asking again
// does the same again. Replies {ended: how many sessions}. Errors: `refused` when this member takes no writes or has no such role,
// `invalid_input` when the verifier is none.
Task<Result<Json>> set_role_password(DatabaseMember& member, wire::SetPassword order, Deadline deadline);

// The password of replication, which the configuration brings and a server puts into force (PostgresServer::keep_password). Replies
// {knows: this agent was told the one that `verifier` is of, running, in_force, standby, ended, streaming: [names]}; what comes after
// `knows` is left out unless so, and what comes after `running` too. Asking again does the same again.
Task<Result<Json>> replication_password(DatabaseMember& member, wire::ReplicationPassword order, Deadline deadline);

}  // namespace lifeboat
