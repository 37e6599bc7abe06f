// What each step of a scenario would do now: the actions' own observations of the live world. Changes nothing.
#pragma once

#include "actions/action.hpp"
#include "core/model/variables.hpp"

namespace lifeboat {

// {steps: [{id, phase, title, uses, known, holds, state, change, approval}], critical_path: [ids],
//  losses: [{service, text, bytes, age_ms}], }. A step that cannot be observed now says why in `state`.
Task<Result<Json>> preview_scenario(World& world, std::string scenario, std::string profile, Vars vars,
                                    Deadline deadline);

}  // namespace lifeboat
