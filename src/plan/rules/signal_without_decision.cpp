#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_signal_without_decision(const RuleInput& input, Findings& out) {
  for (const auto& [name, signal] : input.plan.signals) {
    const Decision* decision = input.plan.decision_matrix.find(name);
    if (decision != nullptr && (decision->automatic || decision->manual || decision->full)) continue;
    tell(out, "signal-without-decision", Severity::warning, "/signals/" + name,
         fmt::format("nothing follows from {}: no scenario is started or proposed", name),
         "add a row to decision_matrix");
  }
}

}  // namespace lifeboat
