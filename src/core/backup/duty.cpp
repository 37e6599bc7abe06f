#include "core/backup/duty.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::backup {
namespace {

// A server that writes anything finishes a segment at least so often.
constexpr Duration kSegmentEvery{60'000};
// What is tried every few seconds and fails for so long is no hiccup.
constexpr Duration kFailsFor{180'000};
// With the pauses between them.
constexpr int kOrdersFail = 3;

}  // namespace

void order_ended(Situation& situation, Duty::What what, const std::string& error) {
  using enum Duty::What;
  if (!error.empty()) {
    ++situation.failures;
    if (what != nothing) situation.failing = what, situation.failed = error;
    return;
  }
  // That the list can be read, or a verification ends well, says nothing of backups that fail.
  bool same = what == situation.failing;
  if (same || what == prepare || what == take) situation.failures = 0;
  if (same || what == take) situation.failing = nothing, situation.failed.clear();
}

Duty next_duty(const Schedule& schedule, const Situation& situation, WallTime now) {
  using enum Duty::What;
  const wire::RepositoryReport& report = situation.report;
  if (!situation.connected || situation.ordered || !report.busy.empty() || !report.problem.empty()) return {};
  if (situation.since_last < pause_after(situation.failures)) return {};
  if (!situation.prepared || !report.ready) {
    Duty duty;
    if (situation.primary_known) duty.what = prepare;
    return duty;
  }
  if (!situation.listed) return {list, {}};
  if (!situation.primary_known) return {};
  auto next = due(schedule, situation.taken, now);
  return next ? Duty{take, *next} : Duty{};
}

Loss loss_now(const wire::ArchiveReport* archive, bool streams) {
  if (archive == nullptr) return {std::nullopt, "the primary's agent says nothing"};
  Duration by_archive = Duration{archive->waiting_ms} + kSegmentEvery;
  if (!streams) return {by_archive, fmt::format("{} segments wait to be archived", archive->waiting)};
  if (archive->stream_bytes >= 0 && archive->stream_ms >= 0)
    return {Duration{archive->stream_ms}, fmt::format("the stream of WAL is {} bytes behind", archive->stream_bytes)};
  std::string reason = fmt::format("WAL is not streamed; {} segments wait to be archived", archive->waiting);
  if (archive->stream_ms < 0) return {by_archive, reason};
  return {std::min(by_archive, Duration{archive->stream_ms}), reason};
}

std::string trouble(const Schedule& schedule, const Situation& situation, const Loss& loss, Duration rpo,
                    WallTime now) {
  const wire::RepositoryReport& report = situation.report;
  if (!report.noticed.empty()) return report.noticed;
  if (!situation.connected) return "the repository's agent is not here";
  if (!report.problem.empty()) return report.problem;
  if (loss.time && *loss.time > rpo)
    return fmt::format("the loss of the primary's region would cost up to {} now, and the RPO is {}: {}",
                       format_span(*loss.time), format_duration(rpo), loss.reason);
  if (!situation.archiving.empty()) return situation.archiving;
  if (!report.unread.empty() && Duration{report.unread_ms} >= kFailsFor)
    return fmt::format("the repository could not be read for {}: {}", format_span(Duration{report.unread_ms}),
                       report.unread);
  if (!report.unfilled.empty() && Duration{report.unfilled_ms} >= kFailsFor)
    return fmt::format("WAL that only the stream has could not be archived for {}: {}",
                       format_span(Duration{report.unfilled_ms}), report.unfilled);
  if (!report.gap.empty()) return report.gap;
  if (!situation.failed.empty() && situation.failures >= kOrdersFail)
    return fmt::format("the last {} orders to the repository failed: {}", situation.failures, situation.failed);
  std::string late = situation.listed ? overdue(schedule, situation.taken, now) : std::string();
  // What the first repository lacks is told before what the second does.
  return late.empty() ? report.second : late;
}

}  // namespace lifeboat::backup
