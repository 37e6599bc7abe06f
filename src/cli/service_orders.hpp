// Orders that the controller has carried out for a service of its plan, on the host of a member: a restore, or a look into the log or at
// restored copies.
#pragma once

#include <string>

#include "cli/client.hpp"
#include "cli/runs.hpp"

namespace CLI {
class App;
}

namespace lifeboat::cli {

struct ServiceOrder {
  std::string service;
  std::string what;  // restore, adopt, stop, forensics, clean-point
  std::string by;
  std::string on;           // the member on whose host it is done; chosen when empty
  Duration within{};        // the work is given up then, where it is done
  Duration beside{60'000};  // it is followed for so much longer, to hear of that
  // What to do when it cannot be followed to its end.
  std::string if_lost = "a look changes nothing: order it again, with more time (--within)";
};
// `--controller`, `--token-file`, `--by`, `--on`.
void add_order_options(CLI::App* command, ClientOptions& client, ServiceOrder& order);

// Orders it with the rest of the `body` and follows it to its end; gives what was found. What is said meanwhile is shown.
Result<Json> order_and_follow(Client& client, const ServiceOrder& order, JsonObject body, const Output& output);

// What an option gives as a span of time; an error that names it.
Result<Duration> duration_of(const std::string& text, const char* option, const char* example);

}  // namespace lifeboat::cli
