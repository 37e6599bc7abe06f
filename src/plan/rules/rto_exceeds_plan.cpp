#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_rto_exceeds_plan(const RuleInput& input, Findings& out) {
  for (const auto& [name, scenario] : input.plan.scenarios) {
    Duration rto = input.plan.objectives.rto;
    if (!scenario.estimated_rto || scenario.estimated_rto->most <= rto) continue;
    tell(out, "rto-exceeds-plan", Severity::warning, "/scenarios/" + name + "/estimated_rto",
         fmt::format("{} may take {}, longer than the plan's RTO of {}", name,
                     format_duration(scenario.estimated_rto->most), format_duration(rto)),
         "shorten the recovery, or set objectives that hold for this scenario too");
  }
}

}  // namespace lifeboat
