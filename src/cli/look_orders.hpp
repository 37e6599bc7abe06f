// Looks that the controller has carried out for a service of its plan, on the host of a member: into the log of the repository, and for
// the last clean moment by restored copies. They change nothing, so they may be ordered again.
#pragma once

#include <string>

#include "cli/client.hpp"
#include "cli/runs.hpp"

namespace CLI {
class App;
}

namespace lifeboat::cli {

struct LookOrder {
  std::string service;
  std::string what;  // forensics or clean-point
  std::string by;
  std::string on;  // the member on whose host it is done; chosen when empty
  Duration within{};
};
// `--controller`, `--token-file`, `--by`, `--on`.
void add_look_options(CLI::App* command, ClientOptions& client, LookOrder& order);

// Orders it with the rest of the `body` and follows it to its end; gives what was found. What is said meanwhile is shown.
Result<Json> order_look(Client& client, const LookOrder& order, JsonObject body, const Output& output);

}  // namespace lifeboat::cli
