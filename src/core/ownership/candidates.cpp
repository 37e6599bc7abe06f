#include "core/ownership/candidates.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/mutants.hpp"
#include "core/ownership/sync_sets.hpp"

namespace lifeboat::ownership {
namespace {

// Replay that stands still for so long is not waited for. A promotion would be: the server becomes writable when it has replayed all.
constexpr Duration kStandsStill{5'000};

// Whether the primary, when it was seen there, had written something that a member which stands there lacks. A position on
// an older timeline is an older history: that its number is larger does not mean that it has more.
bool is_ahead(const PositionAt& primary, const MemberReport& member) {
  return primary.timeline != member.timeline ? primary.timeline > member.timeline : primary.written > member.written;
}

uint64_t lost_bytes(const State& state, const MemberReport& member) {
  if (state.positions.empty() || !is_ahead(state.positions.back(), member)) return 0;
  const PositionAt& last = state.positions.back();
  return last.written > member.written ? last.written.value - member.written.value : 1;
}

// When it last had all that the primary had, as it saw that itself. What it saw of another member says nothing of this primary. But the
// holder saw the one before it, and while a holder has not led, nothing was written since that one, whom all were with.
std::optional<Duration> age_of_current(const State& state, const Member& candidate) {
  const MemberReport& member = candidate.report;
  bool of_holder = member.current_with.empty() || member.current_with == state.holder;
  bool of_one_before = candidate.config.name == state.holder || !state.led;
  if (member.current_ms < 0 || (!of_holder && !of_one_before)) return std::nullopt;
  return Duration{member.current_ms};
}

// How much earlier than its last sign of life the primary had passed this position.
std::optional<Duration> age_of_heard(const State& state, const Member& candidate, MonoTime now) {
  const MemberReport& member = candidate.report;
  // What it lacks was written after the last sample that it has, and before the next one. When there is none that it has, nobody
  // knows how long before the oldest.
  for (size_t index = 1; index < state.positions.size(); ++index) {
    if (!is_ahead(state.positions[index], member)) continue;
    if (is_ahead(state.positions[index - 1], member)) break;
    return to_duration(state.positions.back().at - state.positions[index - 1].at);
  }
  if (!state.positions.empty() && !is_ahead(state.positions.back(), member)) return Duration{0};
  // A controller that has not seen the primary there goes by what the candidate itself saw of it.
  auto current = age_of_current(state, candidate);
  if (!current) return LIFEBOAT_BUG("unknown-loss-is-none") ? std::optional(Duration{0}) : std::nullopt;
  return *current + to_duration(now - candidate.last_report);
}

// The primary went on unheard by the candidate's promise: how much of that time the candidate was not current, beyond the lease by
// which the promise ends after the last write at the latest.
std::optional<Duration> age_of_unheard(const State& state, const Member& candidate) {
  const MemberReport& member = candidate.report;
  if (member.promise_over_ms < 0 || state.positions.empty()) return Duration{0};
  MonoTime promise_over = candidate.last_report - Duration{member.promise_over_ms};
  if (promise_over <= state.positions.back().at + state.config.lease) return Duration{0};
  auto current = age_of_current(state, candidate);
  if (!current) return std::nullopt;
  return std::max(*current - Duration{member.promise_over_ms} - state.config.lease, Duration{0});
}

std::optional<Duration> age_of_loss(const State& state, const Member& candidate, MonoTime now) {
  auto heard = age_of_heard(state, candidate, now);
  auto unheard = age_of_unheard(state, candidate);
  if (!heard || !unheard) return std::nullopt;
  return std::max(*heard, *unheard);
}

}  // namespace

// A primary that hears no controller goes on while the others promise not to take over, and may be the better for it. It asks
// within the first part of its lease, so a report from before that says nothing of it. Whoever did not promise waits too: it may
// lack what the other has.
std::string why_to_wait(const State& state, MonoTime now) {
  if (now < state.stood_still_until) return "this controller stood still and hears the others first";
  for (const Member& member : state.members) {
    if (member.config.name == state.holder || !is_fresh(member, now)) continue;
    if (may_be_old_news(state, member)) return fmt::format("{} is asked how it is now", member.config.name);
    if (member.report.promised_ms > 0)
      return fmt::format("{} promised the primary, which hears no controller, not to take over for {}",
                         member.config.name, format_span(Duration{member.report.promised_ms}));
    if (now - member.last_report > state.config.lease * 2 / 5 && !LIFEBOAT_BUG("stale-report-believed"))
      return fmt::format("{} was last heard {} ago", member.config.name,
                         format_span(to_duration(now - member.last_report)));
  }
  return {};
}

std::string why_not_candidate(const State& state, const Member& member, MonoTime now) {
  const MemberReport& report = member.report;
  if (!member.config.candidate && !LIFEBOAT_BUG("excluded-is-chosen")) return "the plan excludes it";
  if (!member.connected) return "its agent is not connected";
  bool fresh = is_fresh(member, now) || LIFEBOAT_BUG("stale-report-believed");
  if (!member.reported || !fresh) return "its agent has not reported for 1 s";
  // The holder too: it may go on by now, and what it said before it was granted the right says that it does not.
  if (may_be_old_news(state, member)) return "it is asked how it is now";
  bool rests = report.state == ServerState::stopped && report.primary_data;
  if (report.state != ServerState::standby && !rests && !LIFEBOAT_BUG("any-state-is-chosen"))
    return fmt::format("its server is {}{}", enum_name(report.state),
                       report.reason.empty() ? "" : ": " + report.reason);
  if (report.replay_paused && !LIFEBOAT_BUG("paused-replay-is-chosen")) return "its replay is paused";
  if (!report.replay_delay.empty() && !LIFEBOAT_BUG("delayed-replay-is-chosen"))
    return fmt::format("its replay is held back by {} (recovery_min_apply_delay)", report.replay_delay);
  if (Duration{report.replay_still_ms} >= kStandsStill && !LIFEBOAT_BUG("stuck-replay-is-chosen"))
    return fmt::format("its replay has stood still for {}: a query or a lock there may hold it up",
                       format_span(Duration{report.replay_still_ms}));
  if (report.disk_full && !LIFEBOAT_BUG("full-disk-is-chosen")) return "its disk is full";
  if (report.written.value == 0) return "it has received nothing yet";
  if (report.floor > std::max(state.term, state.floor))
    return fmt::format("it has seen term {}, which is newer than {}", report.floor, state.term);
  const Member* holder = state.find(state.holder);
  bool other_system = holder != nullptr && holder->report.system_id != 0 && report.system_id != 0 &&
                      holder->report.system_id != report.system_id;
  if (other_system) return "it belongs to another database system";
  return {};
}

Choice choose(const State& state, const std::string& to, const std::vector<std::string>& except, MonoTime now,
              bool standbys_only) {
  Choice choice;
  choice.reason = why_to_wait(state, now);
  if (!choice.reason.empty()) return choice;
  const Member* best = nullptr;
  std::string refused;
  for (const Member& member : state.members) {
    bool asked_for = to.empty() || member.config.name == to || member.config.region == to;
    if (!asked_for) continue;
    std::string why_not = std::ranges::find(except, member.config.name) != except.end() ? "it was tried and could not"
                          : standbys_only && member.report.state != ServerState::standby
                              ? "it is no running standby"
                              : why_not_candidate(state, member, now);
    if (!why_not.empty()) {
      refused += fmt::format("{}{}: {}", refused.empty() ? "" : "; ", member.config.name, why_not);
      continue;
    }
    // Timeline first: a longer log of an older history is not more data.
    auto rank = [](const Member* m) {
      uint64_t timeline = LIFEBOAT_BUG("timeline-not-compared") ? 0 : m->report.timeline;
      return std::tuple(timeline, m->report.primary_data, m->report.written);
    };
    bool better = best == nullptr || rank(&member) > rank(best);
    if (LIFEBOAT_BUG("least-advanced-is-chosen")) better = best == nullptr || rank(&member) < rank(best);
    if (LIFEBOAT_BUG("first-is-chosen")) better = best == nullptr;
    if (better) best = &member;
  }
  if (best == nullptr) {
    choice.reason = refused.empty() ? fmt::format("no member of {} is in '{}'", state.config.service, to) : refused;
    return choice;
  }
  choice.member = best->config.name;
  choice.lost_bytes = lost_bytes(state, best->report);
  choice.lost_age = age_of_loss(state, *best, now);
  if (is_synchronous(state.config)) {
    choice.may_lose = why_it_may_lose(state, *best, now);
    if (choice.may_lose.empty()) choice.lost_age = Duration{0};
  }
  choice.reason = fmt::format("{} is the most advanced candidate at {}", choice.member,
                              ScalarText<Lsn>::format(best->report.written));
  return choice;
}

bool is_too_much(const Config& config, const Choice& choice) {
  // With synchronous commits it has everything that was acknowledged, or is no choice; nothing else can be lost.
  if (LIFEBOAT_BUG("loss-not-weighed") || is_synchronous(config)) return false;
  return !choice.lost_age || *choice.lost_age > config.loss_without_approval;
}

std::string loss_in_words(const Choice& choice) {
  if (choice.lost_age) return format_span(*choice.lost_age);
  return choice.lost_bytes == 0 ? "nobody knows how much" : fmt::format("{} bytes of unknown age", choice.lost_bytes);
}

}  // namespace lifeboat::ownership
