// network.isolate: hosts cut off from the network while an attack goes on.
#include "actions/network_common.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

constexpr NetworkOrder kIsolate{"network.isolate", true, "cut off", "cut {} off by hand", "isolated"};

}  // namespace

const ActionDescriptor& network_isolate_action() {
  static const ActionDescriptor descriptor{
      .name = "network.isolate",
      .summary = "Cuts hosts off from the network while an attack goes on; their servers stay up.",
      .details =
          "On each host of the region, or of the list, the agent closes the network to everything but what it and its "
          "controllers say to each other; connections that were made before are cut as well. Servers are not stopped, "
          "so "
          "memory and disks stay for forensics. Holds when every agent that could do it says that its host is cut off. "
          "Hosts with a controller or a voter of their store are left on the network. Hosts without an agent, and "
          "those "
          "whose agent does not answer, are named for people to cut off by hand. Its data: isolated, without_agent, "
          "unreachable, skipped.\n\n"
          "An agent that hears no controller through the closed network within 15 seconds opens it again. Fails when "
          "an "
          "agent refused or could not, and when no host at all could be cut off. Nothing undoes it by itself: an "
          "aborted "
          "run lets no attacker back in. network.rejoin ends it.",
      .example = "- {id: isolate, uses: network.isolate, timeout: 2m, with: {region: west}}",
      .usual_timeout = Duration{120'000},
      .schema = params_schema<NetworkParams>,
      .validate = validate_params<NetworkParams>,
      .make = make_action<NetworkAction<kIsolate>, NetworkParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
