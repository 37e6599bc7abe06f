// A lab: the servers of a plan, real, on this machine, with faults to put in. This is what the CLI and the drill use.
//
// Processes: `start_lab` makes a janitor, which removes the lab's folder at the end, and a guard, which holds the lab's own
// namespaces; the guard's child is the first process of a PID namespace and keeps everything. When any of these dies the
// kernel takes the rest down. Without root there are no namespaces; then processes are tied by parent-death signals.
// Labs do not see each other; several may run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/model/plan.hpp"
#include "lab/layout.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

struct LabOptions {
  std::string plan_file;
  Plan plan;                                // loaded and checked, without an inventory
  std::string profile;                      // handed to the controller; may be empty
  bool drill = false;                       // the controller marks every message as a drill
  bool daemons = true;                      // false: only third-party servers, no Lifeboat (tests of the lab)
  bool small_disks = false;                 // each database's host has a disk of its own that can be filled
  std::optional<std::string> crash_points;  // where the controller kills itself; see ServerOptions
  std::optional<Mode> mode;                 // what the rights allow when left out
  Duration ready_within{30'000};
};

// Text and seconds since the start.
using LabProgress = std::function<void(const std::string&, double)>;

// A lab that this process started. Unless detached it ends with this object, or with this process however that ends.
class RunningLab {
 public:
  RunningLab() = default;
  RunningLab(RunningLab&& other) noexcept;
  RunningLab& operator=(RunningLab&& other) noexcept;
  ~RunningLab();

  const std::string& folder() const { return folder_; }
  int number() const { return number_; }
  pid_t guard() const { return guard_; }
  // Readable when the guard has ended.
  int guard_fd() const { return guard_fd_.get(); }
  // Ends it and waits until nothing is left.
  void stop();
  // Lets it live on without this process.
  void detach();

 private:
  friend Result<RunningLab> start_lab(LabOptions, const LabProgress&);
  std::string folder_;
  int number_ = -1;
  pid_t guard_ = -1;
  pid_t janitor_ = -1;
  Fd guard_fd_;
};

// Returns when users are served. On an error nothing is left but the error, which has the end of the failing log.
Result<RunningLab> start_lab(LabOptions options, const LabProgress& progress);

// Folders of the labs that are alive; leftovers of dead ones are removed.
std::vector<std::string> living_labs();
// The lab of that number; without one, the only lab.
Result<std::string> find_lab(std::optional<int> number);
// One request to a lab's keeper: {"do": "status" | "down" | "fault" | "heal" | "run" | "signal", …}.
Result<Json> ask_lab(const std::string& folder, const Json& request, Duration within = Duration{20'000});
// "down", and waits until the folder is gone.
Result<void> end_lab(const std::string& folder);
// This process (its calling thread) goes into the lab's outside world, where users, DNS and the observers stand.
// Does nothing on loopback.
Result<void> enter_outside(const std::string& folder);

}  // namespace lifeboat::lab
