#include "sim/host.hpp"

#include <fmt/format.h>

#include "sim/world.hpp"

namespace lifeboat::sim {

namespace {

constexpr uint64_t kRecord = 100;
constexpr Nanos kGuardLooks = 20_ms;
constexpr Nanos kReceiverTimeout = 5_s;
constexpr Nanos kTurnedAwayLooks = 40_ms;
constexpr Nanos kTurnedAwayInALoopLooks = 1_s;
constexpr uint64_t kSystem = 7'000'000'001;

}  // namespace

Host::Host(World& world, int number) : index(number), world_(world) {
  std::string name = world.member_name(number);
  agent_process = world.kernel.add_process("agent " + name);
  guard_process = world.kernel.add_process("guard " + name);
  server_process = world.kernel.add_process("server " + name);
}

bool Host::stuck() const { return world_.kernel.paused(server_process); }

bool Host::answers() const {
  if (phase == Phase::primary) return true;
  return phase == Phase::recovery && disk.where.lsn >= disk.consistent_at;
}

// ---- the server

void Host::start_server() {
  world_.kernel.kill(server_process);
  world_.kernel.start(server_process);
  phase = Phase::starting;
  ++starts_;
  asks_in_a_loop = world_.random.chance(0.5);
  upstream = disk.upstream;
  sync = disk.sync;
  connected = false;
  flushed_by.clear();
  disk.clean = false;
  bool long_recovery = world_.random.chance(0.05);
  Nanos takes = long_recovery ? world_.random.between(1'000, 8'000) * 1_ms : world_.random.between(40, 300) * 1_ms;
  world_.kernel.after(server_process, takes + disk.slow, [this] {
    if (!disk.standby) return become_primary(0);
    phase = Phase::recovery;
    last_message = 0;
    world_.kernel.after(server_process, 1_ms, [this] { receiver_tick(); });
  });
}

void Host::become_primary(uint64_t timeline) {
  bool promoted = timeline != 0;
  phase = Phase::primary;
  connected = false;
  flushed_by.clear();
  term = disk.record ? disk.record->leads : 0;
  if (promoted) {
    disk.standby = false;
    disk.known_timeline = std::max(disk.known_timeline, world_.wal.timeline(disk.where)) + 1;
    disk.known_timeline = std::max(disk.known_timeline, static_cast<uint32_t>(timeline));
    if (world_.wal.is_taken(disk.known_timeline)) world_.number_reused(*this, disk.known_timeline);
    disk.where.branch = world_.wal.grow(disk.where, disk.known_timeline);
  }
  bool parted = false;
  disk.checkpoint = disk.where.lsn;
  disk.where = world_.wal.append(disk.where, kRecord, parted);
  world_.writable_began(*this, promoted);
  push_to_standbys();
}

void Host::promote_now(uint64_t timeline) {
  if (phase != Phase::recovery) return;
  bool slow = world_.random.chance(0.03);
  Nanos takes = slow ? world_.random.between(500, 6'000) * 1_ms : world_.random.between(30, 150) * 1_ms;
  world_.kernel.after(server_process, takes + disk.slow, [this, timeline] {
    if (phase == Phase::recovery) become_primary(timeline);
  });
}

void Host::end_processes() {
  bool wrote = takes_writes();
  world_.kernel.kill(server_process);
  phase = Phase::down;
  connected = false;
  ++connection_;
  waiting_.clear();
  if (wrote) world_.writable_changed();
}

void Host::begin_write(uint32_t id) {
  if (!can_acknowledge()) return;
  if (disk.full) {
    if (world_.random.chance(0.3)) server_died();
    return;
  }
  Nanos flush = world_.random.between(200, 2'000) * 1'000 + disk.slow;
  world_.kernel.after(server_process, flush, [this, id] {
    if (!takes_writes()) return;
    bool parted = false;
    disk.where = world_.wal.append(disk.where, kRecord, parted);
    if (parted) world_.violated("S11", fmt::format("{} goes on writing where another server did", index));
    waiting_.push_back({id, disk.where, world_.kernel.now()});
    acknowledge_what_is_safe();
    push_to_standbys();
  });
}

void Host::acknowledge_what_is_safe() {
  while (!waiting_.empty() && can_acknowledge()) {
    const Waiting& first = waiting_.front();
    int64_t have = 0;
    for (const std::string& standby : sync.members) {
      auto flushed = flushed_by.find(world_.member_index(standby));
      have += flushed != flushed_by.end() && flushed->second >= first.at.lsn;
    }
    if (have < sync.copies) return;
    Waiting safe = first;
    waiting_.erase(waiting_.begin());
    world_.acknowledged(*this, safe.id, safe.at);
  }
}

void Host::server_died() {
  end_processes();
  if (guard.there)
    world_.kernel.after(guard_process, 1_ms, [this, life = guard.life] {
      if (guard.there && guard.life == life) guard_ends(ServerEnd::died);
    });
}

void Host::crash() {
  guard.there = false;
  ++guard.life;
  for (ProcessId process : {agent_process, guard_process, server_process}) world_.kernel.resume(process);
  end_processes();
}

// ---- the guard

void Host::set_fence(int64_t at) {
  guard.fence = at;
  if (at == kNoFence) return;
  // It looks every 20 ms; only the look that matters is made here.
  Nanos when = clock.truth_of(MonoTime{std::chrono::nanoseconds(at)}) + world_.random.between(0, kGuardLooks);
  world_.kernel.at(guard_process, when, [this, life = guard.life] {
    if (guard.there && guard.life == life) guard_looks();
  });
}

void Host::guard_looks() {
  switch (guard_duty(!up(), false, guard.agent_here, guard.fence, clock.read(world_.kernel.now()))) {
    case GuardDuty::end_died: return guard_ends(ServerEnd::died);
    case GuardDuty::end_fenced: return guard_ends(ServerEnd::fenced);
    case GuardDuty::go_on: return;
  }
}

void Host::guard_ends(ServerEnd how) {
  if (how == ServerEnd::fenced) world_.fenced(*this);
  if (world_.kernel.tells())
    world_.tell(fmt::format("guard m{}: the server {}", index, how == ServerEnd::fenced ? "is fenced" : "died"));
  end_processes();
  guard.there = false;
  ++guard.life;
  // Killed processes take their time to be gone.
  bool slow = world_.random.chance(0.02);
  report_end(how, slow ? world_.random.between(100, 2'500) * 1_ms : world_.random.between(1, 20) * 1_ms);
}

void Host::report_end(ServerEnd how, Nanos after) {
  world_.kernel.after(agent_process, after, [this, how, life = guard.life] {
    if (guard.life != life) return;
    if (auto tell = std::exchange(on_end, nullptr)) tell(how, 0);
  });
}

// The kernel kills the server with its guard; the agent finds the silence.
void Host::kill_guard() {
  if (!guard.there) return;
  guard.there = false;
  ++guard.life;
  end_processes();
  report_end(ServerEnd::lost, world_.random.between(1, 30) * 1_ms);
}

void Host::agent_gone() {
  on_end = nullptr;
  if (!guard.there) return;
  world_.kernel.after(guard_process, world_.random.between(0, kGuardLooks), [this, life = guard.life] {
    if (!guard.there || guard.life != life) return;
    guard.agent_here = false;
    guard_looks();
  });
}

// ---- replication

bool Host::can_stream_from(const Host& source) const {
  bool serves = source.phase == Phase::primary || (source.phase == Phase::recovery && source.answers()) ||
                source.phase == Phase::stopping;
  return serves && !source.stuck() && world_.network.open_both(index, source.index);
}

void Host::receiver_tick() {
  if (phase != Phase::recovery) return;
  Nanos again = world_.random.between(80, 120) * 1_ms;
  world_.kernel.after(server_process, again, [this] { receiver_tick(); });
  if (connected && world_.kernel.now() - last_message > kReceiverTimeout) connected = false;
  // One that cannot write what it receives ends.
  if (disk.full) connected = false;
  if (upstream < 0 || upstream == index || deaf || disk.full) return;
  Host& source = *world_.hosts[static_cast<size_t>(upstream)];
  if (!can_stream_from(source)) {
    // A server that is gone says so by the end of the connection; a cut says nothing.
    if (!source.up() && world_.network.open_both(index, upstream)) connected = false;
    return;
  }
  // It has been started anew, and this one did not see it go.
  if (connected_to_ != source.starts_) connected = false;
  WalTree& wal = world_.wal;
  uint32_t ours = wal.timeline(disk.where), theirs = wal.timeline(source.disk.where);
  disk.known_timeline = std::max({disk.known_timeline, theirs, ours});
  if (!wal.holds(source.disk.where, disk.where)) {
    connected = false;
    // It connects, is told that there is no more on its timeline, and connects again: for moments it looks as if it streamed, or
    // all the time.
    if (asks_in_a_loop || world_.random.chance(0.3)) turned_away = world_.kernel.now();
    // It goes by the numbers of timelines: two histories under one number are taken for one.
    if (ours == theirs && disk.where.branch != source.disk.where.branch && disk.where.lsn <= source.disk.where.lsn)
      world_.histories_mixed(*this, source, "streams from");
    return;
  }
  if (!connected) ++connection_;
  connected = true;
  connected_to_ = source.starts_;
  last_message = world_.kernel.now();
  confirmed(upstream, 0);
  source.confirmed(index, disk.where.lsn);
  if (source.disk.where.lsn > disk.where.lsn) received(upstream, source.disk.where, connection_);
}

void Host::push_to_standbys() {
  for (auto& standby : world_.hosts) {
    if (standby->index == index || standby->upstream != index || !standby->connected || standby->deaf) continue;
    if (!standby->can_stream_from(*this)) continue;
    Host* to = standby.get();
    Nanos takes = world_.network.delay(index, to->index) + to->disk.slow + world_.random.between(100, 1'000) * 1'000;
    world_.kernel.after(to->server_process, takes,
                        [to, from = index, at = disk.where, link = to->connection_] { to->received(from, at, link); });
  }
}

// What was sent is of the history that the sender had then, which it may have left since.
void Host::received(int from, const WalPlace& at, uint64_t connection) {
  if (phase != Phase::recovery || !connected || connection != connection_ || upstream != from || deaf) return;
  Host& source = *world_.hosts[static_cast<size_t>(from)];
  if (!world_.network.open(from, index) || disk.full) return;
  if (!world_.wal.holds(at, disk.where)) return;
  disk.where = at;
  last_message = world_.kernel.now();
  // Nobody is there any more to hear of it.
  if (!world_.network.open(index, from) || connected_to_ != source.starts_) return;
  Nanos takes = world_.network.delay(index, from);
  world_.kernel.after(source.server_process, takes,
                      [&source, standby = index, lsn = at.lsn] { source.confirmed(standby, lsn); });
  // What follows it in turn.
  push_to_standbys();
}

void Host::confirmed(int standby, uint64_t lsn) {
  if (lsn == 0 || (phase != Phase::primary && phase != Phase::stopping)) return;
  uint64_t& known = flushed_by[standby];
  known = std::max(known, lsn);
  acknowledge_what_is_safe();
}

// ---- what core/member sees

Server::Server(World& world, Host& host, wire::ServerConfig config)
    : world_(world), host_(host), config_(std::move(config)) {}

Sleep Server::sleep(Nanos span) const { return until(world_.kernel.now() + span); }
Sleep Server::until(Nanos when) const { return Sleep(world_.kernel, host_.agent_process, when); }

Result<> Server::make_folders() const { return {}; }

Result<> Server::clear_up() {
  if (!host_.up() && !host_.guard.there) return {};
  bool slow = world_.random.chance(0.03);
  world_.kernel.pause(host_.agent_process, world_.kernel.now() + (slow ? 1_s : 5_ms));
  host_.end_processes();
  host_.guard.there = false;
  ++host_.guard.life;
  return {};
}

Task<Result<>> Server::create(Deadline) {
  co_await sleep(world_.random.between(500, 2'000) * 1_ms);
  if (host_.disk.full) co_return fail(ErrorKind::refused, "initdb: no space");
  host_.disk.present = true;
  host_.disk.standby = false;
  host_.disk.where = {0, WalTree::kBegin};
  host_.disk.checkpoint = WalTree::kBegin;
  co_return Result<>{};
}

Task<Result<>> Server::furnish(Deadline) {
  co_await sleep(5_ms);
  co_return Result<>{};
}

Result<> Server::write_settings(const std::string& upstream, bool standby) {
  if (host_.disk.full) return fail(ErrorKind::refused, "the settings cannot be written: no space");
  world_.agent_effect(host_.index, "writes settings");
  host_.disk.upstream = upstream.empty() ? -1 : world_.member_index(upstream);
  host_.disk.standby = standby;
  host_.disk.sync = sync_.value_or(config_.sync);
  return {};
}

Result<> Server::start(MonoTime fence, OnEnd on_end) {
  if (auto cleared = clear_up(); !cleared) return cleared;
  world_.agent_effect(host_.index, "starts the server");
  if (!host_.disk.present) return fail(ErrorKind::refused, "there is no data directory");
  world_.started(host_);
  world_.kernel.kill(host_.guard_process);
  world_.kernel.start(host_.guard_process);
  host_.on_end = std::move(on_end);
  ++host_.guard.life;
  host_.guard.there = true;
  host_.guard.agent_here = true;
  host_.guard.renewed_to = 0;
  attached_ = true;
  host_.start_server();
  host_.set_fence(fence.time_since_epoch().count());
  return {};
}

void Server::set_fence(MonoTime at) {
  if (!attached_ || !host_.guard.there) return;
  host_.set_fence(at.time_since_epoch().count());
}

void Server::reload() {
  // Its processes read new settings one by one, each what is in the file by then.
  if (host_.up() && host_.sync != host_.disk.sync) {
    Nanos takes = world_.random.between(1, 300) * 1_ms;
    world_.kernel.after(host_.server_process, takes, [host = &host_] { host->sync = host->disk.sync; });
  }
  if (!host_.up() || host_.upstream == host_.disk.upstream) return;
  host_.upstream = host_.disk.upstream;
  host_.connected = false;
}

Task<Result<>> Server::answer_or_silence(Deadline deadline) {
  if (!attached_ || !host_.up()) co_return fail(ErrorKind::unreachable, "the server is not there");
  if (host_.stuck()) {
    Nanos end = truth(deadline);
    for (Nanos step = 400_ms; host_.stuck() && world_.kernel.now() < end;)
      co_await until(std::min(end, world_.kernel.now() + step));
    if (host_.stuck()) co_return fail(ErrorKind::unknown_outcome, "no answer");
  }
  if (!attached_ || !host_.up()) co_return fail(ErrorKind::unreachable, "the server is not there");
  if (!host_.answers()) co_return fail(ErrorKind::refused, "the database system is starting up");
  co_return Result<>{};
}

Task<Result<>> Server::wait_until_answers(Deadline deadline) {
  while (running()) {
    auto pinging = answer_or_silence({std::min(deadline.at, host_.clock.read(world_.kernel.now() + 500_ms))});
    auto alive = co_await std::move(pinging);
    if (alive) co_return Result<>{};
    if (world_.kernel.now() >= truth(deadline))
      co_return fail(ErrorKind::timed_out, "the server did not answer in time");
    co_await sleep(10_ms);
  }
  co_return fail(ErrorKind::refused, "the server ended while it started");
}

Task<Result<>> Server::knock(Deadline deadline) { return answer_or_silence(deadline); }

Task<Result<>> Server::ready_to_stop(Deadline deadline) {
  for (int round = 0; round < 2; ++round) {
    auto asking = answer_or_silence(deadline);
    CO_TRY_VOID(co_await std::move(asking));
    co_await sleep(world_.random.between(5, 60) * 1_ms + host_.disk.slow);
  }
  co_return Result<>{};
}

Task<Result<ServerLook>> Server::look(Deadline deadline) {
  auto asking = answer_or_silence(deadline);
  auto there = co_await std::move(asking);
  if (!there) co_return std::unexpected(std::move(there).error());
  ServerLook seen;
  seen.in_recovery = host_.phase == Phase::recovery;
  seen.system_id = kSystem;
  seen.timeline = world_.wal.timeline(host_.disk.where);
  seen.written = seen.replayed = Lsn{host_.disk.where.lsn};
  if (seen.in_recovery && host_.replay == Replay::stands_still) seen.replayed = Lsn{host_.replayed()};
  seen.streaming = host_.connected && seen.in_recovery && world_.kernel.now() - host_.last_message < kReceiverTimeout;
  Nanos looks_for = host_.asks_in_a_loop ? kTurnedAwayInALoopLooks : kTurnedAwayLooks;
  bool is_turned_away = seen.in_recovery && world_.kernel.now() - host_.turned_away < looks_for;
  seen.streaming = seen.streaming || is_turned_away;
  if (seen.streaming) {
    seen.upstream_host = world_.member_name(host_.upstream);
    seen.upstream_port = 5432;
  }
  // As long as messages come, they say how far the other side is.
  if (seen.streaming && !is_turned_away) seen.current_ms = (world_.kernel.now() - host_.last_message) / 1_ms;
  seen.replay_paused = host_.replay == Replay::paused;
  if (seen.in_recovery && host_.replay == Replay::delayed) seen.replay_delay = "1h";
  seen.sync = sync_setting(host_.disk.sync);
  seen.disk_full = host_.disk.full;
  seen.lag_ms = 0;
  if (!seen.in_recovery) {
    for (const auto& [standby, lsn] : host_.flushed_by) {
      if (lsn != 0) seen.standbys.add(world_.member_name(standby), Lsn{lsn});
    }
  }
  co_return seen;
}

Task<Result<>> Server::promote(uint64_t timeline, Deadline deadline) {
  world_.agent_effect(host_.index, "promotes");
  auto asking = answer_or_silence(deadline);
  CO_TRY_VOID(co_await std::move(asking));
  while (true) {
    // Nothing ends recovery while its replay is held up.
    bool held_up = host_.replay == Replay::paused || host_.replayed() < host_.disk.where.lsn;
    if (host_.phase == Phase::recovery && !held_up) host_.promote_now(timeline);
    auto looking = answer_or_silence(deadline);
    auto there = co_await std::move(looking);
    if (there && host_.phase == Phase::primary) co_return Result<>{};
    if (!running() || world_.kernel.now() >= truth(deadline))
      co_return fail(ErrorKind::unknown_outcome, "the promotion was asked for and did not end in time");
    co_await sleep(10_ms);
  }
}

Task<Result<>> Server::keep_slots(bool, Deadline deadline) { return answer_or_silence(deadline); }

// A fast shutdown: no more writes, then one last record.
Task<Result<>> Server::end_writes(Deadline deadline) {
  if (!running()) co_return Result<>{};
  world_.agent_effect(host_.index, "stops the server");
  Kernel& kernel = world_.kernel;
  Nanos end = truth(deadline);
  while (host_.stuck() && kernel.now() < end) co_await sleep(10_ms);
  if (host_.phase == Phase::primary) {
    host_.phase = Phase::stopping;
    world_.writable_changed();
    co_await sleep(world_.random.chance(0.05) ? world_.random.between(1'000, 9'000) * 1_ms : 10_ms);
  }
  bool can_end = host_.phase == Phase::stopping && !host_.disk.full && !host_.stuck() && kernel.now() < end;
  if (can_end) {
    bool parted = false;
    host_.disk.checkpoint = host_.disk.where.lsn;
    host_.disk.where = world_.wal.append(host_.disk.where, kRecord, parted);
    host_.disk.clean = true;
    host_.push_to_standbys();
    co_return Result<>{};
  }
  while (running() && kernel.now() < end) co_await sleep(3_ms);
  if (!running()) co_return Result<>{};
  if (!kill_now()) co_return fail(ErrorKind::unknown_outcome, "the server did not stop, and could not be killed");
  co_return fail(ErrorKind::timed_out, "the server did not stop in time and was killed");
}

// Standbys that are connected get everything.
Task<Result<>> Server::stop(Deadline deadline) {
  if (!running()) co_return Result<>{};
  Kernel& kernel = world_.kernel;
  Nanos end = truth(deadline);
  if (host_.phase == Phase::primary) {
    auto ending = end_writes(deadline);
    CO_TRY_VOID(co_await std::move(ending));
  } else {
    world_.agent_effect(host_.index, "waits for the server's end");
  }
  if (host_.phase == Phase::stopping) {
    auto all_have_it = [&] {
      for (const auto& standby : world_.hosts) {
        bool follows = standby->index != host_.index && standby->upstream == host_.index && standby->connected;
        if (follows && standby->disk.where.lsn < host_.disk.where.lsn && standby->can_stream_from(host_)) return false;
      }
      return true;
    };
    while (host_.phase == Phase::stopping && !all_have_it() && kernel.now() < end) co_await sleep(5_ms);
    if (host_.phase == Phase::stopping && !host_.stuck() && kernel.now() < end) host_.end_processes();
  } else if (!host_.stuck()) {
    co_await sleep(20_ms);
    if (host_.up() && host_.phase != Phase::primary) host_.end_processes();
  }
  if (!host_.up() && host_.guard.there)
    kernel.after(host_.guard_process, 1_ms, [host = &host_, life = host_.guard.life] {
      if (host->guard.there && host->guard.life == life) host->guard_ends(ServerEnd::died);
    });
  while (running() && kernel.now() < end) co_await sleep(3_ms);
  if (!running()) co_return Result<>{};
  kill_now();
  co_return fail(ErrorKind::timed_out, "the server did not stop in time and was killed");
}

bool Server::kill_now() {
  if (!attached_) return true;
  world_.agent_effect(host_.index, "kills the server");
  host_.end_processes();
  host_.guard.there = false;
  ++host_.guard.life;
  bool slow = world_.random.chance(0.02);
  Nanos takes = slow ? world_.random.between(100, 3'000) * 1_ms : world_.random.between(1, 15) * 1_ms;
  world_.kernel.pause(host_.agent_process, world_.kernel.now() + std::min(takes, 2_s));
  if (auto tell = std::exchange(host_.on_end, nullptr)) tell(ServerEnd::died, 0);
  return takes < 2_s;
}

Task<Result<ControlData>> Server::control_data(Deadline) {
  co_await sleep(world_.random.between(5, 30) * 1_ms);
  if (!host_.disk.present) co_return fail(ErrorKind::refused, "pg_controldata: no data");
  ControlData out;
  out.clean = host_.disk.clean;
  out.checkpoint = Lsn{host_.disk.checkpoint};
  out.timeline = world_.wal.timeline(host_.disk.where);
  out.system_id = kSystem;
  co_return out;
}

bool Server::reaches_primary(int source) const {
  if (source < 0) return false;
  const Host& it = *world_.hosts[static_cast<size_t>(source)];
  return it.can_acknowledge() && world_.network.open_both(host_.index, source);
}

Task<Result<>> Server::prepare_source(const std::string& source, uint64_t, Deadline) {
  int index = world_.member_index(source);
  co_await sleep(world_.network.delay(host_.index, index) * 3);
  if (!reaches_primary(index)) {
    co_await sleep(world_.hosts[static_cast<size_t>(index)]->up() ? 1_s : 10_ms);
    co_return fail(ErrorKind::unreachable, source + " cannot be reached or takes no writes");
  }
  co_await sleep(world_.random.between(10, 80) * 1_ms);
  source_timeline_ = world_.wal.timeline(world_.hosts[static_cast<size_t>(index)]->disk.where);
  co_return Result<>{};
}

Task<Result<>> Server::read_pages(Deadline) {
  co_await sleep(world_.random.between(10, 800) * 1_ms + host_.disk.slow);
  damage_ = world_.random.chance(0.3) ? "a page is damaged" : "";
  co_return Result<>{};
}

Task<Result<>> Server::rewind(const std::string& source, Deadline) {
  int index = world_.member_index(source);
  Host& from = *world_.hosts[static_cast<size_t>(index)];
  if (host_.disk.full) co_return fail(ErrorKind::refused, "no space");
  if (auto cleared = clear_up(); !cleared) co_return cleared;
  uint32_t source_timeline = world_.wal.timeline(from.disk.where);
  if (world_.wal.timeline(host_.disk.where) != source_timeline && !host_.disk.spoiled)
    world_.replaces(host_, from.disk.where, "rewound");
  host_.disk.spoiled = true;
  world_.agent_effect(host_.index, "begins to rewind");
  co_await sleep(world_.random.between(100, 1'500) * 1_ms);
  bool is_there = reaches_primary(index) && world_.wal.timeline(from.disk.where) == source_timeline;
  if (!is_there) co_return fail(ErrorKind::refused, "pg_rewind: the source is gone; rewinding from");
  if (world_.random.chance(0.05)) {
    host_.disk.spoiled = false;
    co_return fail(ErrorKind::refused, "pg_rewind: a segment of WAL is missing");
  }
  WalTree& wal = world_.wal;
  bool same_number = wal.timeline(host_.disk.where) == wal.timeline(from.disk.where);
  bool same_history = wal.holds(from.disk.where, host_.disk.where);
  // pg_rewind goes by the numbers and does nothing; the agent takes that for a no.
  if (same_number && host_.disk.where.branch != from.disk.where.branch) {
    host_.disk.spoiled = false;
    co_return fail(ErrorKind::refused, "both are on a timeline of the same number");
  }
  if (!same_number || !same_history) {
    world_.replaces(host_, from.disk.where, "rewound");
    host_.disk.where = wal.common(host_.disk.where, from.disk.where);
    host_.disk.consistent_at = from.disk.where.lsn;
  }
  host_.disk.known_timeline = std::max(host_.disk.known_timeline, from.disk.known_timeline);
  world_.agent_effect(host_.index, "has rewound");
  if (auto written = write_settings(source, true); !written) co_return written;
  host_.disk.spoiled = false;
  co_return Result<>{};
}

Task<Result<>> Server::copy(const std::string& source, Deadline) {
  int index = world_.member_index(source);
  Host& from = *world_.hosts[static_cast<size_t>(index)];
  if (auto cleared = clear_up(); !cleared) co_return cleared;
  for (int part = 0; part < 4; ++part) {
    co_await sleep(world_.random.between(50, 600) * 1_ms);
    if (!reaches_primary(index)) co_return fail(ErrorKind::refused, "pg_basebackup: the source is gone");
    if (host_.disk.full) co_return fail(ErrorKind::refused, "pg_basebackup: no space");
  }
  world_.agent_effect(host_.index, "puts the copy in place");
  // What a rewind that was cut off left is good for nothing: it was given up when that began.
  if (host_.disk.present && !host_.disk.spoiled) world_.replaces(host_, from.disk.where, "copied anew");
  host_.disk.present = true;
  host_.disk.standby = true;
  host_.disk.clean = false;
  host_.disk.where = from.disk.where;
  host_.disk.checkpoint = from.disk.checkpoint;
  host_.disk.consistent_at = 0;
  host_.disk.known_timeline = from.disk.known_timeline;
  world_.agent_effect(host_.index, "has copied");
  if (auto written = write_settings(source, true); !written) co_return written;
  host_.disk.spoiled = false;
  co_return Result<>{};
}

Task<Result<>> Server::prepare_put_back(const std::string& name, Deadline) {
  co_await sleep(world_.random.between(10, 200) * 1_ms);
  if (host_.disk.full) co_return fail(ErrorKind::refused, "no space");
  if (!world_.restored.contains(name)) co_return fail(ErrorKind::not_found, "there is no restore " + name);
  co_return Result<>{};
}

Task<Result<>> Server::put_in_place(const std::string& name, Deadline) {
  if (auto cleared = clear_up(); !cleared) co_return cleared;
  world_.agent_effect(host_.index, "is about to put restored data in place");
  co_await sleep(world_.random.between(5, 60) * 1_ms + host_.disk.slow);
  WalPlace place = world_.restored.at(name);
  host_.disk.present = host_.disk.standby = true;
  host_.disk.spoiled = host_.disk.clean = false;
  host_.disk.where = place;
  host_.disk.checkpoint = place.lsn;
  host_.disk.consistent_at = 0;
  host_.disk.known_timeline = world_.wal.timeline(place);
  host_.disk.upstream = -1;
  host_.disk.restored = name;
  world_.agent_effect(host_.index, "has put restored data in place");
  co_return Result<>{};
}

}  // namespace lifeboat::sim
