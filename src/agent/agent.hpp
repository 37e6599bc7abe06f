// The agent daemon: dials out to a controller, proves who it is, does what it is told (agent/protocol.hpp) and reports.
// It survives the loss of its link: standbys and instances go on, a primary for as long as its lease lets it.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat {

struct AgentOptions {
  std::string host;                      // its name in the plan
  std::vector<std::string> controllers;  // "address:port", tried in turn
  std::string data_dir;                  // everything it keeps
  std::string secrets_dir;               // holds the secret "agent-HOST"
  std::vector<std::string> unit_path;    // folders in which programs of instances are looked for first
  std::string run_as = "postgres";       // user of database servers, when the agent is root
};

// Runs until SIGTERM or SIGINT, then ends what it runs in good order. Gives the exit code.
int run_agent(const AgentOptions& options);

}  // namespace lifeboat
