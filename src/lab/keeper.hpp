// The process that is the lab. It is the first of its own PID namespace, so when it ends, by any cause, the kernel ends
// everything in the lab and the networks go with it. It brings the lab up, then serves the control socket until "down".
#pragma once

#include "lab/world.hpp"

namespace lifeboat::lab {

struct KeeperJob {
  std::string plan_file;
  Plan plan;
  std::string profile;
  bool drill = false;
  bool daemons = true;
  bool small_disks = false;
  std::optional<std::string> crash_points;
  Duration ready_within{30'000};
  Mode mode = Mode::namespaces;
  int number = 0;
  std::string folder;
  JsonLines progress;  // {"progress": TEXT}, then {"ready": true} or {"error", "kind", "hint"}
  Fd guardian;         // ends when the process outside that guards this one is gone
};

// Does not return before the lab ends; gives the exit code.
int keep_lab(KeeperJob job);

// The control socket's requests and answers; see lab.hpp for what people call.
Json error_answer(const Error& error);
Error error_of(const Json& answer);

}  // namespace lifeboat::lab
