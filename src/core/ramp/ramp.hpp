// A canary ramp: traffic moves to a new place in steps, while users are well there, and back to 0 % when not.
// Pure: (state, sample, now) → decision. Who samples and who sets weights is the caller's business.
//
// Invariants, tested by simulation:
//   L11  the share never rises while a breach stands, nor before a stage has been well for a whole interval;
//   R1   it ends at 100 or at 0, and then never moves again;
//   R2   it falls only to 0: a place that is not well gets no users at all;
//   R3   no verdict without evidence: a stage needs `min_requests` answers before its error rate says anything. A stage
//        that gets no verdict for `patience` is taken back.
//   R4   what users saw before the ramp says nothing of it: figures that reach back there neither take it back nor let it rise.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"

namespace lifeboat {

struct RampRules {
  double start = 10;  // percent of the first stage
  double step = 25;   // percent added at each further stage; above 0
  Duration interval{1'800'000};
  std::optional<double> max_error_rate;  // share, 0 to 1; more is a breach
  std::optional<double> max_p95_ms;      // more is a breach
  uint64_t min_requests = 10;
  Duration window{30'000};  // errors are counted over this, or longer until there are `min_requests`
  Duration confirm{2'000};  // a breach that stands this long takes the ramp back; a shorter one only stops the rise
  Duration patience{0};     // the longest stage; 0: ten intervals, at least ten minutes
};

// What was seen since the sample before.
struct RampSample {
  uint64_t requests = 0;                  // answered by the new place, or failed there
  uint64_t errors = 0;                    // of these
  bool nothing_up = false;                // no server of the new place takes traffic
  std::optional<double> p95_ms;           // of the new place as the load balancer sees it
  std::optional<double> user_error_rate;  // as users see it, 0 to 1
  std::optional<double> user_p95_ms;
  std::optional<MonoTime>
      users_from;  // when the first of the journeys began that these figures count; empty: not known
};

enum class RampPhase { ramping, completed, rolled_back };

struct RampState {
  RampPhase phase = RampPhase::ramping;
  double share = 0;        // percent
  MonoTime begun{};        // the whole ramp
  MonoTime stage_since{};  // when the share was set
  MonoTime well_since{};   // since then no breach
  std::optional<MonoTime> breach_since;
  uint64_t judged = 0;  // requests seen in this stage
  struct Counted {
    MonoTime at;
    uint64_t requests = 0;
    uint64_t errors = 0;
  };
  std::deque<Counted> recent;
};

enum class RampVerdict { hold, advance, complete, roll_back };

struct RampDecision {
  RampState state;
  RampVerdict verdict = RampVerdict::hold;
  std::string reason;  // for people, with the measured values
};

// The beginning: the first stage, or, after a restart, the share that is in force now (above 0). A share that is in
// force must be well for a whole interval again: what was seen before the restart is not known.
RampState begin_ramp(const RampRules& rules, double present_share, MonoTime now);

// One sample later.
RampDecision step_ramp(const RampRules& rules, RampState state, RampSample sample, MonoTime now);

// The stages still to come, the present one first: 10, 35, 60, 85, 100.
std::vector<double> ramp_stages(const RampRules& rules, double from);

}  // namespace lifeboat
