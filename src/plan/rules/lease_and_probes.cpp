#include "plan/rules/tell.hpp"

namespace lifeboat {

namespace {

void window(const std::string& name, Duration lasting, Duration every, Duration within, Findings& out) {
  if (lasting < every * 2) {
    tell(
        out, "lease-and-probes", Severity::warning, "/signals/" + name + "/for",
        fmt::format("{} is believed after {}, in which at most one probe is made: one lost packet can start a recovery",
                    name, format_duration(lasting)),
        fmt::format("at least {}", format_duration(every * 2)));
  }
  if (within > lasting && lasting > Duration(0)) {
    tell(out, "lease-and-probes", Severity::note, "/signals/" + name + "/within",
         fmt::format("a probe of {} may take {}, longer than the {} after which it is believed", name,
                     format_duration(within), format_duration(lasting)),
         "shorten within, or lengthen for");
  }
}

}  // namespace

void judge_lease_and_probes(const RuleInput& input, Findings& out) {
  for_each_service<PostgresService>(
      input.plan, [&](const std::string& name, const PostgresService& service, const std::string& at) {
        if (service.lease * 4 <= input.plan.objectives.rto) return;
        tell(out, "lease-and-probes", Severity::warning, at + "/lease",
             fmt::format("a failover of {} waits for the lease of {}, a large part of the RTO of {}", name,
                         format_duration(service.lease), format_duration(input.plan.objectives.rto)),
             "shorten the lease");
      });
  for (const auto& [name, signal] : input.plan.signals) {
    if (const auto* lost = std::get_if<RegionLostSignal>(&signal))
      window(name, lost->for_, lost->every, lost->within, out);
    if (const auto* endpoint = std::get_if<EndpointSignal>(&signal))
      window(name, endpoint->for_, endpoint->every, endpoint->within, out);
  }
}

}  // namespace lifeboat
