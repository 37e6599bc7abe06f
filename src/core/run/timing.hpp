// When things are due in a run, and what may start. Internal to core/run.
#pragma once

#include "core/run/machine.hpp"

namespace lifeboat::run {

// Repeating cannot help.
bool is_final(ErrorKind kind);
// Being aborted or rolled back: nothing new starts.
bool is_ending(const RunState& state);
bool may_start(const RunState& state, size_t index);
// When something happens to an active step by time alone; MonoTime::max(): never.
MonoTime due_at(const RunState& state, size_t index);

}  // namespace lifeboat::run
