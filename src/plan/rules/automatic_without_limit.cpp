#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_automatic_without_limit(const RuleInput& input, Findings& out) {
  if (input.plan.safety.automatic_runs) return;
  for (const auto& [name, decision] : input.plan.decision_matrix) {
    if (!decision.automatic) continue;
    tell(out, "automatic-without-limit", Severity::warning, "/decision_matrix/" + name + "/automatic",
         fmt::format("{} starts by itself, and nothing limits how often", decision.automatic->text),
         "add safety: {automatic_runs: {at_most: 2, within: 24h}}");
  }
}

}  // namespace lifeboat
