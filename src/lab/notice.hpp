// What a plan's own signals notice of a fault.
#pragma once

#include "core/model/plan.hpp"
#include "lab/controller_link.hpp"

namespace lifeboat::lab {

// Waits for a signal whose row of the decision matrix proposes the scenario, and gives what it says. `timed_out` when none came.
Result<std::string> wait_for_signal(ControllerLink& link, const Plan& plan, const std::string& scenario,
                                    Duration within);

}  // namespace lifeboat::lab
