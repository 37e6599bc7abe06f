// From a plan to the programs that its hosts run, with their configuration files: Knot DNS, Unbound, HAProxy, Redis,
// etcd, Lifeboat's agents, controllers and status page, and sinks for mail and chat. Databases are not here: agents create
// them on the controller's orders, as they would anywhere.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/layout.hpp"
#include "lab/machine.hpp"
#include "lab/secrets.hpp"

namespace lifeboat::lab {

inline constexpr int kControllerPort = 7400;
// In the lab's folder: the points at which the controller is still to die, and those it has died at.
inline constexpr std::string_view kCrashPointsFile = "/crash-points";

struct ServerOptions {
  std::string folder;     // the lab's
  std::string plan_file;  // absolute
  std::string profile;    // may be empty
  bool drill = false;     // the controller says in every message that it is a drill
  bool daemons = true;    // false: no agents, controller and status page (tests of the lab alone)
  // Where the controller kills itself: lines of a CrashPoints file. Null: nowhere.
  std::optional<std::string> crash_points;
};

struct HostDaemon {
  std::string host;
  Daemon daemon;
};

// Writes the configuration below FOLDER/hosts and names the programs, in the order in which they are started.
// A program that is not installed is an error that names its package.
Result<std::vector<HostDaemon>> make_servers(const Plan& placed, const Layout& layout, const SecretValues& secrets,
                                             const ServerOptions& options);

// Where webhooks go: http://ADDRESS:PORT on a host of the outside world; empty when there is no such host.
std::string sink_address(const Plan& placed, const Layout& layout);
// "ADDRESS:PORT" of all controllers, in the plan's order.
std::vector<std::string> controller_addresses(const Plan& placed);

}  // namespace lifeboat::lab
