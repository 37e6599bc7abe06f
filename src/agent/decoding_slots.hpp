// Logical slots on a primary, one for each database, from which writes that only it has can be read back after a failover. Each
// is advanced to what all other members have confirmed less the last 256 MiB of log, which a restore to an older moment may take away, and
// never holds more log than its bound.
#pragma once

#include <string>
#include <vector>

#include "agent/postgres_server.hpp"

namespace lifeboat {

// Makes the slots that are missing and advances those that are there. `anew`: those from before a promotion are useless and
// are made again. Gives remarks for people, such as databases that have none.
Task<Result<std::vector<std::string>>> keep_decoding_slots(PostgresServer& server, bool anew, Deadline deadline);

// On a standby they would hold log for nobody.
Task<Result<>> drop_decoding_slots(PostgresServer& server, Deadline deadline);

}  // namespace lifeboat
