// An attacker who came in as the database server's own user, on the primary's host.
#pragma once

#include "lab/faults.hpp"

namespace lifeboat::lab {

// TABLE, or left out: the largest table of the database that no other refers to. Its texts are encrypted a few rows at a time, in
// transactions of their own, for minutes, over the server's socket, which no network rule closes; pages in the files of
// another table are spoiled; and with the configuration of pgBackRest that lies on the host the attacker tries to take the backups away (what came of it
// stands in the lab's logs/attacker.log). Goes on until it is healed. `detail`: {service, table, rows, xid, at} of the first of the
// transactions, and files.
Result<FaultDone> put_ransomware(LabWorld& world, const std::string& target, ActiveFault& active);
Result<void> heal_ransomware(LabWorld& world, const ActiveFault& fault);

}  // namespace lifeboat::lab
