#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_sync_needs_others(const RuleInput& input, Findings& out) {
  for (const auto& [name, service] : input.plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr || database->replication != ReplicationMode::sync) continue;
    int candidates = 0, in_region = 0;
    for (const auto& [member, settings] : database->members) {
      bool waited_for = settings.candidate && member != database->primary.text;
      std::string region = region_of(input.plan, settings.host.text);
      candidates += settings.candidate ? 1 : 0;
      in_region += waited_for && database->sync_region && region == database->sync_region->text ? 1 : 0;
    }
    // One of them takes writes. Where the region has others, only these are waited for.
    int others = in_region > 0 ? in_region : candidates - 1;
    int wanted = in_region > 0 ? std::min(in_region, database->sync_copies) : database->sync_copies;
    std::string copies = fmt::format("{} other member{}", wanted, wanted == 1 ? "" : "s");
    std::string place = in_region > 0 ? " in " + database->sync_region->text : std::string();
    if (others < wanted) {
      tell(out, "sync-needs-others", Severity::error, "/services/" + name,
           fmt::format("commits of {} wait for {}{}, and there are {} that may be promoted", name, copies, place,
                       others),
           "add members, or take fewer sync_copies");
    } else if (others == wanted) {
      tell(out, "sync-needs-others", Severity::warning, "/services/" + name,
           fmt::format("commits of {} wait for {}{}; nobody can write while one of them is away", name, copies, place),
           "one member more than are waited for keeps the database writable");
    }
  }
}

}  // namespace lifeboat
