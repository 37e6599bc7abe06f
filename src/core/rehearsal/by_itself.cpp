#include "core/rehearsal/by_itself.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/data/decode.hpp"

namespace lifeboat::rehearsal {
namespace {

constexpr std::array<std::string_view, 6> kOnlyLook{
    "notify", "postgres.restore-drill", "validate.application", "validate.database", "validate.profile", "wait"};
constexpr Duration kCalm{900'000};

}  // namespace

bool only_looks(std::string_view uses) { return std::ranges::find(kOnlyLook, uses) != kOnlyLook.end(); }

bool only_looks(std::span<const run::ResolvedStep> steps) {
  return std::ranges::all_of(steps, [](const run::ResolvedStep& step) { return only_looks(step.uses); });
}

std::string why_not_by_itself(const Plan& plan, const Drill& drill) {
  if (drill.in != "production") return "only a drill in production can start by itself";
  const Scenario* scenario = drill.run ? plan.scenarios.find(drill.run->text) : nullptr;
  if (scenario == nullptr) return "a drill that starts by itself needs a scenario to run";
  for (const auto& [phase, steps] : scenario->phases) {
    for (const Step& step : steps) {
      if (!only_looks(step.uses))
        return fmt::format("{} does more than restore copies and look: its step {} uses {}", drill.run->text,
                           step.id.text, Decoder::printable(step.uses));
      if (step.approval)
        return fmt::format("the step {} of {} asks people, and nobody expects the question", step.id.text,
                           drill.run->text);
    }
  }
  return {};
}

std::string in_the_way(const Around& around) {
  if (around.runs > 0) return "a run is under way";
  if (around.incidents > 0) return "an incident is open";
  if (around.signals > 0) return "a signal is raised";
  if (!around.writable) return "a database takes no writes";
  if (around.calm < kCalm) return "it has not been calm for long enough";
  return {};
}

bool wants_to_start(const Plan& plan, const Drill& drill, const Row& row, WallTime now) {
  if (!drill.automatic || row.standing == Standing::current || !why_not_by_itself(plan, drill).empty()) return false;
  return !row.last || row.last->passed || row.last->at + grace_of(drill.every) <= now;
}

}  // namespace lifeboat::rehearsal
