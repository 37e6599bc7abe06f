#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_stakeholder_without_contacts(const RuleInput& input, Findings& out) {
  for (const auto& [name, stakeholder] : input.plan.communications.stakeholders) {
    if (!stakeholder.contacts.empty()) continue;
    tell(out, "stakeholder-without-contacts", Severity::warning, "/communications/stakeholders/" + name,
         fmt::format("nobody belongs to {}", name), "add contacts");
  }
}

}  // namespace lifeboat
