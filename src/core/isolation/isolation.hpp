// Hosts that are cut off from the network while an attack goes on: which of them never are, and whether an isolation stays. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.hpp"
#include "core/model/plan.hpp"

namespace lifeboat::isolation {

// For the controller so much silence of an agent is a dead link, and what it says afterwards goes over a new one.
inline constexpr Duration kSilentAgent{4'000};

// What becomes of an isolation that no controller was heard through so far.
enum class Proof { wait, keep, take_back };
// `closed`: when the network was; `heard`: when a controller last said something. What is heard too early proves nothing: it may have been
// said before the network was closed, or by a controller that has not missed this agent yet. A host that nobody reaches could never be let
// back in, so its isolation is taken back.
Proof judge(MonoTime closed, std::optional<MonoTime> heard, MonoTime now);

// Whether a controller or a voter of their store is there. To cut it off would cut off the control plane.
bool carries_control(const Plan& plan, const std::string& host);

}  // namespace lifeboat::isolation
