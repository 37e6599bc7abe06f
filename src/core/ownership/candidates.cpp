#include "core/ownership/candidates.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::ownership {
namespace {

// A report older than this says nothing about now. Agents report ten times a second, and a lease is longer: whoever was cut
// off together with the holder has not reported by the time the lease ends.
constexpr Duration kFresh{1'000};

Lsn last_known_written(const State& state) { return state.positions.empty() ? Lsn{} : state.positions.back().written; }

// How much earlier than its last sign of life the primary had passed this position.
std::optional<Duration> age_of(const State& state, Lsn position) {
  if (state.positions.empty()) return std::nullopt;
  if (position >= state.positions.back().written) return Duration{0};
  // The oldest sample above the position was written at most then; the loss is no older than that.
  for (const PositionAt& sample : state.positions) {
    if (sample.written > position) return to_duration(state.positions.back().at - sample.at);
  }
  return std::nullopt;
}

}  // namespace

std::string why_not_candidate(const State& state, const Member& member, MonoTime now) {
  const MemberReport& report = member.report;
  if (!member.config.candidate) return "the plan excludes it";
  if (!member.connected) return "its agent is not connected";
  if (!member.reported || now - member.last_report > kFresh) return "its agent has not reported for 1 s";
  if (report.state != ServerState::standby)
    return fmt::format("its server is {}{}", enum_name(report.state),
                       report.reason.empty() ? "" : ": " + report.reason);
  if (report.replay_paused) return "its replay is paused";
  if (report.written.value == 0) return "it has received nothing yet";
  if (report.floor > std::max(state.term, state.floor))
    return fmt::format("it has seen term {}, which is newer than {}", report.floor, state.term);
  const Member* holder = state.find(state.holder);
  bool other_system = holder != nullptr && holder->report.system_id != 0 && report.system_id != 0 &&
                      holder->report.system_id != report.system_id;
  if (other_system) return "it belongs to another database system";
  return {};
}

Choice choose(const State& state, const std::string& to, const std::vector<std::string>& except, MonoTime now) {
  Choice choice;
  const Member* best = nullptr;
  std::string refused;
  for (const Member& member : state.members) {
    bool asked_for = to.empty() || member.config.name == to || member.config.region == to;
    if (!asked_for) continue;
    std::string why_not = std::ranges::find(except, member.config.name) != except.end()
                              ? "it was tried and could not"
                              : why_not_candidate(state, member, now);
    if (!why_not.empty()) {
      refused += fmt::format("{}{}: {}", refused.empty() ? "" : "; ", member.config.name, why_not);
      continue;
    }
    // Timeline first: a longer log of an older history is not more data.
    auto rank = [](const Member* m) { return std::pair(m->report.timeline, m->report.written); };
    if (best == nullptr || rank(&member) > rank(best)) best = &member;
  }
  if (best == nullptr) {
    choice.reason = refused.empty() ? fmt::format("no member of {} is in '{}'", state.config.service, to) : refused;
    return choice;
  }
  choice.member = best->config.name;
  Lsn known = last_known_written(state);
  choice.lost_bytes = known > best->report.written ? known.value - best->report.written.value : 0;
  choice.lost_age = age_of(state, best->report.written);
  choice.reason = fmt::format("{} is the most advanced candidate at {}", choice.member,
                              ScalarText<Lsn>::format(best->report.written));
  return choice;
}

}  // namespace lifeboat::ownership
