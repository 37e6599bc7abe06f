// A host of the lab: one process that is the first of its own PID namespace, in its region's network, and everything that
// was ever started on it below. Killing that one process ends them all at once, as a power cut does.
//
// Without root there are no namespaces: the process is then the reaper of its descendants, and a kill walks the tree.
// Used by one keeper process, which is single-threaded (the first process is made by a bare clone(2)).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/layout.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

// A program that a host runs.
struct Daemon {
  std::string name;
  std::vector<std::string> argv;
  OrderedMap<std::string> environment;  // added to the keeper's
  std::string folder;                   // working folder
  std::string log;                      // output and errors are appended
  std::string ready_at;                 // address:port that accepts connections when it is up; empty: not waited for
  bool kept = false;                    // started anew when it ends, as a service manager would
  bool first = false;                   // goes before others on a busy processor
};

enum class DaemonState { idle, running, exited };

class Machine {
 public:
  Machine(std::string name, std::string region, Mode mode, int netns)
      : name_(std::move(name)), region_(std::move(region)), mode_(mode), netns_(netns) {}
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Powers it on, with nothing running yet.
  Result<void> boot();
  // Starts a program and waits until it was executed.
  Result<void> start(const Daemon& daemon);
  Result<void> signal(const std::string& daemon, int number);
  // Sends SIGKILL to everything; wait_dead() waits until nothing of it is left.
  void kill_all();
  void wait_dead();
  bool up() const { return pid_ > 0; }

  // Takes in what the host says of programs that ended. Returns their names with how they ended.
  std::vector<std::pair<std::string, std::string>> poll_exits();
  // Waits for one of them to end; poll_exits() tells of it afterwards. False when it still runs at the deadline.
  bool wait_for_exit(const std::string& daemon, int64_t deadline_ns);
  DaemonState state(const std::string& daemon) const;
  // Every process on it, by the keeper's numbers, its first process left out.
  std::vector<pid_t> processes() const;

  const std::string& name() const { return name_; }
  const std::string& region() const { return region_; }
  int fd() const { return link_.fd(); }

 private:
  void take(const Json& message, std::vector<std::pair<std::string, std::string>>* exits);

  std::string name_;
  std::string region_;
  Mode mode_;
  int netns_;
  pid_t pid_ = -1;
  int generation_ = 0;
  JsonLines link_;
  std::map<std::string, DaemonState> daemons_;
  std::vector<std::pair<std::string, std::string>> unread_exits_;
};

// The lab's processes by parent, read from /proc: all descendants of `root`, not itself.
std::vector<pid_t> descendants(pid_t root);

}  // namespace lifeboat::lab
