// Which drills may start without a person, and when. Only what restores copies beside the live data and looks at them: nothing that moves
// users, the right to write, or anything else. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/rehearsal/due.hpp"
#include "core/run/graph.hpp"

namespace lifeboat::rehearsal {

// Whether a step with this action changes nothing that anybody relies on. A run of such steps alone works against no other run.
bool only_looks(std::string_view uses);
bool only_looks(std::span<const run::ResolvedStep> steps);

// Why a drill with `automatic` may not start by itself, in words; empty: it may.
std::string why_not_by_itself(const Plan& plan, const Drill& drill);

// What goes on besides. A drill waits for a calm hour, in which a restore is in nobody's way.
struct Around {
  size_t runs = 0;       // under way
  size_t incidents = 0;  // open
  size_t signals = 0;    // raised
  bool writable = true;  // every database is
  Duration calm{};       // how long it has been so
};
// What keeps every drill from starting now, in words; empty: nothing.
std::string in_the_way(const Around& around);

// Whether this one is to start now, as far as it depends on the drill. One that did not pass is tried again when its grace is over, not
// again and again.
bool wants_to_start(const Plan& plan, const Drill& drill, const Row& row, WallTime now);

}  // namespace lifeboat::rehearsal
