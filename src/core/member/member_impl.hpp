// The members of MemberLogic; included where it is instantiated.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "core/base/mutants.hpp"
#include "core/data/encode.hpp"
#include "core/member/member.hpp"

namespace lifeboat {
namespace member_times {

inline constexpr Duration kLookEvery{100};
// After one that was refused: times what it took.
inline constexpr int kLookPause = 10;
inline constexpr Duration kLookPauseMost{500};
inline constexpr Duration kHeldUp{200};
inline constexpr Duration kReads{50};
inline constexpr Duration kLookWithin{400};
inline constexpr Duration kLookWithinLeast{150};
// A knock costs the server a process: it is asked so often that this takes a small part of its time, within these bounds.
inline constexpr int kKnockPause = 50;  // times what the last knock took
inline constexpr int kKnocksInALeaseLeast = 2;
inline constexpr int kKnocksInALeaseMost = 8;
// A standby that hangs takes nothing from anybody; it is given more time before it is started anew.
inline constexpr Duration kStandbyHungAfter{5'000};
inline constexpr Duration kStreamSoon{5'000};
inline constexpr Duration kStartsWithin{30'000};
// One that is turned away is connected for some milliseconds at a time.
inline constexpr Duration kSteady{500};
inline constexpr Duration kRestartPause{500};
inline constexpr Duration kRestartPauseMost{10'000};
inline constexpr Duration kSlotsAgain{2'000};
inline constexpr Duration kGiveWay{600};
// From the end of its log to the end of the last process; those are killed then.
inline constexpr Duration kLeavesWithin{10'000};
// The parts of its lease for which no controller answered, after which the other members are asked whether they are there, and
// then whether they promise.
inline constexpr int kAloneAskAfterPercent = 15;
inline constexpr int kAloneAfterPercent = 30;
inline constexpr Duration kTellOthersEvery{1'000};
// An order may come sooner than the answers of the others after a start.
inline constexpr Duration kOthersAnswer{200};

inline Duration between_knocks(MonoTime::duration last_took, Duration lease) {
  return std::clamp(to_duration(last_took * kKnockPause), lease / kKnocksInALeaseMost, lease / kKnocksInALeaseLeast);
}

inline bool is_silence(const Error& error) {
  // A refusal is an answer: "too many clients" and "starting up" come from a server that lives.
  return error.kind == ErrorKind::timed_out || error.kind == ErrorKind::unknown_outcome;
}

}  // namespace member_times

// One order at a time; the others hear `conflict`.
template <class Rim>
struct MemberLogic<Rim>::Busy {
  Busy(MemberLogic& to, std::string what, bool hides) : member(to) {
    member.doing_ = std::move(what);
    member.hides_state_ = hides;
    member.hooks_.changed();
  }
  ~Busy() {
    member.doing_.clear();
    member.hides_state_ = false;
    member.hooks_.changed();
  }
  MemberLogic& member;
};

template <class Rim>
MemberLogic<Rim>::MemberLogic(Rim& rim, Server& server, std::string service, Hooks hooks)
    : rim_(rim), server_(server), service_(std::move(service)), hooks_(std::move(hooks)) {
  lease_.length = Duration{server_.config().lease_ms};
}

template <class Rim>
void MemberLogic<Rim>::log(const std::string& text) const {
  hooks_.log(fmt::format("{}: {}", service_, text));
}

template <class Rim>
auto MemberLogic<Rim>::begin() -> Task<Result<>> {
  CO_TRY_VOID(server_.make_folders());
  if (auto record = rim_.recall()) {
    lease_.floor = record->floor;
    lease_.term = record->leads;
    upstream_ = record->upstream;
    restored_ = record->restored;
    put_back_ = record->put_back;
    // What was promised before the restart ends a lease from now at the latest.
    promise_is_kept_ = record->promised;
    if (record->promised && !LIFEBOAT_BUG("promise-forgotten")) promised_until_ = now() + lease_.length;
  }
  auto cleared = server_.clear_up();
  // The data say it themselves, if this member ended before it could write it down. Those that were promoted lack nothing any more.
  if (std::string name = server_.restored_name(); !name.empty() && server_.marked_standby()) {
    restored_ = name;
    put_back_ = true;
    upstream_.clear();
  } else if (!name.empty()) {
    server_.forget_restored_name();
    put_back_ = false;
  }
  put_back_at_ = now();
  // What an agent before this one held is over as soon as nothing of its server is left.
  if (cleared && lease_.term != 0) release("the agent was started again", false);
  drop(lease_);
  parked_ = !cleared || (server_.spoiled() && !LIFEBOAT_BUG("half-rewound-data-started"));
  reason_ = !cleared ? cleared.error().text() : parked_ ? "a rewind was cut off; its data must be copied anew" : "";
  // What came to be while it was away, they know.
  began_ = now();
  tell_others(0);
  rim_.spawn("renew " + service_, renew_loop());
  rim_.spawn("watch " + service_, watch_loop());
  rim_.spawn("knock " + service_, knock_loop());
  // A standby takes no writes, so it may run without anybody's leave, and is a candidate then; one that died on its way to
  // the lead follows nobody. Anything else stays stopped.
  bool standby = server_.has_data() && server_.marked_standby();
  if (server_.has_data() && !standby && !parked_) rim_.spawn("position " + service_, read_position());
  if (LIFEBOAT_BUG("restarts-as-primary") && server_.has_data() && !standby && !parked_) {
    role_ = Role::primary;
    co_return start_server(MonoTime::max());
  }
  if (!standby || parked_) co_return Result<>{};
  auto started = start_standby();
  if (!started) rim_.spawn("restart " + service_, restart_standby());
  co_return started;
}

template <class Rim>
Result<> MemberLogic<Rim>::start_standby() {
  role_ = Role::standby;
  server_.sync_with(server_.config().sync);
  auto started = server_.write_settings(upstream_, true);
  if (started) started = start_server(MonoTime::max());
  if (started) return started;
  role_ = Role::none;
  reason_ = started.error().text();
  return started;
}

template <class Rim>
void MemberLogic<Rim>::reconfigure(const wire::ServerConfig& config) {
  if (encode(config) == encode(server_.config())) return;
  server_.reconfigure(config);
  // Renewals count by the new length from now on. One that is held by the old length ends when it was to end.
  lease_.length = Duration{config.lease_ms};
  if (!server_.running() || !doing_.empty() || role_ == Role::none) return;
  bool standby = role_ == Role::standby;
  if (auto written = server_.write_settings(standby ? upstream_ : std::string(), standby); !written)
    log(written.error().text());
  server_.reload();
  if (!standby) rim_.spawn("furnish " + service_, furnish_primary());
}

template <class Rim>
Result<> MemberLogic<Rim>::remember(uint64_t leads) {
  if (LIFEBOAT_BUG("intent-not-kept") && leads != 0) return {};
  bool promised = now() < promised_until_;
  uint64_t floor = LIFEBOAT_BUG("floor-not-kept") ? 0 : lease_.floor;
  auto kept = rim_.keep(MemberRecord{floor, leads, upstream_, promised, restored_, put_back_});
  if (kept) promise_is_kept_ = promised;
  return kept;
}

template <class Rim>
Result<> MemberLogic<Rim>::start_server(MonoTime fence) {
  seen_.reset();
  at_rest_.reset();
  current_at_ = {};
  current_with_.clear();
  pulse_ = Pulse(now());
  hung_ = false;
  parked_ = false;
  stopping_ = false;
  reason_.clear();
  auto started = server_.start(fence, [this](ServerEnd how, int status) { server_ended(how, status); });
  hooks_.changed();
  return started;
}

template <class Rim>
void MemberLogic<Rim>::server_ended(ServerEnd how, int wait_status) {
  // The guard says this from inside its own call, so its object is let go of afterwards.
  rim_.post([this] {
    server_.forget_process();
    hooks_.changed();
  });
  if (!at_rest_ && seen_ && !seen_->in_recovery)
    at_rest_ = ControlData{false, seen_->written, seen_->timeline, seen_->system_id};
  seen_.reset();
  pulse_ = Pulse();
  hung_ = false;
  bool wanted = stopping_;
  if (reason_.empty())
    reason_ = how == ServerEnd::fenced ? "its lease ended"
              : how == ServerEnd::lost ? "its guard died"
                                       : "the server died";
  log(wanted ? "the server has ended"
             : fmt::format("the server ended by itself: {} ({})", reason_, how_it_ended(wait_status)));
  if (lease_.term != 0 && !wanted) release(reason_, how != ServerEnd::fenced);
  bool standby = role_ == Role::standby;
  role_ = Role::none;
  // It ended before anybody had a look at it.
  if (!at_rest_ && !server_.marked_standby() && !ended_) rim_.spawn("position " + service_, read_position());
  if (standby && !wanted && !ended_) rim_.spawn("restart " + service_, restart_standby());
}

// What a stopped server's own files say. After a crash it has a little more than that.
template <class Rim>
auto MemberLogic<Rim>::read_position() -> Task<> {
  auto reading = server_.control_data(after(Duration{5'000}));
  auto control = co_await std::move(reading);
  if (!control || server_.running()) co_return;
  at_rest_ = *control;
  hooks_.changed();
}

template <class Rim>
bool MemberLogic<Rim>::standby_can_start() const {
  return !ended_ && server_.has_data() && server_.marked_standby() && !server_.spoiled();
}

template <class Rim>
auto MemberLogic<Rim>::restart_standby() -> Task<> {
  bool told = false;
  for (Duration pause = member_times::kRestartPause;; pause = std::min(pause * 2, member_times::kRestartPauseMost)) {
    co_await sleep_for(pause);
    if (server_.running() || !doing_.empty() || !standby_can_start()) co_return;
    auto started = start_standby();
    if (started) co_return;
    if (!std::exchange(told, true)) log("the standby could not be started again: " + started.error().text());
  }
}

template <class Rim>
void MemberLogic<Rim>::release(const std::string& reason, bool server_failed) {
  wire::Release message{service_, server_.config().member, lease_.term, reason, server_failed};
  drop(lease_);
  hooks_.release(message);
  hooks_.changed();
}

template <class Rim>
void MemberLogic<Rim>::fence_now(const std::string& reason, bool server_failed) {
  log("fences itself: " + reason);
  reason_ = reason;
  bool gone = kill_server();
  if (lease_.term == 0) return;
  if (gone) return release(reason, server_failed);
  log("something of the server could not be killed; its term is not given back");
  drop(lease_);
}

// Its end is ours, so server_ended() does not speak for it.
template <class Rim>
bool MemberLogic<Rim>::kill_server() {
  bool wanted_before = std::exchange(stopping_, true);
  bool gone = server_.kill_now();
  stopping_ = wanted_before;
  return gone;
}

template <class Rim>
auto MemberLogic<Rim>::renew_loop() -> Task<> {
  while (!ended_) {
    MonoTime next = now() + lease_.renew_every();
    co_await rim_.sleep_until(lease_.term == 0 ? next : std::min(next, lease_.fence_at()));
    if (lease_.term == 0) continue;
    // The guard watches the same time; this covers a grant under which no server runs yet, and a guard that is stuck.
    if (!lease_.held(now())) {
      if (LIFEBOAT_BUG("agent-leaves-fence-to-guard")) {
        co_await sleep_for(lease_.renew_every());
        continue;
      }
      fence_now("its lease ended", false);
      continue;
    }
    ask_renewal();
    ask_to_be_kept();
  }
}

template <class Rim>
void MemberLogic<Rim>::ask_renewal() {
  if (!lease_.held(now())) return;
  wire::Renew message{service_, server_.config().member, lease_.term, now().time_since_epoch().count()};
  hooks_.renew(message);
}

template <class Rim>
void MemberLogic<Rim>::renewed(const wire::Renewed& answer) {
  if (answer.term != lease_.term || lease_.term == 0) return;
  if (!answer.granted) return fence_now("its renewal was refused", false);
  renewed_at_ = now();
  if (std::exchange(alone_, false)) log("a controller answers again");
  take_renewal(lease_, answer.term, MonoTime{std::chrono::nanoseconds(answer.sent_ns)}, now());
  if (LIFEBOAT_BUG("fence-not-extended")) return;
  server_.set_fence(LIFEBOAT_BUG("fence-extended-to-the-end") ? lease_.until : lease_.fence_at());
}

template <class Rim>
auto MemberLogic<Rim>::watch_loop() -> Task<> {
  while (!ended_) {
    MonoTime due = now() + member_times::kLookEvery;
    co_await rim_.sleep_until(due);
    // Who was held up itself has answers that it has yet to read.
    if (now() - due > member_times::kHeldUp) co_await sleep_for(member_times::kReads);
    if (!server_.running() && doing_.empty()) end_stranger();
    if (!server_.running() || stopping_) continue;
    bool is_due = now() >= look_due_;
    if (is_due && !std::exchange(looking_, true)) rim_.spawn("look " + service_, look_and_judge());
    pulse_.used(server_.work(), now());
    judge();
  }
}

// Nobody gave it the right, no guard would fence it, and it may be an old primary beside a new one.
template <class Rim>
void MemberLogic<Rim>::end_stranger() {
  if (!server_.end_stranger()) return;
  reason_ = "a server that somebody had started by hand was ended";
  log(reason_ + ": servers of this database are started by controllers");
  // It may have written.
  if (!server_.marked_standby()) rim_.spawn("position " + service_, read_position());
  hooks_.changed();
}

template <class Rim>
auto MemberLogic<Rim>::look_and_judge() -> Task<> {
  auto looking = look_once();
  co_await std::move(looking);
  looking_ = false;
  if (server_.running() && !stopping_) judge();
}

// What has to be done about what was seen last.
template <class Rim>
void MemberLogic<Rim>::judge() {
  // Somebody promoted it behind our back: two servers would take writes.
  if (seen_ && !seen_->in_recovery && lease_.term == 0) return fence_now("it took writes without a lease", false);
  bool hung = pulse_.hung(now(), lease_.length);
  if (std::exchange(hung_, hung) != hung) hooks_.changed();
  if (!hung) return;
  if (lease_.term != 0) return fence_now("the server does not answer", true);
  if (pulse_.silent_for(now()) < member_times::kStandbyHungAfter || !doing_.empty()) return;
  log("the standby does not answer and is started anew");
  reason_ = "the standby did not answer";
  server_.kill_now();
}

// A session that is there may be served by a server that takes no new ones. One that has much to do takes them late, and each is a
// process for it: so one knock at a time waits its turn.
template <class Rim>
auto MemberLogic<Rim>::knock_loop() -> Task<> {
  MonoTime::duration took{};
  while (!ended_) {
    co_await sleep_for(member_times::between_knocks(took, lease_.length));
    if (!server_.running() || stopping_) continue;
    MonoTime begun = now();
    pulse_.asked(Pulse::knock, begun);
    auto knocking = server_.knock(after(lease_.length));
    auto there = co_await std::move(knocking);
    took = now() - begun;
    if (there || !member_times::is_silence(there.error())) pulse_.answered(Pulse::knock);
  }
}

// There is a link to a controller again: what is left of a lease may be little, and what another one asked is nothing to this one.
template <class Rim>
void MemberLogic<Rim>::linked() {
  ++links_;
  mark_heard_ = mark_seen_ = 0;
  ask_renewal();
}

template <class Rim>
void MemberLogic<Rim>::look_again(uint64_t mark) {
  mark_heard_ = std::max(mark_heard_, mark);
  if (server_.running()) rim_.spawn("look " + service_, look_once());
  hooks_.changed();
}

template <class Rim>
void MemberLogic<Rim>::sync_with(const wire::SyncWith& order) {
  if (order.term != lease_.term || role_ != Role::primary || !server_.running()) return;
  // It comes late: another set may be the only one that counts by now.
  if (order.set.number < sync_number_) return;
  bool is_new = order.set.number != sync_number_;
  sync_number_ = order.set.number;
  server_.sync_with(order.set);
  if (auto written = server_.write_settings({}, false); !written) return log(written.error().text());
  server_.reload();
  log(fmt::format("commits wait for {}", sync_setting(order.set)));
  if (is_new) hooks_.changed();
}

template <class Rim>
auto MemberLogic<Rim>::look_once() -> Task<> {
  MonoTime begun = now();
  // Its session may hang alone, so another one is tried soon; each costs the server a process, so that one waits its turn.
  Duration patience = std::clamp(lease_.length / 5, member_times::kLookWithinLeast, member_times::kLookWithin);
  if (pulse_.waits_for(Pulse::look)) patience = lease_.length;
  uint64_t mark = mark_heard_, link = links_;
  auto looking = server_.look(after(patience));
  auto seen = co_await std::move(looking);
  // A server that is starting begins a process for everybody whom it refuses, and has better things to do.
  MonoTime::duration pause =
      std::min<MonoTime::duration>((now() - begun) * member_times::kLookPause, member_times::kLookPauseMost);
  look_due_ = seen ? MonoTime{} : now() + pause;
  bool silent = !seen && member_times::is_silence(seen.error());
  // One that answered before and is not there any more, with nobody to say so: its guard is stopped or stuck.
  bool unreachable = seen_ && !seen && seen.error().kind == ErrorKind::unreachable;
  if (unreachable) {
    auto knocking = server_.knock(after(patience));
    auto there = co_await std::move(knocking);
    silent = !there && there.error().kind == ErrorKind::unreachable;
  }
  if (silent) {
    pulse_.asked(Pulse::look, begun);
  } else {
    pulse_.answered(Pulse::look);
  }
  if (!seen || !server_.running()) co_return;
  // Over another link, marks are counted anew.
  if (link != links_) mark = 0;
  bool news = mark > mark_seen_ || !seen_ || seen_->sync != seen->sync || seen_->in_recovery != seen->in_recovery ||
              seen_->streaming != seen->streaming || seen_->disk_full != seen->disk_full ||
              seen_->timeline != seen->timeline;
  // One that was begun later may have ended before.
  if (mark < mark_seen_) co_return;
  mark_seen_ = mark;
  seen_ = std::move(*seen);
  replay_.saw(*seen_, now());
  bool caught_up = put_back_ && !upstream_.empty() && seen_->in_recovery && seen_->streaming && seen_->current_ms >= 0;
  if (caught_up && doing_.empty()) no_longer_put_back(0);
  if (seen_->in_recovery && seen_->current_ms >= 0) note_current(begun - Duration{seen_->current_ms});
  if (news) hooks_.changed();
}

// How much it lacks of one primary says nothing of another, nor of a standby that it was left to stream from.
template <class Rim>
void MemberLogic<Rim>::note_current(MonoTime when) {
  std::string upstream = seen_upstream();
  if (upstream.empty()) return;
  bool another = std::exchange(current_with_, upstream) != upstream;
  current_at_ = another ? when : std::max(current_at_, when);
}

template <class Rim>
std::string MemberLogic<Rim>::seen_upstream() const {
  for (const auto& [name, peer] : server_.config().members) {
    if (peer.address == seen_->upstream_host && peer.port == seen_->upstream_port) return name;
  }
  return {};
}

template <class Rim>
MemberReport MemberLogic<Rim>::report() const {
  MemberReport out;
  out.member = server_.config().member;
  out.term = lease_.term;
  out.floor = lease_.floor;
  out.reason = reason_;
  out.busy = !doing_.empty();
  out.restored = restored_;
  out.put_back = put_back_;
  out.cancelled = server_.cancelled_waits();
  out.heard = mark_heard_;
  out.mark = server_.running() ? mark_seen_ : mark_heard_;
  // The last part of a millisecond of a promise is no end of it.
  if (now() < promised_until_) out.promised_ms = std::max<int64_t>(1, to_duration(promised_until_ - now()).count());
  if (promised_until_ != MonoTime{} && now() >= promised_until_)
    out.promise_over_ms = to_duration(now() - promised_until_).count();
  if (lease_.term != 0) out.lease_left_ms = std::max<int64_t>(0, to_duration(lease_.until - now()).count());
  if (seen_) {
    out.system_id = seen_->system_id;
    out.timeline = seen_->timeline;
    out.written = seen_->written;
    out.replayed = seen_->replayed;
    out.streaming = seen_->streaming;
    out.replay_paused = seen_->replay_paused;
    out.replay_still_ms = replay_.still().count();
    out.replay_delay = seen_->replay_delay;
    out.lag_ms = seen_->lag_ms;
    out.sync = seen_->sync;
    if (role_ == Role::primary) out.sync_number = sync_number_;
    out.disk_full = seen_->disk_full;
    out.standbys = seen_->standbys;
    out.handicaps = seen_->handicaps;
    out.upstream = seen_upstream();
  }
  if (out.upstream.empty() && role_ == Role::standby) out.upstream = upstream_;
  if (current_at_ != MonoTime{}) {
    out.current_ms = to_duration(now() - current_at_).count();
    out.current_with = current_with_;
  }
  if (parked_) {
    out.state = ServerState::parked;
  } else if (hides_state_) {
    out.state = ServerState::changing;
    out.reason = doing_;
  } else if (!server_.running()) {
    out.state = server_.has_data() ? ServerState::stopped : ServerState::absent;
    out.primary_data = server_.has_data() && !server_.marked_standby();
    if (out.primary_data && at_rest_) {
      out.timeline = at_rest_->timeline;
      out.written = at_rest_->checkpoint;
      out.system_id = at_rest_->system_id;
    }
  } else if (hung_) {
    out.state = ServerState::hung;
  } else if (!seen_ || (seen_->in_recovery && seen_->replaying)) {
    out.state = ServerState::starting;
  } else if (!seen_->in_recovery && lease_.term != 0 && !lease_.held(now())) {
    // What was seen is from before this host stood still.
    out.state = ServerState::changing;
    out.reason = "its lease ended";
  } else {
    out.state = seen_->in_recovery ? ServerState::standby : ServerState::primary;
  }
  return out;
}

}  // namespace lifeboat

#include "core/member/member_orders_impl.hpp"
#include "core/member/member_promises_impl.hpp"
#include "core/member/member_put_back_impl.hpp"
