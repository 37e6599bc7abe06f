// Child processes: argument lists only, never a shell; ended whole (with all descendants) when the deadline passes or the
// caller is cancelled. What a child writes is kept up to a cap and may contain anything: escape and redact before showing.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "io/task.hpp"

namespace lifeboat {

struct ProcessSpec {
  std::vector<std::string> argv;                   // argv[0] is looked up in PATH when it holds no '/'
  std::map<std::string, std::string> environment;  // added to a minimal one (PATH, LANG=C.UTF-8, HOME of the user)
  bool inherit_environment = false;
  std::string directory;    // working directory; empty: as it is
  std::string user;         // switched to when this process is root; empty: as it is
  std::string input;        // written to its stdin
  std::string output_file;  // stdout is appended there, and stderr by start_process; empty: captured
  // For run_process: stdout goes there. It is closed here as soon as the child has it, or cannot be started.
  int output_fd = -1;
  size_t capture = 64 * 1024;  // kept of stdout and of stderr, each
  // Each piece of stdout as it comes, instead of its being kept; false: enough, the process is ended and `cut` is true.
  // For output larger than memory: while this runs nothing more is read.
  std::function<bool(std::string_view)> on_output;
  bool new_session = true;
  bool behind_others = false;  // nobody waits for it: on a busy processor it goes behind what serves users
  // Killed by the kernel when this process ends, however that comes about. Only for what is started by a thread that lives
  // as long as the process does.
  bool ends_with_us = false;
};

struct ProcessResult {
  int exit_code = 0;  // 128 + signal when a signal ended it
  std::string out;
  std::string err;
  bool cut = false;  // more was written than kept
  Duration took{};
};

// Starts without waiting. The caller must reap the child (wait_for_exit or waitpid). Errors: `unsupported` when the
// program does not exist, `refused` when it may not be run.
Result<pid_t> start_process(const ProcessSpec& spec);

// Runs it to its end. `timed_out` names the program and how far its output got.
Task<Result<ProcessResult>> run_process(ProcessSpec spec, Deadline deadline);

// Waits for the end of a child by its pidfd and reaps it; gives its wait status.
Task<Result<int>> wait_for_exit(pid_t child, Deadline deadline);

// Full path of a program: as it is when it holds '/', else looked up in `folders`, then in PATH. Empty when there is none.
std::string find_program(const std::string& name, const std::vector<std::string>& folders = {});

// All descendants of a process, by /proc; children before their parents' siblings, in no other order.
std::vector<pid_t> descendants_of(pid_t root);
// What a process and those of its children that have ended used of processors, in clock ticks (proc(5), stat); 0 when it is not there.
int64_t processor_time_of(pid_t pid);
// All processes that run `program` (a full path) with `folder` as their working directory, whoever started them.
std::vector<pid_t> processes_at(const std::string& folder, const std::string& program);
// Kills them (SIGKILL) until none is left; false when some are still there after `patience`. Blocks for as long as that takes.
bool end_processes_at(const std::string& folder, const std::string& program, Duration patience);
// Sends the signal to a process and all its descendants. Repeats until a look finds no new ones (for SIGKILL).
void kill_tree(pid_t root, int signal);

}  // namespace lifeboat
