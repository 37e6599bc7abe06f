#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_members_cannot_talk(const RuleInput& input, Findings& out) {
  for_each_service<PostgresService>(input.plan, [&](const std::string& name, const PostgresService& database,
                                                    const std::string& path) {
    if (database.members.size() < 2 || database.replication_password) return;
    tell(out, "members-cannot-talk", Severity::warning, path,
         fmt::format("without replication_password the members of {} do not talk to each other, so its primary stops "
                     "when no controller answers for the length of a lease",
                     name),
         "replication_password: the name of a secret with the password of replication_user");
  });
}

}  // namespace lifeboat
