#include "core/ownership/reflex.hpp"

#include <fmt/format.h>

#include "core/base/mutants.hpp"

namespace lifeboat::ownership {
namespace {

// Moving away from a full disk may fail, and so may taking over; then it is left alone for a while.
constexpr Duration kTriesAgain{30'000};

bool limit_is_reached(State& state, MonoTime now) {
  std::deque<MonoTime>& made = state.automatic_failovers;
  while (!made.empty() && now - made.front() > state.config.automatic_within) made.pop_front();
  return static_cast<int>(made.size()) >= state.config.automatic_at_most && !LIFEBOAT_BUG("limit-not-kept");
}

}  // namespace

bool could_not_lately(const Member& member, MonoTime now) {
  return member.could_not != MonoTime{} && now < member.could_not + kTriesAgain;
}

Reflex judge_reflex(State& state, MonoTime now) {
  if (state.config.automatic == AutomaticFailover::none && !LIFEBOAT_BUG("automatic-though-none")) return {};
  const Member* holder = state.find(state.holder);
  // A controller that has just started gives the holder's agent time to find it.
  bool just_started = now - state.started < 2 * state.config.lease;
  if (now < state.stood_still_until) return {};
  if (state.vacancy == Vacancy::lease_ended && just_started) return {};
  if (last_writer_is_unknown(state))
    return {{}, "the store was restored from an older copy and does not know who wrote last"};
  bool anywhere =
      state.config.automatic == AutomaticFailover::any || holder == nullptr || LIFEBOAT_BUG("leaves-its-region");
  // The holder's own server has just failed; one that was never promoted is a candidate like the others.
  std::vector<std::string> except;
  if (holder == nullptr || holder->report.state != ServerState::standby) except.push_back(state.holder);
  const std::string region = anywhere ? std::string() : holder->config.region;
  // Whoever said no a moment ago comes after all others.
  std::vector<std::string> except_failed = except;
  for (const Member& member : state.members) {
    if (could_not_lately(member, now)) except_failed.push_back(member.config.name);
  }
  Choice choice = choose(state, region, except_failed, now);
  if (choice.member.empty()) choice = choose(state, region, except, now);
  if (choice.member.empty()) return {{}, choice.reason};
  if (!choice.may_lose.empty())
    return {{}, fmt::format("{} may lack what was acknowledged: {}", choice.member, choice.may_lose)};
  if (is_too_much(state.config, choice))
    return {{}, fmt::format("{} would set aside {}", choice.member, loss_in_words(choice))};
  if (limit_is_reached(state, now)) {
    return {
        {},
        fmt::format("{} automatic failovers within {} are the limit until somebody has looked (`lifeboat acknowledge`)",
                    state.config.automatic_at_most, format_duration(state.config.automatic_within))};
  }
  return {std::move(choice), {}};
}

std::string successor_of_full_disk(State& state, MonoTime now) {
  const Member* holder = state.find(state.holder);
  if (holder == nullptr || !holder->full_since || now < *holder->full_since + state.config.lease) return {};
  if (state.config.automatic == AutomaticFailover::none || !is_writable(state, now)) return {};
  bool tried = state.left_full_disk != MonoTime{} && now < state.left_full_disk + kTriesAgain;
  if (tried || last_writer_is_unknown(state) || !holder->connected || limit_is_reached(state, now)) return {};
  bool anywhere = state.config.automatic == AutomaticFailover::any;
  Choice choice = choose(state, anywhere ? std::string() : holder->config.region, {state.holder}, now, true);
  const Member* target = state.find(choice.member);
  return target != nullptr && is_attached(state, *target) && choice.may_lose.empty() ? choice.member : std::string();
}

}  // namespace lifeboat::ownership
