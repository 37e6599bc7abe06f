// In which region the leading controller stands when a fault comes. A region's loss is harder with it, so it is put there first.
#pragma once

#include <string>

#include "core/model/plan.hpp"
#include "lab/controller_link.hpp"

namespace lifeboat::lab {

// Empty when nobody leads.
std::string region_of_leader(const Plan& plan, const ControllerLink& link);

bool has_controller(const Plan& plan, const std::string& region);

// A controller of that region leads afterwards: the others are ended until it does, and started anew. `lab`: the lab's folder.
Result<void> let_lead(const Plan& plan, const std::string& lab, const ControllerLink& link, const std::string& region);

}  // namespace lifeboat::lab
