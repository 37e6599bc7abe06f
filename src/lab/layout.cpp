#include "lab/layout.hpp"

#include <fmt/format.h>

#include "core/data/json.hpp"

namespace lifeboat::lab {

const LabHost* Layout::host(std::string_view name) const {
  for (const LabRegion& where : regions) {
    for (const LabHost& host : where.hosts) {
      if (host.name == name) return &host;
    }
  }
  return nullptr;
}

const LabRegion* Layout::region(std::string_view name) const {
  for (const LabRegion& where : regions) {
    if (where.name == name) return &where;
  }
  return nullptr;
}

Result<Layout> lay_out(const Plan& plan, int number, Mode mode) {
  Layout layout{.mode = mode, .number = number};
  layout.regions.push_back({.name = region_with_role(plan, RegionRole::external), .outside = true});
  if (layout.regions[0].name.empty()) layout.regions[0].name = "outside";
  for (const auto& [name, region] : plan.regions) {
    if (name != layout.regions[0].name) layout.regions.push_back({.name = name, .outside = false});
  }
  if (layout.regions.size() > 250) return fail(ErrorKind::unsupported, "a lab has at most 250 regions");
  for (size_t index = 0; index < layout.regions.size(); ++index) {
    LabRegion& region = layout.regions[index];
    for (const auto& [name, host] : plan.hosts) {
      if (host.region.text != region.name) continue;
      if (region.hosts.size() >= 250) return fail(ErrorKind::unsupported, "a lab has at most 250 hosts in a region");
      std::string address = mode == Mode::namespaces
                                ? fmt::format("10.{}.{}.{}", number, index, region.hosts.size() + 1)
                                : fmt::format("127.{}.{}.{}", number + 64, index, region.hosts.size() + 1);
      region.hosts.push_back({name, region.name, std::move(address)});
    }
  }
  return layout;
}

Plan with_addresses(Plan plan, const Layout& layout) {
  for (auto& [name, host] : plan.hosts) {
    if (const LabHost* placed = layout.host(name)) host.address = placed->address;
  }
  return plan;
}

std::string inventory_text(const Layout& layout) {
  JsonObject hosts;
  for (const LabRegion& region : layout.regions) {
    for (const LabHost& host : region.hosts) hosts[host.name] = host.address;
  }
  return to_pretty_text(JsonObject{{"hosts", std::move(hosts)}});
}

}  // namespace lifeboat::lab
