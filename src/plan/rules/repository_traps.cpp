#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_repository_traps(const RuleInput& input, Findings& out) {
  for_each_service<PostgresService>(input.plan, [&](const std::string& name, const PostgresService& service,
                                                    const std::string& at) {
    const Backups* backups = kept_backups(service);
    if (backups == nullptr) return;
    const std::string& host = backups->repository_host->text;
    std::string where = at + "/backups/repository_host";
    const Host* known = input.plan.hosts.find(host);
    if (known != nullptr && !known->agent)
      tell(out, "repository-traps", Severity::error, where,
           fmt::format("no agent runs on {}: nobody takes the backups of {}", host, name),
           "set agent: true on the host, and run one there");
    for (const auto& [member, settings] : service.members) {
      if (settings.host.text != host) continue;
      tell(out, "repository-traps", Severity::error, where,
           fmt::format("the repository stands on {}, where {} runs: who breaks into one has both", host, member),
           "keep it on a host of its own");
    }
    if (!backups->cipher_pass)
      tell(out, "repository-traps", Severity::note, at + "/backups",
           fmt::format("the backups of {} are not encrypted: whoever reads the repository reads the data", name),
           "add cipher_pass before the first backup; it cannot be added later");
    if (!backups->stream)
      tell(out, "repository-traps", Severity::note, at + "/backups/stream",
           fmt::format("WAL of {} leaves its host in whole segments only: up to a minute of it is lost with the host",
                       name),
           "leave stream out");
  });
}

}  // namespace lifeboat
