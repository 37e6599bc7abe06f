// Shares of traffic ↔ weights of servers. A balancer with weighted round robin gives each server that is up its weight's
// share of the sum, so the share of a region depends on how many of its servers are up at the moment.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat {

using Shares = std::map<std::string, double>;  // region → percent

struct RegionServers {
  std::string region;
  int up = 0;  // how many take traffic
};

// The greatest weight that a balancer takes.
inline constexpr int kMaxWeight = 256;

// The weight of each server of a region, so that regions get their shares as nearly as whole weights allow; a region
// with a share above 0 has weight 1 at least, one with share 0 has 0. Regions without a share get 0. A small share of
// many servers beside a large one of few can be coarse: 1 % on seven servers beside one gives 2.7 %. Errors:
// `unreachable` when a region with a share has no server that is up (it may have one a moment later), `invalid_input`
// when shares do not add up to 100.
Result<std::map<std::string, int>> weights_for(const Shares& shares, const std::vector<RegionServers>& servers);

// The shares that weights give. Empty when nothing is up with a weight.
struct WeighedServer {
  std::string region;
  bool up = false;
  int weight = 0;
};
Shares shares_of(const std::vector<WeighedServer>& servers);

// Whether what is in force is what is wanted, as nearly as whole weights can tell (1 percentage point).
bool same_shares(const Shares& one, const Shares& other);

// "east 10 %, west 90 %".
std::string shares_text(const Shares& shares);

}  // namespace lifeboat
