// Everything that a drill saw, before anything is computed from it. Times are CLOCK_BOOTTIME in nanoseconds; 0 means that
// it was not seen.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/json.hpp"
#include "core/model/plan.hpp"
#include "lab/backup_attack.hpp"

namespace lifeboat::lab {

// The file of a witness at a server: JSON lines of acknowledgements.
struct DirectFile {
  std::string service;
  std::string member;
  std::string writer;  // "inside": in the network of the server's host; "outside": where users are
  std::string file;
};

// A fault that came before the last one, and until when it and its recovery went on.
struct EarlierRound {
  std::string target;
  int64_t fault_ns = 0;
  int64_t until_ns = 0;
};

struct DrillTrace {
  std::string scenario;
  std::string fault;
  std::string target;
  Json detail;         // of a fault of the data: which transaction did it
  Json damaged_pages;  // of each member, at the end of such a drill: {SERVICE: {MEMBER: {pages, damaged_pages}}}
  std::optional<BackupAttack> backups;  // of a fault that goes for them too
  Json evidence;                        // the data that were set aside, looked at in the end; null when none were
  std::string profile;
  int64_t calm_since_ns = 0;  // witnesses at work
  int64_t fault_ns = 0;
  int64_t in_force_ns = 0;  // a cut is some commands of the firewall; all of them were done
  int64_t run_ended_ns = 0;
  int64_t healed_ns = 0;
  int64_t control_asked_ns = 0;  // when all controllers that the fault had ended were started again
  int64_t control_back_ns = 0;   // one of them led and saw all databases
  int64_t failback_ns = 0;       // when the failback was asked for
  int64_t failback_ended_ns = 0;
  int64_t reprotected_ns =
      0;              // a standby streamed from a server that had become primary after the fault, or goes on to
  JsonArray events;   // the controller's journal from the fault on
  Json chain;         // GET /api/journal/verify at the end
  Json run;           // GET /api/runs/ID at its end; null when none was started and none had to be
  Json failback_run;  // null when the scenario has none
  std::string run_id;
  std::string failback_id;
  std::string needs_a_hand;     // why a run stood still; empty when none did
  std::string samples;          // the users' witness: its JSON lines
  std::string leader_at_fault;  // region of the controller that led when the fault came
  std::string leader_region;    // died with the leading controller in the middle of the run; empty when none did
  int64_t leader_lost_ns = 0;
  std::string crash_points;  // the file of points at which the controller was to die; empty: nowhere
  std::vector<DirectFile> direct;
  std::vector<EarlierRound> earlier;

  // Users are judged until the fault is healed and its run is over: what the way back does to them is counted there.
  int64_t until_ns() const { return healed_ns > run_ended_ns ? healed_ns : run_ended_ns; }
};

}  // namespace lifeboat::lab
