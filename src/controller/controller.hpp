// The controller daemon: ties detect → decide → execute → journal together and serves the HTTP API, the agents' links
// and live events. Holds no rules of its own.
#pragma once

#include <string>

#include "io/task.hpp"

namespace lifeboat {

struct ControllerOptions {
  std::string plan_file;
  std::string inventory;
  std::string profile;
  std::string store;  // "etcd", by the plan's voters, or a file
  std::string secrets_dir;
  std::string host;    // the plan's host it runs on
  std::string listen;  // "10.1.0.2:7400"
  bool drill = false;  // every message says so
  // For tests of recovery: a file naming points ("STEP before" or "STEP after"), one a line; the process kills itself when it
  // comes to the first of them, after having taken it from the file.
  std::string crash_points;
};

// Runs until SIGTERM or SIGINT. Gives the exit code.
int run_controller(const ControllerOptions& options);

}  // namespace lifeboat
