// The incident that a run's actions write to.
#pragma once

#include "actions/action.hpp"

namespace lifeboat {

// The incident of this run, unless it has been closed.
inline std::optional<IncidentView> open_incident(const ActionContext& context) {
  auto incident = context.world.incidents.of_run(context.run);
  if (incident && incident->state == "closed") return std::nullopt;
  return incident;
}

}  // namespace lifeboat
