// From what a drill saw to its report: verifies every acknowledged write, computes times and losses, writes the files.
#pragma once

#include "lab/controller_link.hpp"
#include "lab/drill.hpp"
#include "lab/drill_trace.hpp"

namespace lifeboat::lab {

// Call while the lab still stands: acknowledged writes are looked for in it.
Result<DrillOutcome> report_of_drill(const DrillOptions& options, const DrillTrace& trace, const std::string& folder,
                                     int number, const ControllerLink& link);

}  // namespace lifeboat::lab
