// The lab's networks: a namespace per region and one per host in it. A region is a bridge that its hosts and its observer are
// plugged into, joined by a veth pair to the bridge in the namespace this process is in (the outside world). Hosts of the
// outside world share that one. None of them has a name in /run/netns: they live as long as a process of the lab holds them.
// Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
#pragma once

#include <map>
#include <string>

#include "lab/layout.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

// What a host does not get or cannot send, silently. Inside of it all goes on, and it can talk to itself.
struct HostCut {
  bool in = true;
  bool out = true;
  std::string peer;  // address of the only one concerned; empty: everybody
};

class Network {
 public:
  // Builds all of it. Call in a network namespace of the lab's own.
  static Result<Network> build(const Layout& layout);

  // Namespaces for setns(2); -1 on loopback, where there are none, and in the outside world, where this process is.
  int of_region(const std::string& region) const;
  int of_host(const std::string& host) const;

  // Drops everything between the region and the others, both ways and without an answer. Inside, all goes on.
  Result<void> cut_region(const std::string& region);
  Result<void> mend_region(const std::string& region);
  // Several cuts of a host may be in force; each is mended by itself.
  Result<void> cut_host(const std::string& host, const HostCut& cut);
  Result<void> mend_host(const std::string& host, const HostCut& cut);

 private:
  std::map<std::string, Fd> regions_;
  std::map<std::string, Fd> hosts_;
};

// What nft reads.
std::string rules_of_region_cut();
std::string rules_of_host_cut(const HostCut& cut);

}  // namespace lifeboat::lab
