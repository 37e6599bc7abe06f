#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_voters_lose_majority(const RuleInput& input, Findings& out) {
  if (!input.plan.controllers || input.plan.controllers->store != StoreKind::etcd) return;
  size_t voters = input.plan.controllers->voters.size();
  if (voters == 0) return;
  if (voters < 3) {
    tell(out, "voters-lose-majority", Severity::warning, "/controllers/voters",
         fmt::format("{} of etcd: when a region is lost with one of them, no controller can act",
                     voters == 1 ? "one voter" : "two voters"),
         "one voter in each of three regions");
  } else if (voters % 2 == 0) {
    tell(out, "voters-lose-majority", Severity::warning, "/controllers/voters",
         fmt::format("{} voters survive the loss of no more regions than {}", voters, voters - 1),
         "an odd number of voters");
  }
}

}  // namespace lifeboat
