// A lab that stands: the plan with the lab's addresses, its network, its hosts and what runs on them. Held by the keeper
// alone; everything else talks to it through the control socket.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lab/layout.hpp"
#include "lab/machine.hpp"
#include "lab/network.hpp"
#include "lab/secrets.hpp"
#include "lab/servers.hpp"

namespace lifeboat::lab {

struct ActiveFault {
  std::string name;
  std::string target;
  std::vector<pid_t> stopped;  // processes that were sent SIGSTOP
  pid_t helper = -1;           // a process that makes the fault
  std::string on_host;         // where a program runs that makes the fault
  // Of what comes and goes: whether it is in just now, when that changes, and how often it did.
  bool in_now = false;
  int64_t change_at_ns = 0;
  size_t changes = 0;
};

struct LabWorld {
  Plan plan;
  Layout layout;
  ServerOptions options;
  SecretValues secrets;
  Network network;
  // Hosts by name. Faults of hosts do not touch the others: each region's observer, "observer.REGION", and for each host of a
  // database "beside.HOST", which stands in that host's network and so on its side of every cut.
  std::map<std::string, std::unique_ptr<Machine>> machines;
  std::vector<HostDaemon> daemons;
  std::vector<ActiveFault> faults;

  Machine* machine(const std::string& name) const;
  std::string secret(const std::string& name) const;
};

std::string observer_of(const std::string& region);
std::string beside_of(const std::string& host);

using Progress = std::function<void(const std::string&)>;

// Builds the network, writes inventory, secrets and configuration, boots the hosts and starts what they run.
Result<void> start_world(LabWorld& world);
// Starts everything that belongs on a host that is up.
Result<void> start_daemons(LabWorld& world, const std::string& host);
// Returns when everything that listens, of all hosts or one, accepts connections. A program that ended is an error.
Result<void> wait_for_ports(LabWorld& world, const std::string& host, Duration within);
// The postmaster of a member of a database, by the keeper's process numbers.
Result<pid_t> postmaster_of(const LabWorld& world, const std::string& service, const std::string& member);
// Its parent: the guard.
Result<pid_t> guard_of(const LabWorld& world, const std::string& service, const std::string& member);
// The controller's GET /api/status.
Result<Json> controller_status(const LabWorld& world);

}  // namespace lifeboat::lab
