// `if` and `halt_if` of steps, judged against the state of their run, and what they can refer to. Internal to core/run.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/error.hpp"
#include "core/run/state.hpp"

namespace lifeboat::run {

// The value at "vars.NAME", "steps.ID.status" or "steps.ID.data.KEY…", in its parts; null when there is none.
Json look_up(const RunState& state, std::span<const std::string> path);

// Whether `condition` holds in this state; an error, in words, when it cannot be judged.
Result<bool> condition_holds(const RunState& state, std::string_view condition);

}  // namespace lifeboat::run
