// The part of secrets.rotate that is about the password of a database's standbys. Each agent is told the one that counts, and its server
// puts it into force by itself (agent/postgres_password.cpp), so that neither a crash nor a failover in the middle leaves the members with
// different ones for good. What is here asks whether that can be begun, and waits until it is done.
#pragma once

#include <string>
#include <vector>

#include "actions/action.hpp"

namespace lifeboat {

// Who receives the log from the member that takes writes, and is to receive it again.
struct ReplicationNow {
  std::string service;
  std::vector<std::string> streaming;
};

struct ReplicationRenewed {
  int64_t ended = 0;               // sessions of the former password
  std::vector<std::string> later;  // members that are cut off, away or followed nobody: they get it when they are back
};

// Before the next value counts. Errors: `unreachable` when nobody takes writes or its agent is away, `conflict` while a member is copied
// anew, whose connection would be ended, `refused` when the host of the member that takes writes is cut off, `unsupported` when an agent is
// too old for it. Each of them changed nothing.
Task<Result<ReplicationNow>> replication_before(ActionContext context, std::string service, std::string secret);

// After it counts. Returns when the member that takes writes has put it into force, no member that can be reached serves a session of the
// former one, and those of `before` stream again. Errors: `timed_out` with what is still missing; asking again goes on.
Task<Result<ReplicationRenewed>> replication_after(ActionContext context, ReplicationNow before, std::string secret);

// Whether it is in force already on the member that takes writes. Changes nothing; false when nobody can say.
Task<bool> replication_in_force(ActionContext context, std::string service, std::string secret);

}  // namespace lifeboat
