// What the traffic actions share: the load balancers of a service, users' shares by region as weights give them,
// and the memory of how it was before, for undo.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actions/action.hpp"
#include "core/ramp/shares.hpp"
#include "io/haproxy.hpp"

namespace lifeboat {

struct BalancerView {
  std::string region;  // where the balancer stands
  std::string backend;
  Haproxy api;
  std::vector<HaproxyServer> servers;
};

// The region that a server named REGION-N serves from; empty for any other name.
std::string region_of_server(std::string_view name);

// Asks every balancer of the service (only that in `at`, if given) at the same time. All must answer: weights that are
// right at one balancer and unknown at another are no state to act on.
Task<Result<std::vector<BalancerView>>> look_at_balancers(World* world, std::string service,
                                                          std::optional<std::string> at, Deadline deadline);

// The same, once each balancer sees a server up in every region with a share: what was just started is seen by health checks a moment
// later. When that does not come about in ten seconds, or in half of the time, as they are then.
Task<Result<std::vector<BalancerView>>> look_when_up(World* world, std::string service, std::optional<std::string> at,
                                                     Shares wanted, Deadline deadline);

// What users get at a balancer now: servers that are down or drained count as nothing.
Shares shares_now(const BalancerView& view);
// "west: east 10 %, west 90 %; …".
std::string shares_now_text(const std::vector<BalancerView>& views);
// Whether a balancer gives the shares as nearly as whole weights can. Error: as of weights_for().
Result<bool> gives(const BalancerView& view, const Shares& wanted);

// Brings about the shares at one balancer and verifies the weights. Servers of a region with a share are taken out of
// drain; all servers of a region, down ones too, get the same weight.
Task<Result<void>> give_shares(BalancerView view, Shares wanted, Deadline deadline);

// Weights and drains as they are, and putting them back, as {"west": {"east-1": {"weight": 10, "drained": false}}}.
Json remember(const std::vector<BalancerView>& views);
Task<Result<void>> restore(std::vector<BalancerView> views, Json remembered, Deadline deadline);

// Checks of parameters: the service is an haproxy service, `at` is a region where it has a balancer.
void check_traffic(const Plan& plan, const Identifier& service, const std::optional<Identifier>& at,
                   DecodeProblems& problems);
void check_region(const Plan& plan, std::string path, const Identifier& region, DecodeProblems& problems);

std::optional<std::string> text_of(const std::optional<Identifier>& name);

}  // namespace lifeboat
