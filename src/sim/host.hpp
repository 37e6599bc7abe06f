// One host: its disk, its PostgreSQL, the guard of that, and the faults these can have. The server is a model: timelines,
// positions, streaming, commits that wait for a standby, slow starts and stops. It is not told what is safe.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/member/server.hpp"
#include "core/ownership/messages.hpp"
#include "sim/kernel.hpp"
#include "sim/task.hpp"
#include "sim/wal.hpp"

namespace lifeboat::sim {

class World;

// What outlives every process.
struct Disk {
  bool present = false;
  bool standby = false;  // standby.signal
  bool spoiled = false;
  bool clean = false;
  uint64_t checkpoint = 0;
  WalPlace where;
  uint64_t consistent_at = 0;  // after a rewind it answers only from here on
  uint32_t known_timeline = 1;
  std::string restored;  // the restore that the data come from, as they say themselves
  int upstream = -1;     // in its settings
  SyncSet sync;          // there too
  std::optional<MemberRecord> record;
  bool full = false;
  Nanos slow = 0;  // what each flush takes longer
};

enum class Phase { down, starting, recovery, primary, stopping };

// A paused one and one that stands still never end recovery; a delayed one does when it is told to.
enum class Replay { goes_on, paused, stands_still, delayed };

class Host {
 public:
  Host(World& world, int index);

  int index;
  ProcessId agent_process, guard_process, server_process;
  Clock clock;
  Disk disk;

  // ---- the server's processes
  Phase phase = Phase::down;
  int upstream = -1;  // in force
  SyncSet sync;       // by which waiting commits are let go on
  Replay replay = Replay::goes_on;
  uint64_t replay_stands_at = 0;  // while it stands still
  int lie = -1;                   // what its agent says that is not so; -1: nothing
  bool deaf = false;
  bool connected = false;                  // its receiver
  Nanos turned_away = -1'000'000'000'000;  // when it last looked as if it streamed, and did not
  bool asks_in_a_loop = false;             // and then it looks so all the time
  Nanos last_message = 0;
  std::map<int, uint64_t> flushed_by;  // what standbys have confirmed
  uint64_t term = 0;                   // under which it takes writes
  bool last_took_writes = false;       // for the checker
  Nanos thawed = 0;                    // until then its guard may not have looked since it was frozen

  bool up() const { return phase != Phase::down; }
  bool stuck() const;
  bool takes_writes() const { return phase == Phase::primary; }
  uint64_t replayed() const {
    return replay == Replay::stands_still ? std::min(disk.where.lsn, replay_stands_at) : disk.where.lsn;
  }
  bool can_acknowledge() const { return takes_writes() && !stuck(); }
  bool answers() const;

  void start_server();
  void server_died();
  void crash();          // the power goes
  void end_processes();  // SIGKILL to all of it
  void promote_now(uint64_t timeline);
  void begin_write(uint32_t id);
  void become_primary(uint64_t timeline);  // 0: it goes on in its own

  // ---- its guard
  struct Guarding {
    bool there = false;
    bool agent_here = false;
    int64_t fence = kNoFence;
    uint64_t life = 0;
    int64_t renewed_to = 0;  // the fence time that follows from the newest renewal that came in time
  } guard;
  std::function<void(ServerEnd, int)> on_end;  // the agent's; empty when it is gone
  void set_fence(int64_t at);
  void guard_looks();
  void guard_ends(ServerEnd how);
  void kill_guard();
  void agent_gone();

  // ---- replication
  void receiver_tick();
  void push_to_standbys();
  bool can_stream_from(const Host& source) const;
  void received(int from, const WalPlace& at, uint64_t connection);
  void confirmed(int standby, uint64_t lsn);

 private:
  World& world_;
  uint64_t connection_ = 0;
  uint64_t starts_ = 0;        // of its server
  uint64_t connected_to_ = 0;  // the start of its upstream's server at the other end of the connection
  struct Waiting {
    uint32_t id;
    WalPlace at;
    Nanos begun;
  };
  std::vector<Waiting> waiting_;

  void report_end(ServerEnd how, Nanos after);
  void acknowledge_what_is_safe();
};

// What core/member sees of it: PostgresServer's calls.
class Server {
 public:
  struct Deadline {
    MonoTime at;
  };
  using OnEnd = std::function<void(ServerEnd, int)>;

  Server(World& world, Host& host, wire::ServerConfig config);
  ~Server() { host_.on_end = nullptr; }

  const wire::ServerConfig& config() const { return config_; }
  void reconfigure(wire::ServerConfig config) { config_ = std::move(config); }
  void sync_with(SyncSet set) { sync_ = std::move(set); }
  bool has_data() const { return host_.disk.present; }
  bool marked_standby() const { return host_.disk.standby; }
  bool spoiled() const { return host_.disk.spoiled; }
  bool running() const { return attached_; }
  Result<> clear_up();
  Result<> make_folders() const;
  Task<Result<>> create(Deadline deadline);
  Task<Result<>> furnish(Deadline deadline);
  Result<> write_settings(const std::string& upstream, bool standby);
  Result<> start(MonoTime fence, OnEnd on_end);
  void set_fence(MonoTime at);
  void reload();
  Task<Result<>> wait_until_answers(Deadline deadline);
  Task<Result<>> knock(Deadline deadline);
  bool end_stranger() { return false; }                  // nobody starts a server by hand here
  int64_t work() const { return 0; }                     // what is stuck here does nothing
  CancelledWaits cancelled_waits() const { return {}; }  // no wait is cut short here
  Task<Result<ServerLook>> look(Deadline deadline);
  Task<Result<>> ready_to_stop(Deadline deadline);
  Task<Result<>> promote(uint64_t timeline, Deadline deadline);
  Task<Result<>> keep_slots(bool primary, Deadline deadline);
  Task<Result<>> end_writes(Deadline deadline);
  Task<Result<>> stop(Deadline deadline);
  bool kill_now();
  void forget_process() { attached_ = false; }
  Task<Result<ControlData>> control_data(Deadline deadline);
  Task<Result<>> prepare_source(const std::string& source, uint64_t system_id, Deadline deadline);
  uint64_t source_timeline() const { return source_timeline_; }
  Task<Result<>> read_pages(Deadline deadline);
  const std::string& damage() const { return damage_; }
  Task<Result<>> rewind(const std::string& source, Deadline deadline);
  Task<Result<>> copy(const std::string& source, Deadline deadline);
  std::string restored_name() const { return host_.disk.restored; }
  void forget_restored_name() { host_.disk.restored.clear(); }
  std::string kept_aside() const { return "kept"; }
  Task<Result<>> prepare_put_back(const std::string& name, Deadline deadline);
  Task<Result<>> put_in_place(const std::string& name, Deadline deadline);

 private:
  World& world_;
  uint64_t source_timeline_ = 0;  // of the source that was prepared last
  Host& host_;
  wire::ServerConfig config_;
  std::optional<SyncSet> sync_;
  std::string damage_;
  bool attached_ = false;

  Nanos truth(const Deadline& deadline) const { return host_.clock.truth_of(deadline.at); }
  Sleep sleep(Nanos span) const;
  Sleep until(Nanos when) const;
  Task<Result<>> answer_or_silence(Deadline deadline);
  bool reaches_primary(int source) const;
};

}  // namespace lifeboat::sim
