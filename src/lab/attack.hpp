// An attacker who came in as the database server's own user, on the primary's host.
#pragma once

#include "lab/faults.hpp"

namespace lifeboat::lab {

// Below a lab's folder: what the attacker tried, and what came of it.
inline constexpr const char* kAttackersLog = "/logs/attacker.log";

// TABLE, or left out: the largest table of the database that no other refers to. Its texts are encrypted a few rows at a time, in
// transactions of their own, for minutes, over the server's socket, which no network rule closes; pages in the files of
// another table are spoiled; and the attacker tries to take the backups away: with the configuration of pgBackRest that lies on the host, and
// as the user of the repository's server. Expires all but one, overwrites and removes each, its index and the archive. Goes on until it
// is healed. `detail`: {service, table, rows, xid, at} of the first of the transactions, and files.
Result<FaultDone> put_ransomware(LabWorld& world, const std::string& target, ActiveFault& active);
Result<void> heal_ransomware(LabWorld& world, const ActiveFault& fault);

}  // namespace lifeboat::lab
