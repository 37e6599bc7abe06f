#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_backup_beside_primary(const RuleInput& input, Findings& out) {
  for_each_service<PostgresService>(
      input.plan, [&](const std::string& name, const PostgresService& service, const std::string& at) {
        const PostgresMember* primary = service.members.find(service.primary.text);
        if (!service.backups || primary == nullptr) return;
        if (!service.backups->repository_host && service.backups->dumps) return;  // those say where they go
        if (!service.backups->repository_host) {
          return tell(out, "backup-beside-primary", Severity::note, at + "/backups",
                      fmt::format("nothing says where the backups of {} stand", name), "add repository_host");
        }
        std::string region = region_of(input.plan, service.backups->repository_host->text);
        if (region.empty() || region != region_of(input.plan, primary->host.text)) return;
        tell(out, "backup-beside-primary", Severity::warning, at + "/backups/repository_host",
             fmt::format("the backups of {} stand in {}, with its primary: one fire takes both", name, region),
             "keep them in another region");
      });
}

}  // namespace lifeboat
