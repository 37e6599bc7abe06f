// Everything that a drill saw, before anything is computed from it. Times are CLOCK_BOOTTIME in nanoseconds; 0 means that
// it was not seen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/data/json.hpp"
#include "core/model/plan.hpp"

namespace lifeboat::lab {

struct DrillTrace {
  std::string scenario;
  std::string fault;
  std::string target;
  std::string profile;
  int64_t calm_since_ns = 0;  // witnesses at work
  int64_t fault_ns = 0;
  int64_t run_ended_ns = 0;
  int64_t healed_ns = 0;
  int64_t failback_ns = 0;  // when the failback was asked for
  int64_t failback_ended_ns = 0;
  int64_t reprotected_ns =
      0;              // a standby streamed from a server that had become primary after the fault, or goes on to
  JsonArray events;   // the controller's journal from the fault on
  Json chain;         // GET /api/journal/verify at the end
  Json run;           // GET /api/runs/ID at its end
  Json failback_run;  // null when the scenario has none
  std::string run_id;
  std::string failback_id;
  std::string needs_a_hand;                   // why a run stood still; empty when none did
  std::string samples;                        // the users' witness: its JSON lines
  std::string crash_points;                   // the file of points at which the controller was to die; empty: nowhere
  std::map<std::string, std::string> direct;  // by SERVICE/MEMBER: JSON lines of the witness at that server
};

}  // namespace lifeboat::lab
