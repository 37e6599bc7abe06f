#include "core/model/plan.hpp"

#include <algorithm>

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

std::vector<std::string> people_of(const Plan& plan, std::span<const Identifier> roles) {
  std::vector<std::string> out;
  auto add = [&](const Identifier& contact) {
    if (std::ranges::find(out, contact.text) == out.end()) out.push_back(contact.text);
  };
  for (const Identifier& name : roles) {
    const Role* role = plan.people.roles.find(name.text);
    if (role == nullptr) continue;
    add(role->primary);
    if (role->backup) add(*role->backup);
    for (const Identifier& contact : role->members) add(contact);
  }
  return out;
}

}  // namespace lifeboat
