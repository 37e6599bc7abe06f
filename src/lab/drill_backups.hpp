// What a drill asks of the backups before and after somebody attacks them, through a controller, as an operator would.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/controller_link.hpp"

namespace lifeboat::lab {

// Orders a full backup of each service that has fewer than two sets: with one there is nothing that an expiry could take.
Result<void> have_two_backups(const ControllerLink& link, Duration within);
// Labels of the sets of every service whose backups Lifeboat keeps.
Result<std::map<std::string, std::vector<std::string>>> backup_sets(const ControllerLink& link);
// Has every file of the repository read and compared: what is wrong; empty when all are whole.
Result<std::string> verify_backups(const ControllerLink& link, const std::string& service, Duration within);

}  // namespace lifeboat::lab
