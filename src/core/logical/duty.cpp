#include "core/logical/duty.hpp"

#include <fmt/format.h>

#include "core/backup/schedule.hpp"

namespace lifeboat {

WallTime next_dump_at(Duration every, std::optional<WallTime> newest, WallTime now) {
  if (!newest || *newest > now) return now;
  return *newest + every;
}

DumpDuty next_dump_duty(Duration every, const DumpSituation& situation, WallTime now) {
  if (situation.ordered || situation.since_last < backup::pause_after(situation.failures)) return DumpDuty::nothing;
  if (!situation.listed || situation.stale) return DumpDuty::list;
  bool due = next_dump_at(every, situation.newest, now) <= now;
  return due && situation.server ? DumpDuty::take : DumpDuty::nothing;
}

std::string dump_trouble(Duration every, const DumpSituation& situation, WallTime now) {
  if (!situation.problem.empty()) return "the last logical backup failed: " + situation.problem;
  if (!situation.listed) return {};
  if (!situation.newest || *situation.newest > now)
    return situation.server ? "" : "there is no logical backup, and nobody to take it from";
  Duration age = now - *situation.newest;
  if (age <= every + every / 2) return {};
  return fmt::format("a logical backup is due every {}, and the newest one is {} old", format_duration(every),
                     format_span(age));
}

}  // namespace lifeboat
