// `if` and `halt_if` of steps, judged against the state of their run. Internal to core/run.
#pragma once

#include <string_view>

#include "core/base/error.hpp"
#include "core/run/state.hpp"

namespace lifeboat::run {

// Whether `condition` holds in this state; an error, in words, when it cannot be judged.
Result<bool> condition_holds(const RunState& state, std::string_view condition);

}  // namespace lifeboat::run
