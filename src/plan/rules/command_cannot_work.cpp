#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_command_cannot_work(const RuleInput& input, Findings& out) {
  for_each_step(input.plan, [&](const std::string&, const Step& step, const std::string& at) {
    for (Trap& trap : traps_in(step)) {
      tell(out, "command-cannot-work", Severity::warning, at + "/with",
           fmt::format("step {}: {}", step.id.text, trap.message), std::move(trap.suggestion));
    }
  });
}

}  // namespace lifeboat
