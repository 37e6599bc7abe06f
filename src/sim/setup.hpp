// What one history is: how many of what, how the world behaves, and which faults come when. All of it follows from the seed;
// the faults are a list, so that a failing history can be tried again with fewer of them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/ownership/state.hpp"
#include "sim/kernel.hpp"

namespace lifeboat::sim {

enum class Profile {
  safety,    // any fault at any time; what must never be is judged, and that all is well again after the faults
  liveness,  // after the faults only a core is healthy, and what befell the others stays: the core must serve
  noise,     // jitter, short stalls, lossy links, one liar: nothing may be moved
};

enum class FaultKind {
  kill_server,
  hang_server,
  kill_agent,
  stop_agent,
  kill_guard,
  stop_guard,
  freeze_node,
  crash_node,
  cut_both,     // a and b
  cut_one_way,  // a to b
  isolate,      // a from everybody
  isolate_region,
  isolate_controller,
  swizzle,  // the links of some are cut one by one and come back in another order
  slow_network,
  crash_controller,
  lose_controllers,  // all of them
  pause_controller,
  slow_disk,
  full_disk,
  hold_up_replay,
  deaf_standby,  // connected, and receives nothing
  crash_at,      // a's agent dies at its n-th effect from now on
  crash_controller_at,
  store_away,
  store_unsure,  // answers get lost, whether or not it was done
  step_clock,    // the time of day of controller b's machine is set, by n milliseconds
  revoke_lead,  // the leader, heard by the primary alone, loses the store, and the store ends its lease before the time
  restore_store,  // what it held when this began is put back when it ends
  ask_switchover,
  ask_failover,
  ask_reprotect,
  ask_restore,  // to an older place of a's own history; n: see kToLately
  open_run,     // of a plan that moves the database to a
  meddle,       // a person pauses the run, stops it or one of its steps
  lie,          // a standby's agent says what is not so
};
std::string_view name_of(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kill_server;
  Nanos at = 0;
  Nanos length = 0;
  int a = 0;
  int b = 0;
  int n = 0;  // how many, which, or whether, by kind; of a slow network: whether the delay is no longer than `length`
};
std::string in_words(const Fault& fault);

struct Setup {
  uint64_t seed = 0;
  Profile profile = Profile::safety;
  int members = 3;
  int regions = 2;
  int controllers = 1;
  Duration lease{2'000};
  AutomaticFailover automatic = AutomaticFailover::any;
  int automatic_at_most = 5;
  Duration loss_allowed{900'000};
  int sync = 0;          // how many standbys a commit waits for
  int sync_region = -1;  // in which region, if in one
  bool fresh = false;    // nothing exists yet
  int excluded = -1;     // a member that the plan does not let be promoted
  bool loose = false;    // messages may be lost, doubled and overtake each other
  double loss = 0;
  double drift = 0;  // how far clocks are off at most
  Nanos write_every = 80_ms;
  Nanos storm = 15_s;     // faults begin before this
  std::vector<int> core;  // places that are healthy after the faults; empty: all
  std::vector<Fault> faults;

  int places() const { return members + controllers; }
  bool in_core(int place) const { return core.empty() || std::ranges::find(core, place) != core.end(); }
  int region_of(int place) const { return place % regions; }
};

// As the `n` of ask_restore: to a moment just before now.
inline constexpr int kToLately = 8;

// By then it has started.
inline constexpr Nanos kNoiseBegins = 20_s;

Setup setup_from(uint64_t seed, Profile profile);

struct Violation {
  std::string rule;  // "S1"
  std::string text;
};

struct Outcome {
  uint64_t seed = 0;
  uint64_t hash = 0;
  Nanos simulated = 0;
  uint64_t events = 0;
  int promotions = 0;
  uint64_t acknowledged = 0;
  uint64_t lost = 0;        // acknowledged and set aside by a failover, async
  uint64_t after_thaw = 0;  // acknowledged between a thaw and the guard's first look
  std::vector<Violation> violations;
  std::vector<std::string> story;
};

Outcome play(const Setup& setup, bool tell);

}  // namespace lifeboat::sim
