// network.rejoin: hosts that were cut off are let back onto the network.
#include "actions/network_common.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

constexpr NetworkOrder kRejoin{"network.rejoin", false, "back on the network", "let {} back by hand", "rejoined"};

}  // namespace

const ActionDescriptor& network_rejoin_action() {
  static const ActionDescriptor descriptor{
      .name = "network.rejoin",
      .summary = "Lets hosts that network.isolate cut off back onto the network.",
      .details =
          "The agents of the region's hosts, or of those in the list, open the network again and are asked whether it "
          "is. Holds when every one of them says so. Hosts without an agent, and those whose agent does not answer, "
          "are "
          "named for people to let back by hand. Its data: rejoined, without_agent, unreachable. Fails when an agent "
          "refused or could not, and when no host at all answered.",
      .example = "- {id: rejoin, uses: network.rejoin, with: {region: west}}",
      .usual_timeout = Duration{120'000},
      .schema = params_schema<NetworkParams>,
      .validate = validate_params<NetworkParams>,
      .make = make_action<NetworkAction<kRejoin>, NetworkParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
