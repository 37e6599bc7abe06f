#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_availability_out_of_reach(const RuleInput& input, Findings& out) {
  const std::optional<Percent>& share = input.plan.objectives.availability;
  if (!share) return;
  double year = 365.0 * 24 * 3600;
  double allowed = year * (100.0 - share->value) / 100.0;
  for (const auto& [name, scenario] : input.plan.scenarios) {
    if (!scenario.estimated_rto || to_seconds(scenario.estimated_rto->most) <= allowed) continue;
    tell(out, "availability-out-of-reach", Severity::note, "/objectives/availability",
         fmt::format("{} allows {} of outage a year, and {} alone may take {}", ScalarText<Percent>::format(*share),
                     format_duration(Duration(std::chrono::minutes(static_cast<int64_t>(allowed / 60)))), name,
                     format_duration(scenario.estimated_rto->most)),
         "promise what the scenarios can keep");
  }
}

}  // namespace lifeboat
