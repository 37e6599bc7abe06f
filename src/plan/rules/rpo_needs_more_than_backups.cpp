#include "core/backup/schedule.hpp"
#include "plan/rules/tell.hpp"

namespace lifeboat {

namespace {

// The most time between two moments that can be restored, as the schedule says it in words.
std::optional<Duration> longest_gap(const Backups& backups) {
  using std::chrono::hours;
  const std::pair<std::string_view, Duration> words[] = {{"continuous", Duration(0)},   {"hourly", hours(1)},
                                                         {"daily", hours(24)},          {"nightly", hours(24)},
                                                         {"weekly", hours(24 * 7)},     {"monthly", hours(24 * 31)},
                                                         {"quarterly", hours(24 * 92)}, {"annually", hours(24 * 366)}};
  std::optional<Duration> best;
  if (backups.dumps) best = backup::parse_every(backups.dumps->every);
  if (auto schedule = backup::parse_schedule(backups.schedule)) {
    for (const backup::Entry& entry : schedule->entries) {
      if (!best || entry.every < *best) best = entry.every;
    }
    return schedule->wal_continuous ? Duration(0) : best;
  }
  for (const std::string& entry : backups.schedule) {
    for (const auto& [word, gap] : words) {
      if (entry.find(word) != std::string::npos && (!best || gap < *best)) best = gap;
    }
  }
  return best;
}

}  // namespace

void judge_rpo_needs_more_than_backups(const RuleInput& input, Findings& out) {
  for_each_service<PostgresService>(
      input.plan, [&](const std::string& name, const PostgresService& service, const std::string& at) {
        if (!service.backups) {
          return tell(out, "rpo-and-backups", Severity::warning, at, fmt::format("{} has no backups", name),
                      "replication copies mistakes and attacks too; add backups");
        }
        std::optional<Duration> gap = longest_gap(*service.backups);
        if (!gap) {
          return tell(out, "rpo-and-backups", Severity::warning, at + "/backups",
                      fmt::format("nothing says how often backups of {} are taken", name),
                      "add schedule: ['full weekly', 'diff daily', 'wal continuous']");
        }
        if (*gap <= input.plan.objectives.rpo) return;
        tell(out, "rpo-and-backups", Severity::warning, at + "/backups/schedule",
             fmt::format("after corruption of {} up to {} of data would be lost: the RPO is {}, and the schedule alone "
                         "cannot meet it",
                         name, format_duration(*gap), format_duration(input.plan.objectives.rpo)),
             "archive WAL continuously ('wal continuous')");
      });
}

}  // namespace lifeboat
