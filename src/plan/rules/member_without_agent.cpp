#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_member_without_agent(const RuleInput& input, Findings& out) {
  auto has_agent = [&](const Identifier& name) {
    const Host* host = input.plan.hosts.find(name.text);
    return host == nullptr || host->agent;
  };
  for_each_service<PostgresService>(
      input.plan, [&](const std::string&, const PostgresService& service, const std::string& at) {
        for (const auto& [member, entry] : service.members) {
          if (has_agent(entry.host)) continue;
          tell(out, "member-without-agent", Severity::error, at + "/members/" + member + "/host",
               fmt::format("no agent runs on {}: {} can be neither fenced nor promoted", entry.host.text, member),
               "set agent: true on the host, and run one there");
        }
      });
  for_each_service<HttpService>(
      input.plan, [&](const std::string& name, const HttpService& service, const std::string& at) {
        if (service.command.empty()) return;
        for (const auto& [region, group] : service.instances) {
          if (has_agent(group.host)) continue;
          tell(out, "member-without-agent", Severity::warning, at + "/instances/" + region + "/host",
               fmt::format("no agent runs on {}: {} cannot be scaled there", group.host.text, name),
               "set agent: true on the host, and run one there");
        }
      });
}

}  // namespace lifeboat
