#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_watch_in_primary_region(const RuleInput& input, Findings& out) {
  std::string primary = region_with_role(input.plan, RegionRole::primary);
  bool any = false, elsewhere = false;
  for (const auto& [name, host] : input.plan.hosts) {
    any = any || host.controller;
    elsewhere = elsewhere || (host.controller && host.region.text != primary);
  }
  for (const auto& [name, host] : input.plan.hosts) {
    // Another one takes over, if there is another one.
    if (!host.controller || host.region.text != primary || elsewhere) continue;
    tell(out, "watch-in-primary-region", Severity::warning, "/hosts/" + name + "/controller",
         fmt::format("the controller on {} stands in {}, and is lost with it", name, primary),
         "run it in a region that survives");
  }
  if (!any) {
    tell(out, "watch-in-primary-region", Severity::warning, "/hosts",
         "no host runs a controller, so nothing is watched",
         "set controller: true on a host of a region that survives");
  }
  for_each_service<StatuspageService>(
      input.plan, [&](const std::string& name, const StatuspageService& service, const std::string& at) {
        if (region_of(input.plan, service.host.text) != primary) return;
        tell(out, "watch-in-primary-region", Severity::warning, at + "/host",
             fmt::format("{} stands in {}: when it is lost, nobody can read why", name, primary),
             "serve it from a region that survives");
      });
}

}  // namespace lifeboat
