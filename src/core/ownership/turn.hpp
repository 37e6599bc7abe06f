// One call of the ownership machine: the state, the time, and the commands that come of it. Only machine.cpp and
// turn_*.cpp use it; machine.hpp is what others see.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "core/base/mutants.hpp"
#include "core/ownership/machine.hpp"
#include "core/ownership/put_back.hpp"
#include "core/ownership/reflex.hpp"
#include "core/ownership/standbys.hpp"
#include "core/ownership/sync_sets.hpp"
#include "core/ownership/transfer.hpp"

namespace lifeboat::ownership {

inline constexpr Duration kFollowBackoff{500};
inline constexpr Duration kFollowBackoffMost{10'000};
// A standby that does not stream for this long is told again whom to follow.
inline constexpr Duration kStreamPatience{2'000};
inline constexpr Duration kRestartPause{5'000};
// How long a switchover waits for its target to stream.
inline constexpr Duration kAttachPatience{6'000};
// So long a server may recover before a failover that a person asks for ends that. Shorter, and one that has just become writable,
// unheard, would lose its right.
inline constexpr Duration kRecoversInPeace{30'000};
inline constexpr Duration kSecondChance{500};
inline constexpr Duration kAsksAgain{500};
// An order that its agent does not speak of after so long never came, or its answer was lost.
inline constexpr Duration kOrderPatience{3'000};
// After a network heals or a controller starts, agents dial in within seconds of each other.
inline constexpr Duration kAwayPatience{10'000};
// No input for so long means that this controller did not run; then reports that wait for it are heard first.
inline constexpr Duration kStoodStill{500};
inline constexpr Duration kHearsEverybody{300};

// One call of step(): the state, the time and the commands that come of it.
class Turn {
 public:
  Turn(State& state, MonoTime now) : state_(state), now_(now) {}
  std::vector<Command> commands;

  void take(const Tick&) {}

  void take(const AgentConnected& input) {
    if (Member* member = state_.find(input.member)) {
      member->connected = true;
      member->reported = false;
      member->command_running = false;
      if (looks_matter()) commands.push_back(AskLook{member->config.name, state_.mark});
    }
  }

  void take(const AgentLost& input) {
    if (Member* member = state_.find(input.member)) {
      if (member->connected) member->away_since = now_;
      member->connected = false;
      member->reported = false;
      member->command_running = false;
      if (LIFEBOAT_BUG("lost-link-ends-the-lease") && input.member == state_.holder && state_.vacancy == Vacancy::none)
        become_vacant(Vacancy::lease_ended, "its link was lost");
    }
  }

  void take(const Reported& input) {
    Member* member = state_.find(input.report.member);
    if (member == nullptr) return;
    // One that was overtaken says nothing of now.
    if (member->reported && input.agent_clock_ns < member->agent_clock_ns) return;
    member->connected = true;
    member->reported = true;
    member->last_report = now_;
    member->agent_clock_ns = input.agent_clock_ns;
    member->report = input.report;
    if (!input.report.disk_full)
      member->full_since.reset();
    else if (!member->full_since)
      member->full_since = now_;
    // By the agent's clock: what waited on its way here is older than its order.
    auto since_order = std::chrono::nanoseconds(input.agent_clock_ns - member->command_clock_ns);
    if (member->command_running && !input.report.busy && since_order > kOrderPatience) member->command_running = false;
    notice_floor(*member);
    bool is_holder = member->config.name == state_.holder;
    // One that is stopping may still say so.
    bool steps_down = input.report.busy && !state_.confirmed;
    bool writes = input.report.state == ServerState::primary && input.report.term == state_.term && !steps_down;
    if (is_holder && writes) {
      // What waited here while this controller stood still was said long before. Taken for news, it would shorten the time for which the
      // primary went on unheard, by the promises of the others.
      if (now_ >= state_.stood_still_until) remember_position(state_, input.report, now_);
      if (!state_.confirmed)
        note("holder-writable", fmt::format("{} takes writes under term {}", state_.holder, state_.term));
      holder_writes();
      // The answer to its order was lost, and what was ordered is there all the same.
      if (leading_now() && state_.transfer->target == state_.holder && !member->command_running) leads_now();
    }
    if (LIFEBOAT_BUG("report-proves-the-stop") && is_holder && input.report.state == ServerState::stopped &&
        state_.vacancy == Vacancy::none && !state_.grant_in_flight)
      become_vacant(Vacancy::server_died, "it reports that it is stopped");
    bool is_done = !is_moving(state_) && !is_waited_for(*member) && is_attached(state_, *member);
    if (is_done) member->reprotect_under = 0;
    // A report is never proof that the holder stopped: it may be older than its last renewal. Only Released is.
  }

  void take(const RenewAsked& input) {
    if (may_be_adopted(state_, input.member, input.term)) return adopt(input.member);
    // It knows more than the store, and is adopted as soon as enough others were heard.
    if (input.term > state_.term) return;
    bool holds = input.member == state_.holder && input.term == state_.term && !state_.grant_in_flight;
    // One that went on by the other members' promises, and nobody was granted anything since.
    bool comes_back = state_.vacancy == Vacancy::lease_ended && !state_.released;
    // It may have been sent long ago. One that is still wanted comes again.
    if (holds && comes_back && now_ < state_.stood_still_until) return;
    bool granted = holds && (state_.vacancy == Vacancy::none || comes_back) && !is_wanted_elsewhere();
    if (granted && comes_back) {
      state_.vacancy = Vacancy::none;
      state_.renewed_mark = ++state_.mark;
      ask_for_looks();
      note("renewed-again", fmt::format("{} went on under term {} without a controller", input.member, input.term));
    }
    Duration length = LIFEBOAT_BUG("margin-counted-twice") ? state_.config.lease * 3 / 4 : state_.config.lease;
    if (granted) state_.lease_until = std::max(state_.lease_until, now_ + length);
    commands.push_back(AnswerRenew{input.member, input.term, input.sent_ns, granted});
  }

  // Its server recovers for longer than any order is given, and a person wants somebody to take over who can.
  bool is_wanted_elsewhere() const {
    bool long_at_it = state_.recovers_since != MonoTime{} && now_ > state_.recovers_since + kRecoversInPeace;
    if (!long_at_it || !failover_waits(state_) || state_.confirmed) return false;
    Choice choice = choose(state_, state_.transfer->to, {state_.holder}, now_);
    bool may = state_.transfer->accept_loss || (choice.may_lose.empty() && !is_too_much(state_.config, choice));
    return !choice.member.empty() && may;
  }

  void take(const Released& input) {
    bool of_now = input.term == state_.term || LIFEBOAT_BUG("old-release-believed");
    if (input.member != state_.holder || !of_now || state_.grant_in_flight) return;
    if (state_.vacancy != Vacancy::none) return;
    bool planned = state_.transfer && state_.transfer->stage == Transfer::Stage::stepping_down;
    Vacancy cause = planned ? Vacancy::stepped_down : input.server_failed ? Vacancy::server_died : Vacancy::lease_ended;
    become_vacant(cause, fmt::format("{} released term {}: {}", input.member, input.term, input.reason));
    state_.released = true;
  }

  void take(const GrantMade& input) {
    assert(input.term > state_.term && "terms only grow");
    state_.grant_in_flight = false;
    // What was asked for while another grant was in flight has yet to begin.
    bool by_transfer = granting_now();
    bool goes_on = goes_on_when_granted(input.holder);
    state_.led = goes_on;
    uint64_t before = std::exchange(state_.term, input.term);
    state_.holder = input.holder;
    state_.vacancy = Vacancy::none;
    state_.renewed_mark = 0;
    state_.confirmed = state_.restored = false;
    state_.lease_until = now_ + state_.config.lease;
    state_.automatic_refused.clear();
    // Whoever waits for the holder before is to follow this one, and at once: the patience was with that one.
    for (Member& member : state_.members) {
      member.follow_not_before = now_;
      bool only_waits = member.report.state == ServerState::standby || member.report.state == ServerState::starting;
      if (member.config.name != input.holder && only_waits) member.command_running = false;
    }
    Member* holder = state_.find(input.holder);
    if (holder == nullptr) return;
    state_.sync_sets = std::exchange(state_.sync_granting, {});
    state_.sync_since.reset();
    state_.sync_from.reset();
    Lsn at_least = by_transfer ? state_.transfer->at_least : Lsn{};
    if (by_transfer) state_.transfer->stage = Transfer::Stage::leading;
    if (LIFEBOAT_BUG("told-done-at-the-grant") && by_transfer && state_.transfer->kind != TransferKind::reflex)
      finish_transfer(std::nullopt, result_of_transfer(state_, "promoted", now_));
    if (!goes_on) state_.begun = {now_, holder->report.timeline, holder->report.written};
    bool patient = !by_transfer && could_not_lately(*holder, now_);
    state_.recovers_since = patient ? now_ : MonoTime{};
    begin_order(*holder);
    uint64_t term = LIFEBOAT_BUG("order-without-the-new-term") ? input.term - 1 : input.term;
    commands.push_back(SendLead{input.holder, term, holder->agent_clock_ns, at_least, goes_on,
                                state_.sync_sets.empty() ? SyncSet{} : state_.sync_sets.back(), before, patient});
  }

  void take(const GrantFailed& input) {
    state_.grant_in_flight = false;
    note("grant-failed", "the right to write could not be recorded: " + input.reason);
    if (granting_now())
      finish_transfer(transfer_error(ErrorKind::conflict, "the right to write could not be recorded: " + input.reason,
                                     "another controller may be at work; look at `lifeboat status`"));
  }

  void take(const SyncRecorded& input) {
    state_.sync_in_flight = false;
    if (input.term != state_.term || state_.grant_in_flight || state_.vacancy != Vacancy::none) return;
    bool replaced = state_.sync_sets.empty() || input.sets.back() != state_.sync_sets.back();
    state_.sync_sets = input.sets;
    if (!replaced) return;
    state_.sync_since.reset();
    state_.sync_from.reset();
    state_.sync_told = {};
  }
  void take(const SyncNotRecorded&) { state_.sync_in_flight = false; }

  void take(const CommandDone& input) {
    Member* member = state_.find(input.member);
    if (member == nullptr) return;
    // One that a newer order took the place of.
    if (input.what == CommandDone::What::follow && input.term != state_.term) return;
    member->command_running = false;
    switch (input.what) {
      case CommandDone::What::lead: return lead_done(*member, input);
      case CommandDone::What::follow: return follow_done(*member, input);
      case CommandDone::What::step_down: return step_down_done(input);
      case CommandDone::What::adopt: return adopt_done(*member, input);
    }
  }

  void take(const TransferAsked& input) {
    if (state_.transfer || reprotection_in_the_way()) {
      return finish(input.transfer.id,
                    transfer_error(ErrorKind::conflict, fmt::format("{} is being moved already", state_.config.service),
                                   "wait until that has ended"));
    }
    if (input.transfer.kind == TransferKind::reprotect)
      return begin_reprotection({input.transfer.id, input.transfer.to, input.transfer.pages});
    state_.transfer = input.transfer;
    state_.transfer->asked = now_;
    state_.transfer->from = state_.holder;
    // While nobody holds the right, questions are put anyway.
    if (state_.vacancy == Vacancy::none) {
      state_.transfer->look = ++state_.mark;
      ask_for_looks();
    }
    begin_transfer();
  }

  void take(const TransferGivenUp& input) {
    std::erase_if(state_.reprotections, [&](const Reprotection& each) { return each.id == input.id; });
    bool same = state_.transfer && state_.transfer->id == input.id;
    if (!same) return;
    // What has been set in motion ends by itself; only the waiting is dropped.
    state_.transfer->given_up = true;
    if (state_.transfer->stage == Transfer::Stage::waiting_for_vacancy) state_.transfer.reset();
  }

  void take(const Acknowledged&) {
    state_.automatic_failovers.clear();
    state_.automatic_refused.clear();
  }

  // Runs before each input, too: a renewal that waited here meanwhile does not prolong what has ended.
  void end_lease() {
    bool has_ended = state_.vacancy == Vacancy::none && !state_.holder.empty() && now_ >= state_.lease_until;
    if (has_ended && !state_.grant_in_flight)
      become_vacant(Vacancy::lease_ended, fmt::format("{} has not renewed its lease for {}", state_.holder,
                                                      format_span(state_.config.lease)));
  }

  // What time alone brings about; runs after each input.
  void look_around() {
    if (news_are_wanted(state_) && now_ - state_.asked_to_look > kAsksAgain) ask_for_looks();
    end_lease();
    if (!reprotection_in_the_way()) end_reprotections_of_nobody();
    if (state_.transfer) push_transfer();
    if (!state_.transfer && !reprotection_in_the_way()) fill_vacancy();
    if (!state_.transfer) leave_full_disk();
    attach_standbys();
    end_reprotections();
    SyncTurn sync = turn_sync_sets(state_, now_);
    if (sync.record) {
      state_.sync_in_flight = true;
      commands.push_back(RecordSync{state_.term, std::move(*sync.record)});
    }
    if (sync.apply) commands.push_back(SendSync{state_.holder, state_.term, std::move(*sync.apply)});
  }

 private:
  State& state_;
  MonoTime now_;

  void note(std::string kind, std::string text, Json data = nullptr) {
    commands.push_back(Note{std::move(kind), std::move(text), std::move(data)});
  }

  bool restoring() const { return state_.transfer && state_.transfer->kind == TransferKind::restore; }

  bool granting_now() const {
    bool granting = state_.transfer && state_.transfer->stage == Transfer::Stage::granting;
    return granting || (LIFEBOAT_BUG("takes-another-grant-for-its-own") && state_.transfer);
  }

  // Its own history goes on only if it led under the last grant: before that, another one may have written.
  bool goes_on_when_granted(const std::string& member) const {
    bool led = state_.led || LIFEBOAT_BUG("goes-on-without-having-led");
    bool puts_back = granting_now() && restoring() && !state_.transfer->undone;
    // Also by a restore whose answer never came, and that nobody waits for any more.
    const Member* known = state_.find(member);
    bool has_other_data = known != nullptr && known->report.put_back;
    return state_.holder == member && led && !last_writer_is_unknown(state_) && !puts_back && !has_other_data;
  }

  bool leading_now() const { return state_.transfer && state_.transfer->stage == Transfer::Stage::leading; }

  void holder_writes() {
    state_.confirmed = state_.ever_written = state_.led = true;
    state_.restored = false;
  }

  void become_vacant(Vacancy cause, std::string reason) {
    state_.vacancy = cause;
    state_.released = false;
    state_.vacancy_reason = reason;
    state_.vacant_since = now_;
    ++state_.mark;
    if (looks_matter()) ask_for_looks();
    note("vacant", std::move(reason), {{"term", state_.term}, {"holder", state_.holder}});
  }

  bool looks_matter() const {
    return news_are_wanted(state_) || (state_.vacancy != Vacancy::none && is_synchronous(state_.config));
  }

  // Who has what, and who promised what, is judged by what is said from now on.
  void ask_for_looks() {
    state_.asked_to_look = now_;
    for (const Member& member : state_.members) {
      if (member.connected && member.report.heard != state_.mark)
        commands.push_back(AskLook{member.config.name, state_.mark});
    }
  }

  void make_grant(const std::string& member, std::string reason, bool automatic = false,
                  bool loss_is_accepted = false) {
    assert((is_vacant(state_, now_) || LIFEBOAT_BUG("failover-without-vacancy")) &&
           "nothing is granted while somebody may still write");
    state_.grant_in_flight = true;
    if (LIFEBOAT_BUG("automatic-not-recorded")) automatic = false;
    state_.sync_granting = sync_sets_of_grant(state_, member, loss_is_accepted);
    commands.push_back(MakeGrant{state_.term, member, std::move(reason), terms_above(), automatic, state_.sync_granting,
                                 goes_on_when_granted(member)});
  }

  // ---- a store that was restored from an older copy

  uint64_t terms_above() const { return std::max(state_.floor, state_.above); }

  void notice_floor(const Member& member) {
    if (member.report.floor <= std::max(state_.term, state_.floor)) return;
    state_.floor = member.report.floor;
    note("store-behind", fmt::format("{} has seen term {}, the store knows {}: it was restored from an older copy",
                                     member.config.name, state_.floor, state_.term));
  }

  void adopt(const std::string& member) {
    state_.grant_in_flight = true;
    state_.sync_sets = unknown_sets(member);
    state_.sync_granting = sync_sets_of_grant(state_, member, false);
    commands.push_back(MakeGrant{
        state_.term, member,
        fmt::format("{} goes on: it holds term {}, which the restored store does not know", member, state_.floor),
        terms_above(), false, state_.sync_granting});
  }

  void finish(uint64_t id, std::optional<Error> error, Json result = nullptr) {
    commands.push_back(FinishTransfer{id, std::move(error), std::move(result)});
  }

  void finish_transfer(std::optional<Error> error, Json result = nullptr) {
    finish(state_.transfer->id, std::move(error), std::move(result));
    state_.transfer.reset();
  }

  // ---- what somebody asked for, in turn_transfers.cpp

  void begin_transfer();
  void already_there();
  void begin_switchover();
  void push_transfer();
  void push_restore();
  void step_down_for(const std::string& target);
  void adopt_done(Member& member, const CommandDone& input);
  void undo_restore(const std::string& why);
  void push_failover();
  void retry_elsewhere(const std::string& why);

  // ---- answers of agents

  // The member that was granted the right takes writes: whatever was waited for is there.
  void leads_now() {
    bool undone = state_.transfer->kind == TransferKind::switchover && state_.transfer->target == state_.transfer->from;
    undone = undone || state_.transfer->undone;
    if (undone) {
      std::string what = restoring() ? "restore" : "switchover";
      finish_transfer(transfer_error(
          ErrorKind::refused, fmt::format("the {} was undone: {} goes on as primary", what, state_.transfer->from)));
    } else if (state_.transfer->kind == TransferKind::reflex) {
      state_.transfer.reset();
    } else {
      finish_transfer(std::nullopt, result_of_transfer(state_, "promoted", now_));
    }
  }

  void lead_done(Member& member, const CommandDone& input) {
    if (input.term != state_.term) return;
    if (input.ok) {
      state_.recovers_since = MonoTime{};
      holder_writes();
      member.report.state = ServerState::primary;
      member.report.term = input.term;
      member.report.timeline =
          static_cast<uint64_t>(int_or(input.result, "timeline", static_cast<int64_t>(member.report.timeline)));
      note("promoted",
           fmt::format("{} takes writes under term {}, timeline {}", member.config.name, input.term,
                       member.report.timeline),
           input.result);
      if (leading_now()) leads_now();
      return;
    }
    // A definite no: by contract the agent holds no term any more. An unknown one: the lease has to run out.
    bool no = !input.unknown || LIFEBOAT_BUG("no-answer-is-a-no");
    member.could_not = no ? now_ : now_ + state_.config.lease;
    if (no) {
      become_vacant(Vacancy::server_died, fmt::format("{} could not take over: {}", member.config.name, input.error));
    }
    if (leading_now() && no) {
      state_.transfer->failed.push_back(member.config.name);
      retry_elsewhere(fmt::format("{} could not take over: {}", member.config.name, input.error));
    }
  }

  void step_down_done(const CommandDone& input) {
    if (!state_.transfer || state_.transfer->stage != Transfer::Stage::stepping_down) return;
    Transfer& transfer = *state_.transfer;
    if (!input.ok && !(input.unknown && LIFEBOAT_BUG("no-answer-is-a-stop"))) {
      if (input.unknown) state_.confirmed = false;
      return finish_transfer(
          input.unknown ? transfer_error(ErrorKind::unknown_outcome, "the old primary did not say whether it stopped")
                        : transfer_error(ErrorKind::refused,
                                         fmt::format("{} did not stop writing: {}", transfer.from, input.error)));
    }
    if (state_.vacancy == Vacancy::none)
      become_vacant(Vacancy::stepped_down, fmt::format("{} stopped cleanly", transfer.from));
    if (restoring()) {
      transfer.stage = Transfer::Stage::waiting_for_vacancy;
      return push_restore();
    }
    auto lsn = ScalarText<Lsn>::parse(text_or(input.result, "lsn"));
    if (lsn && !LIFEBOAT_BUG("shutdown-position-forgotten")) transfer.at_least = *lsn;
    transfer.stage = Transfer::Stage::succeeding;
    succeed();
  }

  // Whoever was chosen may be gone by now; then the old primary goes on at once, and nobody waits for an answer that never comes.
  void succeed() {
    if (now_ < state_.stood_still_until) return;
    Transfer& transfer = *state_.transfer;
    const Member* target = state_.find(transfer.target);
    if (target == nullptr || !is_fresh(*target, now_))
      return retry_elsewhere(fmt::format("{} was not heard of for a second", transfer.target));
    transfer.stage = Transfer::Stage::granting;
    make_grant(transfer.target, fmt::format("switchover from {}", transfer.from), transfer.unasked);
  }

  void follow_done(Member& member, const CommandDone& input) {
    if (input.ok) {
      member.follow_failures = 0;
      member.follow_error.clear();
      member.reprotect_pages = false;
      note("standby-attached",
           fmt::format("{} follows {}: {}", member.config.name, state_.holder, text_or(input.result, "how", "done")),
           input.result);
      return;
    }
    member.follow_error = input.error;
    ++member.follow_failures;
    Duration wait = kFollowBackoff * (1 << std::min(member.follow_failures, 5));
    member.follow_not_before = now_ + std::min(wait, kFollowBackoffMost);
    note("standby-failed", fmt::format("{} could not follow {}: {}", member.config.name, state_.holder, input.error));
  }

  // ---- what the machine does by itself

  void fill_vacancy() {
    if (state_.grant_in_flight) return;
    bool nothing_granted = state_.term == 0 && state_.holder.empty();
    if (!nothing_granted && !is_vacant(state_, now_)) return;
    // One that was cut off while it made the cluster leaves nothing behind.
    if (!state_.ever_written) found_database();
    if (nothing_granted || state_.grant_in_flight) return;
    if (last_writer_is_unknown(state_)) {
      reflex_failover();  // says why not
      return;
    }
    // One that could not start a moment ago would be given its time again and again, beside others that could lead.
    const Member* holder = state_.find(state_.holder);
    bool could_not = holder != nullptr && could_not_lately(*holder, now_);
    if (state_.vacancy != Vacancy::server_died && !could_not && regrant_holder()) return;
    if (awaits_looks(state_, now_)) return;
    if (reflex_failover()) return;
    // Nobody else can or may: a server that merely crashed is started again, but not in a tight loop.
    if (now_ - state_.last_regrant > kRestartPause) regrant_holder();
  }

  // The very first start: the cluster is created only when every member says that it has nothing.
  void found_database() {
    bool all_absent = std::ranges::all_of(state_.members, [](const Member& member) {
      return member.connected && member.reported && member.report.state == ServerState::absent;
    });
    if (all_absent) make_grant(state_.config.first_primary, "the database is created");
  }

  // The holder is there, took writes before it stopped, and so has everything that was written. One that was granted the right
  // and never promoted has not.
  bool regrant_holder() {
    // What it said last may be long past: it may have been started, and go on by the promises of the others.
    if (state_.vacancy == Vacancy::lease_ended && now_ < state_.stood_still_until) return false;
    const Member* holder = state_.find(state_.holder);
    bool ready = holder != nullptr && !may_be_old_news(state_, *holder) && holder->connected && holder->reported &&
                 holder->report.state == ServerState::stopped &&
                 (holder->report.primary_data || LIFEBOAT_BUG("holder-that-never-led-goes-on")) &&
                 !holder->command_running;
    if (!ready) return false;
    state_.last_regrant = now_;
    make_grant(state_.holder, "the holder goes on: " + state_.vacancy_reason);
    return true;
  }

  bool reflex_failover() {
    Reflex reflex = judge_reflex(state_, now_);
    if (reflex.choice.member.empty()) return refuse_reflex(reflex.refused);
    const Choice& choice = reflex.choice;
    state_.automatic_failovers.push_back(now_);
    Transfer transfer;
    transfer.kind = TransferKind::reflex;
    transfer.asked = now_;
    transfer.from = state_.holder;
    transfer.target = choice.member;
    transfer.stage = Transfer::Stage::granting;
    state_.transfer = transfer;
    note("automatic-failover", fmt::format("{}; {}", state_.vacancy_reason, choice.reason),
         {{"from", state_.holder}, {"to", choice.member}, {"lost_bytes", choice.lost_bytes}});
    make_grant(choice.member, fmt::format("automatic failover: {}; {}", state_.vacancy_reason, choice.reason), true);
    return true;
  }

  // Writes fail there, and nothing else is wrong with it: it hands over in good order.
  void leave_full_disk() {
    std::string target = successor_of_full_disk(state_, now_);
    if (target.empty()) return;
    state_.automatic_failovers.push_back(now_);
    state_.left_full_disk = now_;
    note("automatic-switchover", fmt::format("the disk of {} is full; {} takes over", state_.holder, target),
         {{"from", state_.holder}, {"to", target}});
    Transfer transfer;
    transfer.kind = TransferKind::switchover;
    transfer.unasked = true;
    transfer.to = target;
    transfer.asked = now_;
    transfer.from = state_.holder;
    state_.transfer = transfer;
    begin_transfer();
  }

  // Said once for each vacancy: the reason changes with every report.
  bool refuse_reflex(const std::string& why) {
    if (why.empty() || !state_.automatic_refused.empty()) return false;
    state_.automatic_refused = why;
    note("automatic-refused", "nothing is promoted by itself: " + why);
    return false;
  }

  // ---- standbys

  // Whether the reprotection is meant to make this member a standby.
  bool is_meant(const Reprotection& reprotection, const Member& member) const {
    const std::string& to = reprotection.to;
    return member.config.name != state_.holder &&
           (to.empty() || to == member.config.name || to == member.config.region);
  }

  bool is_waited_for(const Member& member) const {
    return std::ranges::any_of(state_.reprotections, [&](const Reprotection& each) { return is_meant(each, member); });
  }

  void begin_order(Member& member) const {
    member.command_running = true;
    member.command_clock_ns = member.agent_clock_ns;
  }

  void attach_standbys() {
    if (!is_writable(state_, now_) || !state_.confirmed) return;
    if (is_moving(state_)) return;
    for (Member& member : state_.members) {
      if (!wants_follow(state_, member, now_)) continue;
      begin_order(member);
      commands.push_back(SendFollow{order_to_follow(state_, member)});
      // A standby that is attached but does not stream is asked again only after a while.
      member.follow_not_before = now_ + kStreamPatience;
    }
  }

  // ---- reprotections, in turn_reprotections.cpp

  bool reprotection_in_the_way() const {
    return LIFEBOAT_BUG("reprotect-stands-in-the-way") && !state_.reprotections.empty();
  }
  void begin_reprotection(Reprotection reprotection);
  void end_reprotections_of_nobody();
  void end_reprotections();
  bool has_ended(const Reprotection& reprotection);
};

}  // namespace lifeboat::ownership
