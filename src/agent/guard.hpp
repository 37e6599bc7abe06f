// The guard: a small process of its own between the agent and a database server. It is the server's parent, so that it
// sees its death at once, and it kills the server and all its descendants when the fence time passes, whatever has become
// of the agent. It needs no disk, no network and no memory beyond what it has at the start.
//
// Fence time: CLOCK_BOOTTIME nanoseconds in a page shared with the agent; kNoFence for a server that takes no writes.
// When the agent dies, a server that takes writes is killed at its fence time and one that does not is killed at once.
// When the guard dies, the kernel kills the server (parent-death signal).
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/member/server.hpp"
#include "io/task.hpp"

namespace lifeboat {

struct GuardedProgram {
  std::vector<std::string> argv;  // full path first
  std::string user;               // switched to when root
  std::string output_file;
  // Its working directory: what is left of the server when its guard is gone is found by this and the program.
  std::string directory;
  MonoTime fence = MonoTime::max();  // in force before the program starts; max: none
};

class Guard {
 public:
  using Ended = ServerEnd;
  // Called once, after every process of the server is gone.
  using OnEnd = std::function<void(Ended how, int wait_status)>;

  // Starts a guard process and, in it, the program. The guard is this very binary, asked for its `guard` subcommand;
  // `program` names another one (for tests).
  static Result<std::unique_ptr<Guard>> start(asio::any_io_executor executor, const GuardedProgram& what, OnEnd on_end,
                                              const std::string& program = "/proc/self/exe");
  // Kills the server and ends the guard.
  ~Guard();

  pid_t server() const { return server_; }
  void set_fence(MonoTime at);
  void clear_fence();
  // To the server's first process only: SIGINT for a fast shutdown, SIGHUP for a reload.
  void signal_server(int signal_number);
  // Kills everything of the server now, also when the guard itself does not answer, and calls on_end with `died`. False when
  // something of it is still there after some seconds: then nobody else may be allowed to write before the lease ends.
  bool kill_now();

 private:
  struct State;
  std::shared_ptr<State> state_;
  pid_t server_ = -1;
  Guard() = default;
};

// The guard process itself. `control` is its end of a socket pair, `page` the shared memory.
int run_guard(int control, int page);

}  // namespace lifeboat
