// What is evidence that a drill was held: a run of its scenario, the report of one in the lab, a restore that proved backups. Pure.
#pragma once

#include <span>

#include "core/base/error.hpp"
#include "core/data/json.hpp"
#include "core/recovery/forecast.hpp"
#include "core/rehearsal/due.hpp"
#include "core/run/state.hpp"

namespace lifeboat::rehearsal {

// What a run came to; nothing while it goes on, and for one that was only played. It passed when it is done and every step did what it is
// for. One that the plan lets go on without is named and forgiven, unless it is the one that restores: nothing is proven then.
std::optional<Held> held_in(const run::RunState& state);

// What the report of `lifeboat drill` (its JSON) came to, held at `at` by what `by` says. invalid_input: it is no such report, or of
// something else than this drill.
Result<Held> held_in_report(const Drill& drill, const Json& report, WallTime at, const std::string& by);
// The head of the journal that the report's drill wrote: no two drills have the same.
std::string journal_of_report(const Json& report);

// When a restore last proved backups of this service; nothing: never.
std::optional<WallTime> newest_proof(std::span<const recovery::RestoreTiming> measured);

}  // namespace lifeboat::rehearsal
