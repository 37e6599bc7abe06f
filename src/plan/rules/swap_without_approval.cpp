#include "plan/rules/tell.hpp"

namespace lifeboat {
namespace {

// How many people must agree, at the most, in this step or before it.
int people_asked(const Scenario& scenario, const Step& until) {
  int most = 0;
  for (const auto& [phase, steps] : scenario.phases) {
    for (const Step& step : steps) {
      if (step.approval) most = std::max(most, step.approval->need);
      if (&step == &until) return most;
    }
  }
  return most;
}

bool is_critical(const Scenario& scenario) {
  for (const auto& [phase, steps] : scenario.phases) {
    if (std::ranges::any_of(steps, [](const Step& step) { return text_or(step.with, "severity") == "critical"; }))
      return true;
  }
  return false;
}

}  // namespace

void judge_swap_without_approval(const RuleInput& input, Findings& out) {
  for_each_step(input.plan, [&](const std::string& name, const Step& step, const std::string& path) {
    if (step.uses != "postgres.adopt") return;
    const Scenario& scenario = *input.plan.scenarios.find(name);
    int asked = people_asked(scenario, step), wanted = is_critical(scenario) ? 2 : 1;
    if (asked >= wanted) return;
    std::string who = asked == 0 ? "nobody is asked before" : "one person alone decides that";
    tell(out, "swap-without-approval", Severity::warning, path,
         fmt::format("step '{}' gives up what was written behind the restored point, and {}", step.id.text, who),
         fmt::format("put a step `uses: approval` before it, with need: {}", wanted));
  });
}

}  // namespace lifeboat
