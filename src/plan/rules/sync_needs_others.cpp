#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_sync_needs_others(const RuleInput& input, Findings& out) {
  for (const auto& [name, service] : input.plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr || database->replication != ReplicationMode::sync) continue;
    int candidates = 0;
    for (const auto& [member, settings] : database->members) candidates += settings.candidate ? 1 : 0;
    // One of them takes writes.
    int others = candidates - 1;
    std::string copies = fmt::format("{} other member{}", database->sync_copies, database->sync_copies == 1 ? "" : "s");
    if (others < database->sync_copies) {
      tell(out, "sync-needs-others", Severity::error, "/services/" + name,
           fmt::format("commits of {} wait for {}, and it has {} that may be promoted", name, copies, others),
           "add members, or take fewer sync_copies");
    } else if (others == database->sync_copies) {
      tell(out, "sync-needs-others", Severity::warning, "/services/" + name,
           fmt::format("commits of {} wait for {}; nobody can write while one of them is away", name, copies),
           "one member more than are waited for keeps the database writable");
    }
  }
}

}  // namespace lifeboat
