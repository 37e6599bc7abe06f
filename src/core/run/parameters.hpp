// The parameters of a step when it begins: what other steps found since the run was opened is put in.
#pragma once

#include "core/base/error.hpp"
#include "core/model/plan.hpp"
#include "core/run/state.hpp"

namespace lifeboat::run {

// `with` of this step of the run with the references of its `later` texts replaced (core/model/variables.hpp). The same state gives the
// same parameters, whichever controller asks. invalid_input, in words, when a step did not find what is asked for.
Result<Json> parameters_of(const RunState& state, const ResolvedStep& step, const Plan& plan);

}  // namespace lifeboat::run
