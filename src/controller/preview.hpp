// What each step of a scenario would do now: the actions' own observations of the live world. Changes nothing.
#pragma once

#include "actions/action.hpp"
#include "core/model/variables.hpp"

namespace lifeboat {

// {phases: {NAME: {title, expected}}, steps: [{id, phase, title, uses, after, if, known, holds, state, change, approval}],
//  critical_path: [ids], estimated_ms, rto_ms, restores: [{service, text, samples, expected_ms, longest_ms, per_month_ms, fits}],
//  losses: [{service, text, candidate, bytes, age_ms, bound_ms, allowed}]}. A step that
// cannot be observed now says why in `state`; a loss of unknown size has null for it, and so has a
// restore that was never measured.
Task<Result<Json>> preview_scenario(World& world, std::string scenario, std::string profile, Vars vars,
                                    Deadline deadline);

}  // namespace lifeboat
