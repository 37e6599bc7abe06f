#include "core/ownership/state.hpp"

#include <algorithm>
#include <utility>

#include "core/base/mutants.hpp"

namespace lifeboat::ownership {

Member* State::find(std::string_view name) { return const_cast<Member*>(std::as_const(*this).find(name)); }

const Member* State::find(std::string_view name) const {
  auto found =
      std::ranges::find(members, name, [](const Member& member) -> std::string_view { return member.config.name; });
  return found == members.end() ? nullptr : &*found;
}

State initial_state(Config config, uint64_t term, std::string holder, MonoTime now, Past past) {
  State state;
  for (const MemberConfig& member : config.members)
    state.members.push_back(Member{.config = member, .away_since = now});
  state.term = term;
  state.holder = std::move(holder);
  state.vacancy = term == 0 ? Vacancy::never_granted : Vacancy::none;
  state.lease_until = LIFEBOAT_BUG("new-controller-waits-for-nobody") ? now : now + config.lease;
  state.started = now;
  if (!LIFEBOAT_BUG("limit-forgotten")) state.automatic_failovers = std::move(past.automatic_failovers);
  state.ever_written = term != 0 && past.ever_written;
  state.led = past.led;
  if (!LIFEBOAT_BUG("terms-reused-after-a-restore")) state.above = past.above;
  state.restored = past.restored;
  if (config.sync_copies > 0) state.sync_sets = std::move(past.sync_sets);
  state.config = std::move(config);
  return state;
}

bool store_is_behind(const State& state) { return state.floor > state.term; }

bool last_writer_is_unknown(const State& state) {
  return (state.restored || store_is_behind(state)) && !LIFEBOAT_BUG("restored-store-believed");
}

bool may_be_adopted(const State& state, const std::string& name, uint64_t term) {
  const Member* member = state.find(name);
  auto reported = std::ranges::count_if(state.members, [](const Member& each) { return each.reported; });
  return store_is_behind(state) && term == state.floor && !state.grant_in_flight && !state.transfer &&
         member != nullptr && member->reported && member->report.term == state.floor &&
         member->report.state == ServerState::primary && 2 * static_cast<size_t>(reported) > state.members.size();
}

bool is_writable(const State& state, MonoTime now) {
  const Member* holder = state.find(state.holder);
  return holder != nullptr && state.vacancy == Vacancy::none && now < state.lease_until && state.confirmed &&
         holder->report.state == ServerState::primary && holder->report.term == state.term;
}

bool may_be_old_news(const State& state, const Member& member) {
  if (state.vacancy == Vacancy::none)
    return member.config.name == state.holder && member.report.heard < state.renewed_mark;
  return state.vacancy == Vacancy::lease_ended && member.report.heard != state.mark;
}

bool is_fresh(const Member& member, MonoTime now) {
  constexpr Duration kFresh{1'000};
  return member.connected && member.reported && now - member.last_report <= kFresh;
}

bool news_are_wanted(const State& state) {
  const Member* holder = state.find(state.holder);
  return state.vacancy == Vacancy::lease_ended || (holder != nullptr && may_be_old_news(state, *holder));
}

namespace {

// Whoever was granted the right since the copy that the store was restored from was made renewed it with another controller, before
// this one began to watch. That the recorded holder has stopped says nothing of that one.
bool a_left_out_holder_may_write(const State& state, MonoTime now) {
  return last_writer_is_unknown(state) && now < state.started + state.config.lease;
}

}  // namespace

bool is_vacant(const State& state, MonoTime now) {
  if (a_left_out_holder_may_write(state, now)) return false;
  Duration early = LIFEBOAT_BUG("lease-ends-early-here") ? state.config.lease / 2 : Duration{0};
  bool ended = state.vacancy != Vacancy::none || now >= state.lease_until - early;
  return ended && !state.grant_in_flight;
}

bool is_attached(const State& state, const Member& member) {
  const Member* holder = state.find(state.holder);
  return member.connected && member.report.state == ServerState::standby && member.report.streaming &&
         member.report.upstream == state.holder && holder != nullptr &&
         (member.report.timeline == holder->report.timeline || LIFEBOAT_BUG("parted-standby-is-attached"));
}

void remember_position(State& state, const MemberReport& report, MonoTime now) {
  constexpr size_t kPositionsKept = 1200;  // twice as far back as may be lost
  Duration apart = state.config.loss_without_approval / (kPositionsKept / 2);
  std::deque<PositionAt>& kept = state.positions;
  bool close = kept.size() > 1 && kept.back().timeline == report.timeline && now - kept[kept.size() - 2].at < apart;
  if (close) kept.pop_back();
  kept.push_back({now, report.timeline, report.written});
  if (kept.size() > kPositionsKept) kept.pop_front();
}

}  // namespace lifeboat::ownership
