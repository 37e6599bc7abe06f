#include "core/model/plan.hpp"

namespace lifeboat {

std::string address_of(const Plan& plan, std::string_view host) {
  const Host* found = plan.hosts.find(host);
  return found == nullptr || found->address.empty() ? std::string(host) : found->address;
}

std::vector<std::string> controller_hosts(const Plan& plan) {
  std::vector<std::string> out;
  for (const auto& [name, host] : plan.hosts) {
    if (host.controller) out.push_back(name);
  }
  return out;
}

std::string region_of(const Plan& plan, std::string_view host) {
  const Host* found = plan.hosts.find(host);
  return found == nullptr ? std::string() : found->region.text;
}

std::string region_with_role(const Plan& plan, RegionRole role) {
  for (const auto& [name, region] : plan.regions) {
    if (region.role == role) return name;
  }
  return {};
}

}  // namespace lifeboat
