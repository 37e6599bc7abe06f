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
inline constexpr Duration kLookWithin{400};
// A server that answers nothing for this share of the lease is taken for hung: a stall that is shorter moves nothing, and
// one that is longer is noticed as soon as a host that is lost.
inline constexpr double kHungAfter = 0.85;
// A standby that hangs takes nothing from anybody; it is given more time before it is started anew.
inline constexpr Duration kStandbyHungAfter{5'000};
inline constexpr Duration kStreamSoon{5'000};
inline constexpr Duration kRestartPause{500};
inline constexpr Duration kRestartPauseMost{10'000};
inline constexpr Duration kGiveWay{600};
// The share of its lease for which no controller answered, after which the other members are asked.
inline constexpr double kAloneAfter = 0.3;

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
    // What was promised before the restart ends a lease from now at the latest.
    promise_is_kept_ = record->promised;
    if (record->promised && !LIFEBOAT_BUG("promise-forgotten")) promised_until_ = now() + lease_.length;
  }
  auto cleared = server_.clear_up();
  // What an agent before this one held is over as soon as nothing of its server is left.
  if (cleared && lease_.term != 0) release("the agent was started again", false);
  drop(lease_);
  parked_ = !cleared || (server_.spoiled() && !LIFEBOAT_BUG("half-rewound-data-started"));
  reason_ = !cleared ? cleared.error().text() : parked_ ? "a rewind was cut off; its data must be copied anew" : "";
  rim_.spawn("renew " + service_, renew_loop());
  rim_.spawn("watch " + service_, watch_loop());
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
  auto kept = rim_.keep(MemberRecord{floor, leads, upstream_, promised});
  if (kept) promise_is_kept_ = promised;
  return kept;
}

template <class Rim>
Result<> MemberLogic<Rim>::start_server(MonoTime fence) {
  seen_.reset();
  at_rest_.reset();
  current_at_ = {};
  silent_since_.reset();
  hung_ = false;
  parked_ = false;
  stopping_ = false;
  reason_.clear();
  auto started = server_.start(fence, [this](ServerEnd how, int) { server_ended(how); });
  hooks_.changed();
  return started;
}

template <class Rim>
void MemberLogic<Rim>::server_ended(ServerEnd how) {
  // The guard says this from inside its own call, so its object is let go of afterwards.
  rim_.post([this] {
    server_.forget_process();
    hooks_.changed();
  });
  if (seen_ && !seen_->in_recovery) at_rest_ = ControlData{false, seen_->written, seen_->timeline, seen_->system_id};
  seen_.reset();
  silent_since_.reset();
  hung_ = false;
  bool wanted = stopping_;
  if (reason_.empty())
    reason_ = how == ServerEnd::fenced ? "its lease ended"
              : how == ServerEnd::lost ? "its guard died"
                                       : "the server died";
  log(wanted ? "the server has ended" : "the server ended by itself: " + reason_);
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

// Without a controller nothing is granted to anybody; what is left to fear is an order that was given before, or one of a controller
// that this member cannot hear. Whoever promised refuses those.
template <class Rim>
void MemberLogic<Rim>::ask_to_be_kept() {
  if (role_ != Role::primary || now() - renewed_at_ < lease_.length * member_times::kAloneAfter) return;
  hooks_.keep(wire::Keep{service_, server_.config().member, lease_.term, lease_.length.count(),
                         now().time_since_epoch().count()});
}

template <class Rim>
wire::Kept MemberLogic<Rim>::keep(const wire::Keep& asked) {
  wire::Kept answer{service_, server_.config().member, asked.term, asked.sent_ns, false};
  bool newer_is_known = asked.term < lease_.floor || lease_.term != 0;
  // A promise is no longer than this member would be bound by after a restart.
  bool fits = Duration{asked.length_ms} <= lease_.length && server_.config().members.contains(asked.member);
  if ((newer_is_known && !LIFEBOAT_BUG("promises-an-old-primary")) || !fits) return answer;
  MonoTime before = promised_until_;
  promised_until_ = std::max(promised_until_, now() + Duration{asked.length_ms});
  bool floor_is_new = asked.term > lease_.floor;
  if (floor_is_new) lease_.floor = asked.term;
  if ((!promise_is_kept_ || floor_is_new) && !remember(0)) {
    promised_until_ = before;
    return answer;
  }
  answer.promised = true;
  if (before < now()) hooks_.changed();
  return answer;
}

template <class Rim>
void MemberLogic<Rim>::kept(const wire::Kept& answer) {
  if (answer.term != lease_.term || lease_.term == 0) return;
  if (!answer.promised) {
    promised_by_.erase(answer.member);
    return;
  }
  int64_t& sent = promised_by_[answer.member];
  sent = std::max(sent, answer.sent_ns);
  int64_t all = std::numeric_limits<int64_t>::max();
  for (const auto& [name, peer] : server_.config().members) {
    if (name == server_.config().member) continue;
    auto promised = promised_by_.find(name);
    if (promised == promised_by_.end()) {
      if (LIFEBOAT_BUG("one-promise-is-enough")) continue;
      return;
    }
    all = std::min(all, promised->second);
  }
  take_renewal(lease_, answer.term, MonoTime{std::chrono::nanoseconds(all)}, now());
  server_.set_fence(lease_.fence_at());
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
  take_renewal(lease_, answer.term, MonoTime{std::chrono::nanoseconds(answer.sent_ns)}, now());
  if (LIFEBOAT_BUG("fence-not-extended")) return;
  server_.set_fence(LIFEBOAT_BUG("fence-extended-to-the-end") ? lease_.until : lease_.fence_at());
}

template <class Rim>
auto MemberLogic<Rim>::watch_loop() -> Task<> {
  while (!ended_) {
    co_await sleep_for(member_times::kLookEvery);
    if (!server_.running() || stopping_) continue;
    auto looking = look_once();
    co_await std::move(looking);
    if (server_.running() && !stopping_) judge();
  }
}

// What has to be done about what was seen last.
template <class Rim>
void MemberLogic<Rim>::judge() {
  // Somebody promoted it behind our back: two servers would take writes.
  if (seen_ && !seen_->in_recovery && lease_.term == 0) return fence_now("it took writes without a lease", false);
  if (!silent_since_) return;
  auto silent = now() - *silent_since_;
  if (silent < lease_.length * member_times::kHungAfter) return;
  if (!std::exchange(hung_, true)) hooks_.changed();
  if (lease_.term != 0) return fence_now("the server does not answer", true);
  if (silent < member_times::kStandbyHungAfter || !doing_.empty()) return;
  log("the standby does not answer and is started anew");
  reason_ = "the standby did not answer";
  server_.kill_now();
}

template <class Rim>
auto MemberLogic<Rim>::look_once() -> Task<> {
  MonoTime begun = now();
  auto looking = server_.look(after(member_times::kLookWithin));
  auto seen = co_await std::move(looking);
  auto pinging = server_.ping(after(member_times::kLookWithin));
  auto alive = co_await std::move(pinging);
  bool silent =
      (!seen && member_times::is_silence(seen.error())) || (!alive && member_times::is_silence(alive.error()));
  // One that answered before and is not there any more, with nobody to say so: its guard is stopped or stuck.
  bool gone = seen_ && !seen && !alive && seen.error().kind == ErrorKind::unreachable &&
              alive.error().kind == ErrorKind::unreachable;
  silent = silent || gone;
  if (!silent) {
    silent_since_.reset();
    hung_ = false;
  } else if (!silent_since_) {
    silent_since_ = begun;
  }
  if (!seen || !server_.running()) co_return;
  bool news = !seen_ || seen_->in_recovery != seen->in_recovery || seen_->streaming != seen->streaming ||
              seen_->timeline != seen->timeline;
  seen_ = std::move(*seen);
  if (seen_->in_recovery && seen_->current_ms >= 0)
    current_at_ = std::max(current_at_, begun - Duration{seen_->current_ms});
  if (news) hooks_.changed();
}

template <class Rim>
MemberReport MemberLogic<Rim>::report() const {
  MemberReport out;
  out.member = server_.config().member;
  out.term = lease_.term;
  out.floor = lease_.floor;
  out.reason = reason_;
  out.busy = !doing_.empty();
  if (now() < promised_until_) out.promised_ms = to_duration(promised_until_ - now()).count();
  if (lease_.term != 0) out.lease_left_ms = std::max<int64_t>(0, to_duration(lease_.until - now()).count());
  if (seen_) {
    out.system_id = seen_->system_id;
    out.timeline = seen_->timeline;
    out.written = seen_->written;
    out.replayed = seen_->replayed;
    out.streaming = seen_->streaming;
    out.replay_paused = seen_->replay_paused;
    out.lag_ms = seen_->lag_ms;
    out.standbys = seen_->standbys;
    for (const auto& [name, peer] : server_.config().members) {
      if (peer.address == seen_->upstream_host && peer.port == seen_->upstream_port) out.upstream = name;
    }
  }
  if (out.upstream.empty() && role_ == Role::standby) out.upstream = upstream_;
  if (current_at_ != MonoTime{}) out.current_ms = to_duration(now() - current_at_).count();
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
  } else if (!seen_) {
    out.state = ServerState::starting;
  } else {
    out.state = seen_->in_recovery ? ServerState::standby : ServerState::primary;
  }
  return out;
}

// ---- lead

template <class Rim>
auto MemberLogic<Rim>::lead(wire::Lead order, Deadline deadline, Progress) -> Task<Result<Json>> {
  // A standby that only waits for its upstream gives way: whoever orders this knows that the upstream is gone.
  lead_waits_ = true;
  for (Deadline patience = after(member_times::kGiveWay); !doing_.empty() && !hides_state_ && !passed(patience);)
    co_await sleep_for(Duration{3});
  lead_waits_ = false;
  // An order that came before under this term decides what becomes of it; a "no" would be taken for the end of the term.
  if (order.term == lease_.term && lease_.term != 0)
    co_return fail(LIFEBOAT_BUG("second-order-answered-no") ? ErrorKind::refused : ErrorKind::unknown_outcome,
                   fmt::format("term {} is being led or was taken already", order.term));
  if (!doing_.empty()) co_return fail(ErrorKind::conflict, fmt::format("{} is busy: {}", order.member, doing_));
  if (now() < promised_until_ && !LIFEBOAT_BUG("promise-not-kept"))
    co_return fail(ErrorKind::refused, fmt::format("{} promised the primary not to take over", order.member),
                   "the primary goes on without a controller; stop it first");
  MonoTime begun = now();
  Lease next = lease_;
  next.length = Duration{server_.config().lease_ms};
  if (server_.spoiled())
    co_return fail(ErrorKind::refused,
                   fmt::format("{} cannot take writes: a rewind of its data was cut off", order.member));
  if (!take_grant(next, order.term, MonoTime{std::chrono::nanoseconds(order.as_of_ns)}, begun)) {
    co_return fail(ErrorKind::refused,
                   fmt::format("term {} is not newer than {} or came too late", order.term, lease_.floor));
  }
  Busy busy(*this, "takes over", true);
  // Durable before anything is done under it.
  uint64_t floor_before = lease_.floor;
  lease_.floor = next.floor;
  if (auto kept = remember(order.term); !kept) {
    lease_.floor = floor_before;
    co_return std::unexpected(std::move(kept).error().with("the term could not be kept"));
  }
  lease_ = next;
  renewed_at_ = begun;
  promised_by_.clear();
  log(fmt::format("takes over under term {}", order.term));
  bool untouched = true;
  auto becoming = become_writable(order, deadline, untouched);
  auto done = co_await std::move(becoming);
  bool held = lease_.term == order.term && lease_.held(now());
  if (done && !held) done = fail(ErrorKind::refused, "the lease ended before it took writes");
  if (!done) {
    // Whatever state it is in, it must not be able to write. A standby that nobody asked to promote itself goes on as one;
    // what was seen of it before says nothing of one that was asked.
    if (untouched && role_ == Role::standby && seen_ && seen_->in_recovery) {
      drop(lease_);
      server_.set_fence(MonoTime::max());
    } else {
      bool gone = kill_server();
      drop(lease_);
      // An error here says that nothing takes writes; when that is not sure, no answer is given and the lease has to run out.
      if (!gone)
        done = fail(ErrorKind::unknown_outcome, "something of the server could not be killed: " + done.error().what);
    }
    reason_ = done.error().what;
    if (standby_can_start()) rim_.spawn("restart " + service_, restart_standby());
    co_return std::unexpected(std::move(done).error());
  }
  role_ = Role::primary;
  reason_.clear();
  auto looking = server_.look(after(member_times::kLookWithin));
  if (auto seen = co_await std::move(looking)) seen_ = std::move(*seen);
  rim_.spawn("furnish " + service_, furnish_primary());
  JsonObject out;
  out["timeline"] = seen_ ? seen_->timeline : 0;
  out["lsn"] = ScalarText<Lsn>::format(seen_ ? seen_->written : Lsn{});
  out["seconds"] = to_seconds(now() - begun);
  co_return Json(out);
}

template <class Rim>
auto MemberLogic<Rim>::become_writable(const wire::Lead& order, Deadline deadline, bool& untouched) -> Task<Result<>> {
  if (server_.running()) {
    if (role_ == Role::primary && seen_ && !seen_->in_recovery) {
      server_.set_fence(lease_.fence_at());
      co_return Result<>{};
    }
    if (order.at_least.value != 0 && !LIFEBOAT_BUG("promotes-before-it-caught-up")) {
      auto waiting = wait_received(order.at_least, at_most(deadline, Duration{5'000}));
      CO_TRY_VOID(co_await std::move(waiting));
    }
    untouched = false;
    if (!LIFEBOAT_BUG("promotes-without-fence")) server_.set_fence(lease_.fence_at());
    auto promoting =
        server_.promote(LIFEBOAT_BUG("timeline-number-reused") ? 1 : order.term, at_most(deadline, Duration{20'000}));
    co_return co_await std::move(promoting);
  }
  untouched = false;
  bool must_have = order.at_least.value != 0 && !LIFEBOAT_BUG("promotes-before-it-caught-up");
  bool made = false;
  if (!server_.has_data()) {
    if (!server_.config().first_primary) co_return fail(ErrorKind::refused, "it has no data to take writes on");
    auto creating = server_.create(deadline);
    CO_TRY_VOID(co_await std::move(creating));
    made = true;
  }
  // A primary that others were granted the right after begins a history of its own, so that of two histories it can always be
  // told which is the later.
  bool goes_on = order.goes_on || LIFEBOAT_BUG("old-timeline-goes-on");
  bool standby = server_.marked_standby() || (!made && !goes_on);
  if (!server_.marked_standby()) CO_TRY_VOID(server_.write_settings({}, standby));
  role_ = standby ? Role::standby : Role::primary;
  CO_TRY_VOID(start_server(LIFEBOAT_BUG("starts-without-fence") ? MonoTime::max() : lease_.fence_at()));
  auto waiting = server_.wait_until_answers(deadline);
  CO_TRY_VOID(co_await std::move(waiting));
  if (standby) {
    // It died on its way to the lead, perhaps before it had everything.
    if (must_have && !LIFEBOAT_BUG("restarted-one-need-not-catch-up")) {
      auto receiving = wait_received(order.at_least, at_most(deadline, Duration{5'000}));
      CO_TRY_VOID(co_await std::move(receiving));
    }
    auto promoting = server_.promote(order.term, at_most(deadline, Duration{20'000}));
    CO_TRY_VOID(co_await std::move(promoting));
  }
  if (!made) co_return Result<>{};
  auto furnishing = server_.furnish(deadline);
  co_return co_await std::move(furnishing);
}

template <class Rim>
auto MemberLogic<Rim>::wait_received(Lsn at_least, Deadline deadline) -> Task<Result<>> {
  while (true) {
    auto looking = server_.look(after(member_times::kLookWithin));
    auto seen = co_await std::move(looking);
    // The position is where the last record begins, so having it means being past it.
    if (seen && seen->written > at_least) co_return Result<>{};
    if (passed(deadline)) {
      co_return fail(ErrorKind::refused, fmt::format("it has received {} and needs more than {}",
                                                     seen ? ScalarText<Lsn>::format(seen->written) : "nothing known",
                                                     ScalarText<Lsn>::format(at_least)));
    }
    co_await sleep_for(Duration{5});
  }
}

template <class Rim>
auto MemberLogic<Rim>::furnish_primary() -> Task<> {
  // Promotion removes standby.signal by itself; the settings of a standby are taken out so that none is left for later.
  if (auto written = server_.write_settings({}, false); !written) log(written.error().text());
  auto keeping = server_.keep_slots(true, after(Duration{10'000}));
  auto kept = co_await std::move(keeping);
  if (!kept) log("the slots of the other members could not be made: " + kept.error().text());
  auto furnishing = server_.furnish(after(Duration{30'000}));
  auto furnished = co_await std::move(furnishing);
  if (!furnished) log(furnished.error().text());
}

// ---- follow

template <class Rim>
auto MemberLogic<Rim>::follow(wire::Follow order, Deadline deadline, Progress progress) -> Task<Result<Json>> {
  if (!doing_.empty()) co_return fail(ErrorKind::conflict, fmt::format("{} is busy: {}", order.member, doing_));
  if (order.term < lease_.floor)
    co_return fail(ErrorKind::refused,
                   fmt::format("term {} is older than {}, which it has seen", order.term, lease_.floor));
  if (lease_.term != 0)
    co_return fail(ErrorKind::refused, fmt::format("{} holds term {} itself", order.member, lease_.term));
  if (!server_.config().members.contains(order.upstream))
    co_return fail(ErrorKind::not_found, fmt::format("there is no member '{}'", order.upstream));
  MonoTime begun = now();
  // A standby that is only pointed elsewhere stays what it was: a candidate.
  Busy busy(*this, "follows " + order.upstream, !server_.running());
  lease_.floor = order.term;
  upstream_ = order.upstream;
  CO_TRY_VOID(remember(0));
  parked_ = false;
  auto attaching = attach(order, deadline, std::move(progress));
  auto how = co_await std::move(attaching);
  if (!how) {
    reason_ = how.error().text();
    // Data that are as they were make it what it was: a standby goes on, a stopped primary rests, both can be candidates.
    bool can_start = server_.running() || standby_can_start();
    parked_ = !can_start && (server_.spoiled() || !server_.has_data());
    if (can_start) rim_.spawn("restart " + service_, restart_standby());
    if (!can_start && !parked_) rim_.spawn("position " + service_, read_position());
    co_return std::unexpected(std::move(how).error());
  }
  role_ = Role::standby;
  reason_.clear();
  log(fmt::format("follows {}: {}", order.upstream, *how));
  auto keeping = server_.keep_slots(false, after(Duration{2'000}));
  if (auto kept = co_await std::move(keeping); !kept)
    log("slots of its time as primary are left: " + kept.error().text());
  co_return Json(JsonObject{{"how", *how}, {"seconds", to_seconds(now() - begun)}});
}

template <class Rim>
auto MemberLogic<Rim>::attach(const wire::Follow& order, Deadline deadline, Progress progress)
    -> Task<Result<std::string>> {
  const std::string& upstream = order.upstream;
  bool was_running = server_.running();
  // After a clean stop the standbys have everything, so there is nothing to rewind.
  bool may_start = server_.has_data() && !server_.spoiled() && (server_.marked_standby() || reason_ == "stepped down");
  if (was_running || may_start) {
    CO_TRY_VOID(server_.write_settings(upstream, true));
    role_ = Role::standby;
    if (was_running) {
      server_.reload();
    } else {
      CO_TRY_VOID(start_server(MonoTime::max()));
    }
    auto waiting = wait_streaming(upstream, after(member_times::kStreamSoon));
    auto streams = co_await std::move(waiting);
    if (streams) co_return std::string(was_running ? "reconfigured" : "started");
    if (lead_waits_) co_return fail(ErrorKind::cancelled, "it was ordered to lead");
    // A server that hangs says nothing about its history.
    if (server_.running() && member_times::is_silence(streams.error())) co_return std::unexpected(streams.error());
  }
  if (order.keep_data && server_.has_data() && !LIFEBOAT_BUG("rewinds-data-to-be-kept"))
    co_return fail(ErrorKind::refused,
                   fmt::format("it does not stream from {}, and its data may hold what nobody else has", upstream),
                   "a reprotect gives them up");
  auto replacing = replace_history(upstream, deadline, std::move(progress));
  co_return co_await std::move(replacing);
}

template <class Rim>
auto MemberLogic<Rim>::lead_wanted() -> Task<> {
  while (!lead_waits_) co_await sleep_for(Duration{5});
}

// The present history is given up for the upstream's.
template <class Rim>
auto MemberLogic<Rim>::replace_history(const std::string& upstream, Deadline deadline, Progress progress)
    -> Task<Result<std::string>> {
  uint64_t system_id = 0;
  if (server_.has_data()) {
    // Data whose control file cannot be read are nobody's cluster any more.
    auto reading = server_.control_data(at_most(deadline, Duration{5'000}));
    if (auto control = co_await std::move(reading)) system_id = control->system_id;
  }
  // Without its upstream nothing would be won by stopping a standby, and a candidate lost.
  auto preparing = server_.prepare_source(upstream, system_id, deadline);
  auto waiting = rim_.unless(std::move(preparing), lead_wanted());
  auto prepared = co_await std::move(waiting);
  if (!prepared) co_return fail(ErrorKind::cancelled, "it was ordered to lead");
  CO_TRY_VOID(std::move(*prepared));
  hides_state_ = true;
  if (server_.running()) {
    stopping_ = true;
    auto stopping = server_.stop(after(Duration{10'000}));
    if (auto stopped = co_await std::move(stopping); !stopped) log(stopped.error().text());
    while (server_.running()) co_await sleep_for(Duration{1});
  }
  std::string why_not = "there is no data directory";
  if (server_.spoiled()) {
    why_not = "an earlier rewind was cut off";
  } else if (server_.has_data()) {
    progress("rewinds to where the histories parted");
    auto rewinding = server_.rewind(upstream, at_most(deadline, Duration{600'000}));
    auto rewound = co_await std::move(rewinding);
    if (rewound) {
      auto starting = start_and_stream(upstream, Duration{15'000});
      rewound = co_await std::move(starting);
      if (rewound) co_return std::string("rewound");
    }
    why_not = rewound.error().text();
    log("it could not be rewound: " + why_not);
  }
  progress("takes a fresh copy");
  auto copying = server_.copy(upstream, deadline);
  auto copied = co_await std::move(copying);
  if (!copied) co_return std::unexpected(std::move(copied).error().with("not rewound (" + why_not + "), not copied"));
  auto starting = start_and_stream(upstream, Duration{60'000});
  auto streams = co_await std::move(starting);
  if (!streams) co_return std::unexpected(std::move(streams).error());
  co_return std::string("copied");
}

template <class Rim>
auto MemberLogic<Rim>::start_and_stream(const std::string& upstream, Duration patience) -> Task<Result<>> {
  CO_TRY_VOID(server_.write_settings(upstream, true));
  role_ = Role::standby;
  CO_TRY_VOID(start_server(MonoTime::max()));
  auto waiting = wait_streaming(upstream, after(patience));
  auto streams = co_await std::move(waiting);
  if (streams) co_return streams;
  stopping_ = true;
  auto stopping = server_.stop(after(Duration{10'000}));
  if (auto stopped = co_await std::move(stopping); !stopped) log(stopped.error().text());
  while (server_.running()) co_await sleep_for(Duration{1});
  co_return streams;
}

template <class Rim>
auto MemberLogic<Rim>::wait_streaming(const std::string& upstream, Deadline deadline) -> Task<Result<>> {
  const wire::Peer peer = *server_.config().members.find(upstream);
  std::string last = "it does not answer";
  ErrorKind kind = ErrorKind::refused;
  while (server_.running()) {
    auto looking = server_.look(after(member_times::kLookWithin));
    auto seen = co_await std::move(looking);
    bool there = seen && seen->streaming && seen->upstream_host == peer.address && seen->upstream_port == peer.port;
    if (there) {
      seen_ = std::move(*seen);
      co_return Result<>{};
    }
    last = seen ? "it is up but receives nothing" : seen.error().what;
    kind = seen || !server_.running() ? ErrorKind::refused : seen.error().kind;
    if (passed(deadline) || lead_waits_) break;
    co_await sleep_for(Duration{15});
  }
  co_return fail(
      kind, fmt::format("it does not stream from {}: {}", upstream, server_.running() ? last : "the server ended"));
}

// ---- step down

template <class Rim>
auto MemberLogic<Rim>::step_down(wire::StepDown order, Deadline deadline) -> Task<Result<Json>> {
  if (!doing_.empty()) co_return fail(ErrorKind::conflict, fmt::format("{} is busy: {}", order.member, doing_));
  if (order.term != lease_.term || lease_.term == 0)
    co_return fail(ErrorKind::refused, fmt::format("{} holds term {}, not {}", order.member, lease_.term, order.term));
  Busy busy(*this, "steps down", false);
  if (LIFEBOAT_BUG("term-back-before-stop")) release("stepped down", false);
  // What is flushed now need not be flushed while nobody can write.
  for (int round = 0; round < 2; ++round) {
    auto checkpointing = server_.checkpoint(deadline);
    CO_TRY_VOID(co_await std::move(checkpointing));
  }
  MonoTime begun = now();
  stopping_ = true;
  auto stopping = server_.stop(at_most(deadline, Duration{20'000}));
  auto stopped = co_await std::move(stopping);
  reason_ = stopped ? "stepped down" : "was killed while it stepped down";
  // Nothing of it is left either way, so the term goes back at once; the answer follows with the position.
  release(reason_, false);
  if (!stopped) co_return std::unexpected(std::move(stopped).error());
  auto reading = server_.control_data(after(Duration{5'000}));
  CO_TRY(ControlData control, co_await std::move(reading));
  at_rest_ = control;
  if (!control.clean) co_return fail(ErrorKind::refused, "the server did not stop cleanly");
  co_return Json(JsonObject{{"lsn", ScalarText<Lsn>::format(control.checkpoint)},
                            {"timeline", control.timeline},
                            {"seconds", to_seconds(now() - begun)}});
}

template <class Rim>
auto MemberLogic<Rim>::shut_down(Deadline deadline) -> Task<> {
  ended_ = true;
  stopping_ = true;
  bool held = lease_.term != 0;
  auto stopping = server_.stop(deadline);
  if (auto stopped = co_await std::move(stopping); !stopped) log(stopped.error().text());
  if (held) release("the agent stops", false);
}

}  // namespace lifeboat
