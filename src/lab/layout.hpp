// Where everything of a plan stands in a lab: a number and a namespace for each region, an address for each host.
// Derived from the plan and the lab's number alone, so every process of the lab comes to the same answer.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/model/plan.hpp"

namespace lifeboat::lab {

// namespaces: each region is a network of its own, which takes root. loopback: all share 127.0.0.0/8, and faults of the
// network are missing.
enum class Mode { namespaces, loopback };

struct LabHost {
  std::string name;
  std::string region;
  std::string address;
};

struct LabRegion {
  std::string name;
  bool outside = false;  // users, DNS, mail and chat: the world the other regions are connected to
  std::vector<LabHost> hosts;
};

struct Layout {
  Mode mode = Mode::namespaces;
  int number = 0;
  std::vector<LabRegion> regions;  // the outside world first
  const LabHost* host(std::string_view name) const;
  const LabRegion* region(std::string_view name) const;
  const LabRegion& outside() const { return regions.front(); }
};

// 10.NUMBER.REGION.HOST, or 127.(NUMBER+64).REGION.HOST on loopback. The region with role external is the outside world;
// a plan without one gets an empty one named "outside".
Result<Layout> lay_out(const Plan& plan, int number, Mode mode);

// The plan's hosts with the lab's addresses.
Plan with_addresses(Plan plan, const Layout& layout);
// {"hosts": {NAME: ADDRESS}}
std::string inventory_text(const Layout& layout);

}  // namespace lifeboat::lab
