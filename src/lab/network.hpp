// The lab's networks: a namespace per region, joined by veth pairs to a bridge in the namespace this process is in (the
// outside world). None of them has a name in /run/netns: they live as long as a process of the lab holds them.
// Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
#pragma once

#include <map>
#include <string>

#include "lab/layout.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

class Network {
 public:
  // Builds all of it. Call in a network namespace of the lab's own.
  static Result<Network> build(const Layout& layout);

  // The region's namespace for setns(2); -1 on loopback, where there is none.
  int of_region(const std::string& region) const;
  // Drops everything between the region and the others, both ways and without an answer. Inside, all goes on.
  Result<void> cut(const std::string& region);
  Result<void> mend(const std::string& region);

 private:
  std::map<std::string, Fd> regions_;
};

// The region's rules while it is cut off, as nft reads them.
std::string rules_of_cut();

}  // namespace lifeboat::lab
