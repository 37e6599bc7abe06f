#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_automatic_without_drill(const RuleInput& input, Findings& out) {
  for (const auto& [name, decision] : input.plan.decision_matrix) {
    if (!decision.automatic) continue;
    bool drilled =
        std::ranges::any_of(input.plan.drills, [&](const Drill& drill) { return drill.run == decision.automatic; });
    if (drilled) continue;
    tell(out, "automatic-without-drill", Severity::warning, "/decision_matrix/" + name + "/automatic",
         fmt::format("{} starts by itself and no drill rehearses it", decision.automatic->text),
         "add a drill that runs it");
  }
}

}  // namespace lifeboat
