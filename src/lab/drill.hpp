// A drill: a lab, a fault, a scenario that Lifeboat runs by itself, and the way back, judged by witnesses who stand where users
// stand. Nothing here helps the recovery along: the drill only breaks, heals, answers questions as the plan's people would,
// and writes down what it saw.
#pragma once

#include <optional>
#include <string>

#include "lab/lab.hpp"

namespace lifeboat::lab {

struct DrillOptions {
  std::string scenario;
  std::string plan_file;
  Plan plan;
  std::string fault;
  std::string target;   // region, host or member; what the scenario is about, or who may write, when left out
  std::string profile;  // "compressed" when left out and the plan has it
  std::string report;   // JSON file; Markdown and HTML stand beside it. Empty: not written
  bool keep = false;    // leave the lab running
  // Kill the controller before and after the effect of every step, of the failback too; it is started anew each time.
  bool kill_controller = false;
  // "STEP:before" or "STEP:after" its effect: there the leading controller dies, and with it everything in its region that the fault
  // left. Empty: nowhere.
  std::string lose_leader_at;
  // After the fault: when it is healed, whether Lifeboat is done or not. Left out: when it is done.
  std::optional<Duration> heal_after;
  // How often the fault comes, each time when all is well again after the one before.
  int in_a_row = 1;
};

struct DrillOutcome {
  Json report;          // the keys of the report file
  bool passed = false;  // objectives met and the data whole
  std::string note;     // why a run stood still, if one did
};

// Takes as long as the scenario, its waits and the failback. The lab is gone when it returns, unless it is kept.
Result<DrillOutcome> run_drill(const DrillOptions& options, const LabProgress& progress);

// What a fault hits when nobody says: the region that the scenario is about. Empty for faults of a database's hosts and servers:
// who may write.
Result<std::string> default_target(const Plan& plan, const Scenario& scenario, const std::string& fault);

}  // namespace lifeboat::lab
