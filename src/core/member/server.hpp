// What a member's deciding logic knows of the server it runs and of the process that guards it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/base/mutants.hpp"
#include "core/base/time.hpp"
#include "core/data/ordered_map.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat {

// What the server says of itself.
struct ServerLook {
  bool in_recovery = false;
  uint64_t system_id = 0;
  uint64_t timeline = 0;
  Lsn written;
  Lsn replayed;
  bool streaming = false;
  std::string upstream_host;
  int upstream_port = 0;
  bool replay_paused = false;
  bool waits_for_log = false;  // replay has nothing to go on with, also when a record is here in part
  std::string replay_delay;    // by how much replay is held back on purpose, as the setting says; empty: not at all
  int64_t lag_ms = -1;
  int64_t current_ms = -1;  // since its upstream last said how far it is, when all of that is here; -1: it is not
  bool replaying = false;   // a standby that has more on its disk than `written` says
  bool disk_full = false;   // no room is left for its files
  std::string sync;         // whom commits wait for, as the server's setting says
  OrderedMap<Lsn> standbys;
  std::vector<std::string> handicaps;  // what would hinder a rewind or a failover, in words
};

// What its data directory says while it is stopped.
struct ControlData {
  bool clean = false;  // "shut down" or "shut down in recovery"
  Lsn checkpoint;
  uint64_t timeline = 0;
  uint64_t system_id = 0;
};

enum class ServerEnd {
  died,    // the server ended by itself or by a stranger's signal
  fenced,  // the guard killed it at its fence time
  lost,    // the guard itself is gone, and the server with it
};

// What a member keeps on disk, written before anything is done under it.
struct MemberRecord {
  uint64_t floor = 0;  // highest term ever seen
  uint64_t leads = 0;  // term it was about to take writes under; 0: none
  std::string upstream;
  bool promised = false;  // it may have promised a primary not to take over
  std::string restored;   // the restore whose data it took over and has not given up since
  bool put_back = false;  // and so it may lack what it once had
};

inline constexpr int64_t kNoFence = std::numeric_limits<int64_t>::max();

// What a guard does at each of its looks. It needs no memory of its own, so an agent that is killed, stopped or starved
// changes nothing but `agent_here`.
enum class GuardDuty { go_on, end_died, end_fenced };
inline GuardDuty guard_duty(bool server_ended, bool told_to_kill, bool agent_here, int64_t fence_at_ns, MonoTime now) {
  if (server_ended) return GuardDuty::end_died;
  bool fence_passed = now.time_since_epoch().count() >= fence_at_ns;
  if (LIFEBOAT_BUG("guard-ignores-fence")) fence_passed = false;
  if (LIFEBOAT_BUG("guard-needs-its-agent")) fence_passed = fence_passed && agent_here;
  if (fence_passed) return GuardDuty::end_fenced;
  if (told_to_kill) return GuardDuty::end_died;
  // A server that takes no writes has nobody left to look after it; one that does goes on until its right ends.
  if (!agent_here && fence_at_ns == kNoFence) return GuardDuty::end_died;
  return GuardDuty::go_on;
}

}  // namespace lifeboat
