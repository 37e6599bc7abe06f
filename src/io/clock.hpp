// The real clocks. Only the rim calls these; core/ is handed the time.
#pragma once

#include "core/base/time.hpp"

namespace lifeboat {

// CLOCK_BOOTTIME: goes on while the machine sleeps, never steps.
MonoTime boot_now();
// CLOCK_REALTIME, for people.
WallTime wall_now();

}  // namespace lifeboat
