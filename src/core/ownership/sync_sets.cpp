#include "core/ownership/sync_sets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/base/mutants.hpp"
#include "core/ownership/transfer.hpp"

namespace lifeboat::ownership {
namespace {

// Members that are asked to look again answer within milliseconds.
constexpr Duration kLooksWithin{500};
// A server's processes take a new setting one by one.
constexpr Duration kInForceAfter{500};
constexpr Duration kApplyAgain{1'000};
// A standby joins when it has kept up for a while, and leaves when it is gone for longer than a hiccup.
constexpr Duration kJoinsAfter{1'000};
constexpr Duration kLeavesAfter{2'000};

// Those of the region that the plan names; all, when nobody but the holder is there.
std::vector<std::string> those_that_may_count(const Config& config, const std::string& holder) {
  for (const std::string& region : {config.sync_region, std::string()}) {
    std::vector<std::string> names;
    for (const MemberConfig& member : config.members) {
      bool there = region.empty() || member.region == region;
      if (there && member.candidate && member.name != holder) names.push_back(member.name);
    }
    if (!names.empty()) return names;
  }
  return {};
}

SyncSet set_of(const Config& config, const std::string& holder, std::vector<std::string> members) {
  auto copies = std::min<int64_t>(config.sync_copies, static_cast<int64_t>(members.size()));
  return {.holder = holder, .members = std::move(members), .copies = copies};
}

// Above all that count, and all that the holder has heard of: the store may have been put back since.
uint64_t next_number(const State& state) {
  const Member* holder = state.find(state.holder);
  uint64_t most = holder != nullptr ? holder->report.sync_number : 0;
  for (const SyncSet& set : state.sync_sets) most = std::max(most, set.number);
  return most + 1;
}

SyncSet next_first_set(const State& state, const std::string& holder) {
  SyncSet first = first_sync_set(state.config, holder);
  first.number = next_number(state);
  return first;
}

// Whichever of them came first.
bool wait_for_the_same(const SyncSet& a, const SyncSet& b) {
  return std::tie(a.holder, a.members, a.copies) == std::tie(b.holder, b.members, b.copies);
}

// Nothing that was said of an earlier set can come into force any more.
bool was_told_of(const Member& holder, const SyncSet& set) {
  return holder.report.sync_number == set.number && holder.report.sync == sync_setting(set);
}

// Stands for "nobody knows who has what": only the holder itself is known to have everything.
SyncSet open_set(const std::string& holder) { return {.holder = holder}; }

bool was_looked_at(const State& state, const Member& member, MonoTime now) {
  return is_fresh(member, now) && member.report.mark == state.mark;
}

// What it has is known only when its files were read: one that has just come back has yet to say.
bool rests_as_primary(const Member& member) {
  const MemberReport& report = member.report;
  return report.state == ServerState::stopped && report.primary_data && report.written.value != 0;
}

// Its data were put back, so that it has had a commit says nothing any more.
bool has_forgotten(const Member& member) {
  return member.report.put_back && !LIFEBOAT_BUG("put-back-data-are-believed");
}

auto rank(const Member& member) { return std::tuple(member.report.timeline, member.report.written); }

std::string why_it_may_lose_of(const State& state, const SyncSet& set, const Member& candidate, MonoTime now) {
  int64_t seen = 0;
  auto counts = [&](const std::string& name) -> const Member* {
    const Member* member = state.find(name);
    bool there = member != nullptr && was_looked_at(state, *member, now) && !has_forgotten(*member) &&
                 (member->report.state == ServerState::standby || rests_as_primary(*member));
    return there ? member : nullptr;
  };
  if (has_forgotten(candidate))
    return fmt::format("the data of {} were put back to an older moment", candidate.config.name);
  // The holder at rest has a little more than it knows to say.
  const Member* holder = counts(set.holder);
  if (holder == &candidate) return {};
  bool holder_is_standby = holder != nullptr && holder->report.state == ServerState::standby;
  for (const std::string& name : set.members) {
    const Member* member = counts(name);
    if (member == nullptr) continue;
    ++seen;
    if (rank(*member) > rank(candidate)) return fmt::format("{} has more than {}", name, candidate.config.name);
  }
  if (holder_is_standby && rank(*holder) > rank(candidate))
    return fmt::format("{} has more than {}", set.holder, candidate.config.name);
  auto needed = static_cast<int64_t>(set.members.size()) - set.copies + 1;
  if (seen >= needed || holder_is_standby) return {};
  if (set.holder.empty()) return "the store was restored, and nobody knows who has what was acknowledged";
  if (set.members.empty()) return fmt::format("nobody knows who has what {} acknowledged", set.holder);
  return fmt::format("what {} acknowledged is on {} of {}, and {} of these can be asked, not {}", set.holder,
                     set.copies, fmt::join(set.members, ", "), seen, needed);
}

// Whether enough members of the newest set have everything that was written before it came into force.
bool has_taken_hold(State& state, MonoTime now) {
  const SyncSet& newest = state.sync_sets.back();
  const Member* holder = state.find(state.holder);
  if (holder == nullptr || newest.holder != state.holder || !is_writable(state, now)) return false;
  if (!was_told_of(*holder, newest)) {
    state.sync_since.reset();
    state.sync_from.reset();
    return false;
  }
  // By the clock of its host: a report may have been on its way for as long. One that was begun anew says nothing of before.
  MonoTime said{std::chrono::nanoseconds(holder->agent_clock_ns)};
  if (!state.sync_since || said < *state.sync_since) state.sync_since = said;
  // Said when it had been in force everywhere.
  if (!state.sync_from && said >= *state.sync_since + kInForceAfter)
    state.sync_from = PositionAt{now, holder->report.timeline, holder->report.written};
  if (!state.sync_from) return false;
  auto have = std::ranges::count_if(newest.members, [&](const std::string& name) {
    const Member* member = state.find(name);
    return member != nullptr && is_attached(state, *member) && member->report.timeline == state.sync_from->timeline &&
           member->report.written >= state.sync_from->written;
  });
  return have >= newest.copies;
}

std::vector<std::string> those_that_should_count(const State& state, MonoTime now) {
  const SyncSet& newest = state.sync_sets.back();
  std::vector<std::string> names;
  for (const std::string& name : those_that_may_count(state.config, state.holder)) {
    const Member& member = *state.find(name);
    bool counts = std::ranges::find(newest.members, name) != newest.members.end();
    bool attached = is_attached(state, member);
    bool stays = counts && (attached || now - member.attached_changed < kLeavesAfter);
    bool joins = !counts && attached && now - member.attached_changed >= kJoinsAfter;
    if (stays || joins) names.push_back(name);
  }
  return names;
}

}  // namespace

bool is_synchronous(const Config& config) { return config.sync_copies > 0; }

SyncSet first_sync_set(const Config& config, const std::string& holder) {
  return set_of(config, holder, those_that_may_count(config, holder));
}

std::vector<SyncSet> unknown_sets(const std::string& holder) { return {open_set(holder)}; }

std::vector<SyncSet> sync_sets_of_grant(const State& state, const std::string& holder, bool loss_is_accepted) {
  if (!is_synchronous(state.config)) return {};
  std::vector<SyncSet> sets;
  if (!loss_is_accepted) sets = state.sync_sets;
  // What it has of the time before is on nobody else for sure, until its own set has taken hold.
  if (loss_is_accepted) sets.push_back(open_set(holder));
  if (sets.empty() && state.term != 0 && !loss_is_accepted) sets.push_back(open_set(state.holder));
  SyncSet first = next_first_set(state, holder);
  std::erase_if(sets, [&](const SyncSet& set) { return wait_for_the_same(set, first); });
  sets.push_back(std::move(first));
  return sets;
}

std::string why_it_may_lose(const State& state, const Member& candidate, MonoTime now) {
  if (LIFEBOAT_BUG("sync-sets-not-asked")) return {};
  for (const SyncSet& set : state.sync_sets) {
    std::string why = why_it_may_lose_of(state, set, candidate, now);
    if (!why.empty()) return why;
  }
  return {};
}

bool awaits_looks(const State& state, MonoTime now) {
  if (!is_synchronous(state.config) || now - state.vacant_since > kLooksWithin) return false;
  return std::ranges::any_of(state.members, [&](const Member& member) {
    return is_fresh(member, now) && member.config.name != state.holder && member.report.mark != state.mark;
  });
}

SyncTurn turn_sync_sets(State& state, MonoTime now) {
  SyncTurn out;
  if (!is_synchronous(state.config)) return out;
  for (Member& member : state.members) {
    bool attached = is_attached(state, member);
    if (attached != member.attached) member.attached_changed = now;
    member.attached = attached;
  }
  bool idle = state.vacancy == Vacancy::none && !state.grant_in_flight && !state.sync_in_flight && !is_moving(state);
  if (!idle || !state.confirmed || !is_writable(state, now)) return out;
  // It took writes without waiting for anybody before the plan asked for it.
  if (state.sync_sets.empty()) state.sync_sets.push_back(open_set(state.holder));
  const Member& holder = *state.find(state.holder);
  const SyncSet newest = state.sync_sets.back();
  if (newest.holder != state.holder || newest.copies == 0 || holder.report.sync_number > newest.number) {
    out.record = state.sync_sets;
    out.record->push_back(next_first_set(state, state.holder));
    return out;
  }
  if (!was_told_of(holder, newest)) {
    if (now - state.sync_told < kApplyAgain) return out;
    state.sync_told = now;
    out.apply = newest;
  }
  if (!has_taken_hold(state, now) && !LIFEBOAT_BUG("set-counts-at-once")) return out;
  if (state.sync_sets.size() > 1) {
    out.record = std::vector{newest};
    return out;
  }
  SyncSet wanted = set_of(state.config, state.holder, those_that_should_count(state, now));
  // As many as the plan asks for are waited for, also for one that is away.
  bool enough = std::cmp_greater_equal(wanted.members.size(), state.config.sync_copies);
  if (!enough || wait_for_the_same(wanted, newest)) return out;
  wanted.number = next_number(state);
  out.record = std::vector{newest, std::move(wanted)};
  return out;
}

}  // namespace lifeboat::ownership
