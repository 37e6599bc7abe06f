// What a controller orders: lead, follow, step down. Part of member_impl.hpp.
#pragma once

namespace lifeboat {

template <class Rim>
auto MemberLogic<Rim>::wait_for_way() -> Task<> {
  newer_waits_ = true;
  // Its data are nobody's to work on before the last process is gone.
  for (Deadline patience = after(member_times::kLeavesWithin); doing_ == kLeaves && !passed(patience);)
    co_await sleep_for(Duration{3});
  for (Deadline patience = after(member_times::kGiveWay); !doing_.empty() && !hides_state_ && !passed(patience);)
    co_await sleep_for(Duration{3});
  newer_waits_ = false;
}

// ---- lead

template <class Rim>
auto MemberLogic<Rim>::lead(wire::Lead order, Deadline deadline, Progress) -> Task<Result<Json>> {
  // A standby that only waits for its upstream gives way: whoever orders this knows that the upstream is gone.
  auto clearing = wait_for_way();
  co_await std::move(clearing);
  if (now() < began_ + member_times::kOthersAnswer) co_await rim_.sleep_until(began_ + member_times::kOthersAnswer);
  MonoTime begun = now();
  Lease next = lease_;
  next.length = Duration{server_.config().lease_ms};
  if (auto may = may_lead(order, next); !may) co_return no_to(order, std::move(may).error());
  Busy busy(*this, "takes over", true);
  // Durable before anything is done under it.
  uint64_t floor_before = lease_.floor;
  lease_.floor = next.floor;
  if (auto kept = remember(order.term); !kept) {
    lease_.floor = floor_before;
    co_return no_to(order, std::move(kept).error().with("the term could not be kept"));
  }
  lease_ = next;
  renewed_at_ = begun;
  neighbours_.clear();
  alone_ = false;
  server_.sync_with(order.sync);
  sync_number_ = order.sync.number;
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
  if (put_back_) no_longer_put_back(order.term);
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
Result<> MemberLogic<Rim>::may_lead(const wire::Lead& order, Lease& next) const {
  // An order that came before under this term decides what becomes of it.
  if (order.term == lease_.term && lease_.term != 0)
    return fail(ErrorKind::refused, fmt::format("term {} is being led or was taken already", order.term));
  if (!doing_.empty()) return fail(ErrorKind::conflict, fmt::format("{} is busy: {}", order.member, doing_));
  if (now() < promised_until_ && !LIFEBOAT_BUG("promise-not-kept"))
    return fail(ErrorKind::refused, fmt::format("{} promised the primary not to take over", order.member),
                "the primary goes on without a controller; stop it first");
  if (std::string other = who_holds_a_newer_term(order.after); !other.empty())
    return fail(ErrorKind::refused, fmt::format("{}, and whoever ordered this knows only of {}", other, order.after),
                "other controllers are at work; see who was given the database");
  if (server_.spoiled())
    return fail(ErrorKind::refused,
                fmt::format("{} cannot take writes: a rewind of its data was cut off", order.member));
  // Chosen for what it had then.
  MonoTime judged{std::chrono::nanoseconds(order.as_of_ns)};
  if (put_back_ && judged < put_back_at_)
    return fail(ErrorKind::refused,
                fmt::format("the data of {} were put back to an older moment since that was decided", order.member));
  if (order.term <= refused_term_)
    return fail(ErrorKind::refused, fmt::format("{} answered no to term {}", order.member, refused_term_));
  if (!take_grant(next, order.term, judged, now()))
    return fail(ErrorKind::refused,
                fmt::format("term {} is not newer than {} or came too late", order.term, lease_.floor));
  return {};
}

template <class Rim>
std::unexpected<Error> MemberLogic<Rim>::no_to(const wire::Lead& order, Error error) {
  // A "no" would be taken for the end of a term that is still held here.
  if (lease_.term != 0 && !LIFEBOAT_BUG("second-order-answered-no")) {
    error.kind = ErrorKind::unknown_outcome;
  } else {
    // Whoever hears it gives the right to somebody else: no copy of the order that comes later is followed. Nothing came of
    // this term, so it does not count as one that was seen.
    refused_term_ = std::max(refused_term_, order.term);
  }
  return std::unexpected(std::move(error));
}

template <class Rim>
auto MemberLogic<Rim>::become_writable(const wire::Lead& order, Deadline deadline, bool& untouched) -> Task<Result<>> {
  if (server_.running()) {
    if (role_ == Role::primary && seen_ && !seen_->in_recovery) {
      server_.set_fence(lease_.fence_at());
      CO_TRY_VOID(server_.write_settings({}, false));
      server_.reload();
      co_return Result<>{};
    }
    // Before its first commit, and so before anything is asked of it that a client could come after.
    if (order.sync.copies > 0) {
      CO_TRY_VOID(server_.write_settings(upstream_, true));
      server_.reload();
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
  uint64_t mine = ++furnishing_, term = lease_.term;
  auto goes_on = [&] { return mine == furnishing_ && lease_.term == term && role_ == Role::primary && !ended_; };
  std::string trouble;
  for (bool first = true;; first = false) {
    auto keeping = server_.keep_slots(true, after(Duration{10'000}));
    auto kept = co_await std::move(keeping);
    std::string now_said = kept ? std::string() : kept.error().text();
    if (!kept && trouble != now_said)
      log("the slots of the other members could not all be made, which is tried again: " + now_said);
    if (kept && !trouble.empty()) log("the slots of the other members are made");
    trouble = std::move(now_said);
    if (first) {
      auto furnishing = server_.furnish(after(Duration{30'000}));
      auto furnished = co_await std::move(furnishing);
      if (!furnished) log(furnished.error().text());
    }
    if (kept) co_return;
    // Without its slot no standby can follow, and each of them would be copied anew in vain.
    co_await sleep_for(member_times::kSlotsAgain);
    if (!goes_on() || !server_.running()) co_return;
  }
}

// ---- follow

template <class Rim>
auto MemberLogic<Rim>::follow(wire::Follow order, Deadline deadline, Progress progress) -> Task<Result<Json>> {
  if (!doing_.empty() && order.term > following_term_) {
    auto clearing = wait_for_way();
    co_await std::move(clearing);
  }
  if (!doing_.empty()) co_return fail(ErrorKind::conflict, fmt::format("{} is busy: {}", order.member, doing_));
  if (order.term < lease_.floor)
    co_return fail(ErrorKind::refused,
                   fmt::format("term {} is older than {}, which it has seen", order.term, lease_.floor));
  if (lease_.term != 0)
    co_return fail(ErrorKind::refused, fmt::format("{} holds term {} itself", order.member, lease_.term));
  if (put_back_ && !restored_.empty() && !order.given_up)
    co_return fail(ErrorKind::refused, fmt::format("its data were put back by restore {}", restored_),
                   "a reprotect gives them up");
  if (!server_.config().members.contains(order.upstream))
    co_return fail(ErrorKind::not_found, fmt::format("there is no member '{}'", order.upstream));
  MonoTime begun = now();
  // A standby that is only pointed elsewhere stays what it was: a candidate.
  Busy busy(*this, "follows " + order.upstream, !server_.running());
  lease_.floor = order.term;
  following_term_ = order.term;
  upstream_ = order.upstream;
  restored_.clear();
  CO_TRY_VOID(remember(0));
  server_.forget_restored_name();
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
  server_.sync_with(server_.config().sync);
  // After a clean stop the standbys have everything, so there is nothing to rewind.
  bool may_start = server_.has_data() && !server_.spoiled() && (server_.marked_standby() || reason_ == "stepped down");
  bool damaged = false;
  if (order.pages && server_.has_data() && !server_.spoiled()) {
    auto reading = find_damage(deadline, progress);
    CO_TRY(damaged, co_await std::move(reading));
  }
  if (!damaged && (was_running || may_start)) {
    CO_TRY_VOID(server_.write_settings(upstream, true));
    role_ = Role::standby;
    if (was_running) {
      server_.reload();
    } else {
      CO_TRY_VOID(start_server(MonoTime::max()));
    }
    auto waiting = wait_streaming(order, member_times::kStreamSoon, deadline);
    auto streams = co_await std::move(waiting);
    if (streams) co_return std::string(was_running ? "reconfigured" : "started");
    if (newer_waits_) co_return fail(ErrorKind::cancelled, "a newer order came");
    // A server that hangs says nothing about its history.
    if (server_.running() && member_times::is_silence(streams.error())) co_return std::unexpected(streams.error());
  }
  auto asking = may_replace(order, deadline);
  CO_TRY_VOID(co_await std::move(asking));
  auto replacing = replace_history(order, damaged, deadline, std::move(progress));
  co_return co_await std::move(replacing);
}

// A rewind does not look at what it need not change, so damage in the files would stay.
template <class Rim>
auto MemberLogic<Rim>::find_damage(Deadline deadline, Progress progress) -> Task<Result<bool>> {
  progress("reads every page of its data");
  auto reading = server_.read_pages(deadline);
  auto waiting = rim_.unless(std::move(reading), newer_wanted());
  auto read = co_await std::move(waiting);
  if (!read) co_return fail(ErrorKind::cancelled, "a newer order came");
  CO_TRY_VOID(std::move(*read));
  bool damaged = !server_.damage().empty();
  if (damaged) log("its data are damaged and are copied anew: " + server_.damage());
  co_return damaged;
}

// Unasked, only data are given up that end before the upstream's timeline begins. Whoever ordered this may not have heard yet
// what was written here since.
template <class Rim>
auto MemberLogic<Rim>::may_replace(const wire::Follow& order, Deadline deadline) -> Task<Result<>> {
  if (!server_.has_data() || order.given_up) co_return Result<>{};
  const char* give_up = "a reprotect gives them up";
  if (order.keep_data && !LIFEBOAT_BUG("rewinds-data-to-be-kept"))
    co_return fail(
        ErrorKind::refused,
        fmt::format("it does not stream from {}, and its data may hold what nobody else has", order.upstream), give_up);
  if (!server_.marked_standby() && reason_ != "stepped down")
    co_return fail(ErrorKind::refused,
                   fmt::format("it was a primary, and its data may hold what {} has not", order.upstream), give_up);
  if (server_.spoiled()) co_return Result<>{};
  // What was heard of it may be older than what it has; only the server itself can tell.
  if (!server_.running() && !LIFEBOAT_BUG("rewinds-what-nobody-looked-at"))
    co_return fail(ErrorKind::refused,
                   fmt::format("its server does not run, and its data may hold what {} has not", order.upstream),
                   give_up);
  if (!server_.running()) co_return Result<>{};
  auto looking = server_.look(at_most(deadline, member_times::kLookWithin));
  auto seen = co_await std::move(looking);
  if (!seen) co_return Result<>{};
  bool same = seen->timeline == order.timeline;
  bool behind = seen->timeline == order.parted_from && seen->written <= order.parted_at;
  if (same || behind || LIFEBOAT_BUG("rewinds-data-to-be-kept")) co_return Result<>{};
  co_return fail(ErrorKind::refused,
                 fmt::format("it has {} of timeline {}, which {} may lack", ScalarText<Lsn>::format(seen->written),
                             seen->timeline, order.upstream),
                 give_up);
}

template <class Rim>
auto MemberLogic<Rim>::newer_wanted() -> Task<> {
  while (!newer_waits_) co_await sleep_for(Duration{5});
}

// What is given up unasked was judged by the history that the upstream had then. It may have been put back since, or lead another.
template <class Rim>
Result<> MemberLogic<Rim>::as_judged(const wire::Follow& order) const {
  bool gives_up_nothing = order.given_up || !server_.has_data() || server_.spoiled();
  if (gives_up_nothing || server_.source_timeline() == order.timeline || LIFEBOAT_BUG("rewinds-to-another-history"))
    return {};
  return fail(ErrorKind::refused, fmt::format("{} is on timeline {} by now, and this was ordered for timeline {}",
                                              order.upstream, server_.source_timeline(), order.timeline));
}

template <class Rim>
auto MemberLogic<Rim>::judge_again(const wire::Follow& order, uint64_t system_id, Deadline deadline) -> Task<Result<>> {
  if (!server_.has_data() || server_.spoiled() || order.given_up) co_return Result<>{};
  auto looking = server_.prepare_source(order.upstream, system_id, deadline);
  CO_TRY_VOID(co_await std::move(looking));
  co_return as_judged(order);
}

// The present history is given up for the upstream's.
template <class Rim>
auto MemberLogic<Rim>::replace_history(const wire::Follow& order, bool damaged, Deadline deadline, Progress progress)
    -> Task<Result<std::string>> {
  const std::string& upstream = order.upstream;
  uint64_t system_id = 0;
  if (server_.has_data()) {
    // Data whose control file cannot be read are nobody's cluster any more.
    auto reading = server_.control_data(at_most(deadline, Duration{5'000}));
    if (auto control = co_await std::move(reading)) system_id = control->system_id;
  }
  // Without its upstream nothing would be won by stopping a standby, and a candidate lost.
  auto preparing = server_.prepare_source(upstream, system_id, deadline);
  auto waiting = rim_.unless(std::move(preparing), newer_wanted());
  auto prepared = co_await std::move(waiting);
  if (!prepared) co_return fail(ErrorKind::cancelled, "a newer order came");
  CO_TRY_VOID(std::move(*prepared));
  CO_TRY_VOID(as_judged(order));
  hides_state_ = true;
  if (server_.running()) {
    stopping_ = true;
    auto stopping = server_.stop(after(Duration{10'000}));
    if (auto stopped = co_await std::move(stopping); !stopped) log(stopped.error().text());
    while (server_.running()) co_await sleep_for(Duration{1});
    // That took a while, in which the upstream may have taken on another history.
    auto judging = judge_again(order, system_id, deadline);
    CO_TRY_VOID(co_await std::move(judging));
  }
  std::string why_not = "there is no data directory";
  if (server_.spoiled()) {
    why_not = "an earlier rewind was cut off";
  } else if (damaged) {
    why_not = server_.damage();
  } else if (server_.has_data()) {
    progress("rewinds to where the histories parted");
    auto rewinding = server_.rewind(upstream, at_most(deadline, Duration{600'000}));
    auto rewound = co_await std::move(rewinding);
    if (rewound) {
      auto starting = start_and_stream(order, Duration{15'000}, deadline);
      rewound = co_await std::move(starting);
      if (rewound) co_return std::string("rewound");
    }
    why_not = rewound.error().text();
    log("it could not be rewound: " + why_not);
  }
  // The rewind may have failed because the upstream stopped to take on another history.
  auto judging = judge_again(order, system_id, deadline);
  CO_TRY_VOID(co_await std::move(judging));
  progress("takes a fresh copy");
  auto copying = server_.copy(upstream, deadline);
  auto copied = co_await std::move(copying);
  if (!copied) co_return std::unexpected(std::move(copied).error().with("not rewound (" + why_not + "), not copied"));
  auto starting = start_and_stream(order, Duration{60'000}, deadline);
  auto streams = co_await std::move(starting);
  if (!streams) co_return std::unexpected(std::move(streams).error());
  co_return std::string("copied");
}

template <class Rim>
auto MemberLogic<Rim>::start_and_stream(const wire::Follow& order, Duration patience, Deadline most) -> Task<Result<>> {
  CO_TRY_VOID(server_.write_settings(order.upstream, true));
  role_ = Role::standby;
  CO_TRY_VOID(start_server(MonoTime::max()));
  auto waiting = wait_streaming(order, patience, most);
  auto streams = co_await std::move(waiting);
  if (streams) co_return streams;
  stopping_ = true;
  auto stopping = server_.stop(after(Duration{10'000}));
  if (auto stopped = co_await std::move(stopping); !stopped) log(stopped.error().text());
  while (server_.running()) co_await sleep_for(Duration{1});
  co_return streams;
}

// A server that is told on its upstream's older timeline that there is no more connects again and again, and looks for moments
// as if it received something, or all the time; so does one that is on a timeline of its own. It has arrived when it is on the
// upstream's timeline; one that stays connected and gets on has much to fetch before that.
template <class Rim>
auto MemberLogic<Rim>::wait_streaming(const wire::Follow& order, Duration patience, Deadline most) -> Task<Result<>> {
  const wire::Peer peer = *server_.config().members.find(order.upstream);
  std::string last = "it does not answer";
  ErrorKind kind = ErrorKind::refused;
  std::optional<MonoTime> connected_since;
  Lsn had{};
  Deadline deadline = at_most(most, patience);
  Deadline started_by = at_most(most, member_times::kStartsWithin);
  while (server_.running()) {
    auto looking = server_.look(after(member_times::kLookWithin));
    auto seen = co_await std::move(looking);
    bool connected = seen && seen->streaming && seen->upstream_host == peer.address && seen->upstream_port == peer.port;
    // One beyond the upstream's timeline has parted from it, unless that has been promoted since: then it gets on.
    bool arrived = connected && (order.timeline == 0 || seen->timeline == order.timeline ||
                                 LIFEBOAT_BUG("parted-standby-is-attached"));
    // While it replays what it has it cannot receive; the patience is for what comes after. It may also lack what it needs to
    // answer at all.
    bool starting = !seen && !member_times::is_silence(seen.error()) && !passed(started_by);
    if (starting) deadline = at_most(most, patience);
    if (!connected) connected_since.reset();
    if (connected && !connected_since) {
      connected_since = now();
      had = seen->written;
    }
    bool gets_on = connected && now() - *connected_since >= member_times::kSteady && seen->written > had;
    if (arrived || gets_on) {
      seen_ = std::move(*seen);
      co_return Result<>{};
    }
    last = !seen ? seen.error().what
           : seen->timeline != order.timeline
               ? fmt::format("on timeline {} nothing more comes, and it does not get to {}", seen->timeline,
                             order.timeline)
               : "it is up but receives nothing";
    kind = seen || !server_.running() ? ErrorKind::refused : seen.error().kind;
    if (passed(deadline) || newer_waits_) break;
    co_await sleep_for(Duration{15});
  }
  co_return fail(kind, fmt::format("it does not stream from {}: {}", order.upstream,
                                   server_.running() ? last : "the server ended"));
}

// ---- step down

template <class Rim>
auto MemberLogic<Rim>::step_down(wire::StepDown order, Deadline deadline) -> Task<Result<Json>> {
  // The same order once more: a "no" would be taken for one that goes on writing.
  if (doing_ == kStepsDown || doing_ == kLeaves)
    co_return fail(ErrorKind::unknown_outcome, fmt::format("{} is stepping down already", order.member));
  auto ending = end_lead(std::move(order), deadline);
  auto ended = co_await std::move(ending);
  // What is left serves the standbys the end of the log, and goes.
  bool is_leaving = server_.running() && stopping_ && lease_.term == 0 && doing_.empty();
  if (is_leaving) rim_.spawn("end " + service_, leave());
  co_return ended;
}

template <class Rim>
auto MemberLogic<Rim>::end_lead(wire::StepDown order, Deadline deadline) -> Task<Result<Json>> {
  if (!doing_.empty()) co_return fail(ErrorKind::conflict, fmt::format("{} is busy: {}", order.member, doing_));
  if (order.term != lease_.term || lease_.term == 0)
    co_return fail(ErrorKind::refused, fmt::format("{} holds term {}, not {}", order.member, lease_.term, order.term));
  Busy busy(*this, kStepsDown, false);
  if (LIFEBOAT_BUG("term-back-before-stop")) release("stepped down", false);
  // What is done now need not be done while nobody can write.
  auto making_ready = server_.ready_to_stop(deadline);
  CO_TRY_VOID(co_await std::move(making_ready));
  if (lease_.term != order.term) co_return fail(ErrorKind::refused, "its lease ended before it stopped");
  MonoTime begun = now();
  stopping_ = true;
  auto stopping = server_.end_writes(at_most(deadline, Duration{20'000}));
  auto stopped = co_await std::move(stopping);
  // It was killed at the end of its lease, and may have more than its standbys.
  if (lease_.term != order.term) co_return fail(ErrorKind::refused, "its lease ended before it had stopped");
  reason_ = stopped ? "stepped down" : "was killed while it stepped down";
  if (!stopped && stopped.error().kind == ErrorKind::unknown_outcome) {
    drop(lease_);
    co_return std::unexpected(std::move(stopped).error());
  }
  // Nothing of it can write either way, so the term goes back at once; the answer follows with the position.
  release(reason_, false);
  if (!stopped) co_return std::unexpected(std::move(stopped).error());
  auto reading = server_.control_data(after(Duration{5'000}));
  CO_TRY(ControlData control, co_await std::move(reading));
  at_rest_ = control;
  seen_.reset();
  if (!control.clean) co_return fail(ErrorKind::refused, "the server did not stop cleanly");
  co_return Json(JsonObject{{"lsn", ScalarText<Lsn>::format(control.checkpoint)},
                            {"timeline", control.timeline},
                            {"seconds", to_seconds(now() - begun)}});
}

template <class Rim>
auto MemberLogic<Rim>::leave() -> Task<> {
  Busy busy(*this, kLeaves, true);
  auto stopping = server_.stop(after(member_times::kLeavesWithin));
  auto waiting = rim_.unless(std::move(stopping), newer_wanted());
  auto stopped = co_await std::move(waiting);
  // Its log is on disk, and whoever lacks the end of it gets that from whoever leads next.
  if (!stopped) kill_server();
  if (stopped && !*stopped) log(stopped->error().text());
  while (server_.running()) co_await sleep_for(Duration{1});
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
