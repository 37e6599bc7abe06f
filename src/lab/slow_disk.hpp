// A disk that takes long to make things durable, for the processes of one server and those that they start: strace holds
// back the return of each fsync and fdatasync. All else goes at its usual speed, as far as being traced allows.
#pragma once

#include <vector>

#include "lab/system.hpp"

namespace lifeboat::lab {

inline constexpr Duration kSlowSync{400};

// The process that does it; it ends with this one. `unsupported` when strace is missing or may not trace.
Result<pid_t> slow_down_syncs(const std::vector<pid_t>& processes);
Result<void> let_syncs_be(pid_t helper);

}  // namespace lifeboat::lab
