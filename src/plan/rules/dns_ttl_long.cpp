#include "plan/rules/tell.hpp"

namespace lifeboat {

namespace {

constexpr int kShare = 20;

}  // namespace

void judge_dns_ttl_long(const RuleInput& input, Findings& out) {
  for_each_service<DnsService>(input.plan, [&](const std::string& name, const DnsService& service,
                                               const std::string& at) {
    if (service.ttl * kShare <= input.plan.objectives.rto) return;
    tell(out, "dns-ttl-long", Severity::warning, at + "/ttl",
         fmt::format("after a switch users ask the old address of {} for up to {}, more than a {}th of the RTO of {}",
                     name, format_duration(service.ttl), kShare, format_duration(input.plan.objectives.rto)),
         fmt::format("at most {}", format_duration(input.plan.objectives.rto / kShare)));
  });
}

}  // namespace lifeboat
