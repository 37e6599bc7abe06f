// Whom a fault hits: from what a person says to hosts, servers and regions of the lab.
#pragma once

#include <string>
#include <vector>

#include "lab/world.hpp"

namespace lifeboat::lab {

struct Server {
  std::string service;
  std::string member;
  std::string host;
  std::string text() const { return service + "/" + member; }
};

// A region that is not the outside world.
Result<std::string> known_region(const LabWorld& world, const std::string& name);
std::vector<std::string> hosts_of(const LabWorld& world, const std::string& region);
// "SERVICE/MEMBER" or "MEMBER"; empty: who the controller says may write.
Result<Server> which_server(const LabWorld& world, const std::string& target);
// A host by its name or as a server, as above. It is one of the regions, not of the outside world.
Result<std::string> which_host(const LabWorld& world, const std::string& target);
// "A+B"; empty: the host that may write and the one most like it to take over, of the same region if there is one.
struct HostPair {
  std::string one;
  std::string other;
  std::string text() const { return one + "+" + other; }
};
Result<HostPair> which_pair(const LabWorld& world, const std::string& target);

}  // namespace lifeboat::lab
