// What network.isolate and network.rejoin share: which hosts are meant, one order to the agents of all of them at once, and words for
// what a person has to do where there is none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actions/action.hpp"

namespace lifeboat {

struct NetworkParams {
  std::optional<Identifier> region;
  std::vector<Identifier> hosts;
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(NetworkParams, (), (region, hosts))
constexpr auto field_docs(const NetworkParams*) {
  return std::to_array<FieldDoc>({
      {"region", Need::optional, "all hosts of this region; this or hosts"},
      {"hosts", Need::optional, "these hosts"},
  });
}

// The hosts that are meant, in the plan's order.
struct NetworkHosts {
  std::vector<std::string> asked;          // an agent is there
  std::vector<std::string> without_agent;  // a person must do it
  std::vector<std::string> control;        // a controller or a voter of their store is there: never cut off
};
NetworkHosts network_hosts(const Plan& plan, const NetworkParams& params);

// The one way or the other.
struct NetworkOrder {
  std::string_view method;
  bool isolates = false;
  std::string_view after;    // how a host is then: "cut off"
  std::string_view by_hand;  // what is left to a person: "cut {} off by hand"
  std::string_view key;      // of the hosts that it was done on, in the data
};

// "a", "a and b", "a, b and c".
std::string in_words(const std::vector<std::string>& names);

Task<Result<Observation>> observe_network(ActionContext context, NetworkParams params, NetworkOrder order);
// Fails when an agent that is connected refused, or when it was done nowhere. An agent that does not answer is named, loudly, and keeps
// the others from nothing.
Task<Result<Outcome>> order_network(ActionContext context, NetworkParams params, NetworkOrder order);

template <const NetworkOrder& kOrder>
class NetworkAction : public Action {
 public:
  explicit NetworkAction(NetworkParams params) : params_(std::move(params)) {}
  Task<Result<Observation>> observe(ActionContext context) override {
    return observe_network(std::move(context), params_, kOrder);
  }
  Task<Result<Outcome>> apply(ActionContext context) override {
    return order_network(std::move(context), params_, kOrder);
  }

 private:
  NetworkParams params_;
};

}  // namespace lifeboat
