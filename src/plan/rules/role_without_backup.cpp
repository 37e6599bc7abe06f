#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_role_without_backup(const RuleInput& input, Findings& out) {
  for (const auto& [name, role] : input.plan.people.roles) {
    if (role.backup && *role.backup != role.primary) continue;
    std::string message =
        role.backup ? fmt::format("the backup of {} is the same person", name) : fmt::format("{} has no backup", name);
    tell(out, "role-without-backup", Severity::warning, "/people/roles/" + name, message,
         "name a second person as backup");
  }
}

}  // namespace lifeboat
