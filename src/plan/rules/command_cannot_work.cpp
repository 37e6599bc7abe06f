#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_command_cannot_work(const RuleInput& input, Findings& out) {
  for_each_step(input.plan, [&](const std::string&, const Step& step, const std::string& at) {
    for (Trap& trap : traps_in(step)) {
      tell(out, "command-cannot-work", Severity::warning, at + "/with",
           fmt::format("step {}: {}", step.id.text, trap.message), std::move(trap.suggestion));
    }
    // Nobody runs these; whoever holds the written document beside the plan should know that they would not have worked.
    for (size_t index = 0; index < step.instead_of.size(); ++index) {
      for (const Trap& trap : traps_in(step.instead_of[index])) {
        tell(out, "command-cannot-work", Severity::note, fmt::format("{}/instead_of/{}", at, index),
             fmt::format("of the command that step {} stands in for: {}", step.id.text, trap.message),
             fmt::format("nothing is to be done, the step uses {}", Decoder::printable(step.uses)));
      }
    }
  });
}

}  // namespace lifeboat
