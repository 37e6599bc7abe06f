#include <set>

#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_single_vantage(const RuleInput& input, Findings& out) {
  for (const auto& [name, signal] : input.plan.signals) {
    const auto* lost = std::get_if<RegionLostSignal>(&signal);
    if (lost == nullptr) continue;
    std::set<std::string> watching;
    for (const auto& [host_name, host] : input.plan.hosts) {
      if (host.agent || host.controller) watching.insert(host.region.text);
    }
    watching.erase(region_with_role(input.plan, RegionRole::primary));
    if (lost->quorum == 1) {
      tell(out, "single-vantage", Severity::warning, "/signals/" + name + "/quorum",
           fmt::format("one region alone decides that another is lost ({})", name), "quorum: 2");
    } else if (std::ssize(watching) < lost->quorum) {
      tell(out, "single-vantage", Severity::warning, "/signals/" + name + "/quorum",
           fmt::format("{} regions must agree, and {} can see the primary from outside: {} is never believed",
                       lost->quorum, watching.size(), name),
           "run an agent or a controller in one more region");
    }
  }
}

}  // namespace lifeboat
