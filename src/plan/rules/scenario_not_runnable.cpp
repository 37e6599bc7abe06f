#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_scenario_not_runnable(const RuleInput& input, Findings& out) {
  for_each_step(input.plan, [&](const std::string& scenario, const Step& step, const std::string& at) {
    if (!input.actions.has(step.uses)) {
      tell(out, "not-runnable", Severity::warning, at + "/uses",
           fmt::format("{} cannot be run today: step {} uses {}, which this version does not have", scenario,
                       step.id.text, Decoder::printable(step.uses)),
           "`lifeboat explain` lists the actions; a manual step can stand in");
    }
  });
  // An automatic start of what cannot run is worse than none.
  std::vector<Runnable> runnable = runnable_scenarios(input.plan, input.actions);
  for (const auto& [name, decision] : input.plan.decision_matrix) {
    if (!decision.automatic) continue;
    auto found = std::ranges::find(runnable, decision.automatic->text, &Runnable::scenario);
    if (found == runnable.end() || found->today) continue;
    tell(out, "not-runnable", Severity::error, "/decision_matrix/" + name + "/automatic",
         fmt::format("{} would start by itself and cannot be run", decision.automatic->text), found->reasons.front());
  }
}

}  // namespace lifeboat
