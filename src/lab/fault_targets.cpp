#include "lab/fault_targets.hpp"

#include <fmt/format.h>

#include "core/base/similar.hpp"

namespace lifeboat::lab {

Result<std::string> known_region(const LabWorld& world, const std::string& name) {
  const LabRegion* region = world.layout.region(name);
  std::vector<std::string> names;
  for (const LabRegion& each : world.layout.regions) {
    if (!each.outside) names.push_back(each.name);
  }
  if (region == nullptr || region->outside) {
    return fail(ErrorKind::not_found, fmt::format("no region '{}' can be hit", name), did_you_mean(name, names));
  }
  return name;
}

std::vector<std::string> hosts_of(const LabWorld& world, const std::string& region) {
  std::vector<std::string> hosts;
  for (const LabHost& host : world.layout.region(region)->hosts) hosts.push_back(host.name);
  return hosts;
}

Result<Server> which_server(const LabWorld& world, const std::string& target) {
  size_t slash = target.find('/');
  std::string service_wanted = slash == std::string::npos ? std::string() : target.substr(0, slash);
  std::string wanted = slash == std::string::npos ? target : target.substr(slash + 1);
  Json status;
  if (wanted.empty()) {
    TRY(status, controller_status(world));
  }
  for (const auto& [name, service] : world.plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr || (!service_wanted.empty() && service_wanted != name)) continue;
    std::string one = wanted.empty() ? text_or(member(member(status, "databases"), name), "holder") : wanted;
    if (const PostgresMember* found = database->members.find(one)) return Server{name, one, found->host.text};
    if (wanted.empty()) return fail(ErrorKind::not_found, "nobody may write to " + name + " now", "name a member");
  }
  return fail(ErrorKind::not_found, fmt::format("no database has a member '{}'", target));
}

Result<std::string> which_host(const LabWorld& world, const std::string& target) {
  std::vector<std::string> names;
  for (const LabRegion& region : world.layout.regions) {
    for (const LabHost& host : region.hosts) {
      if (!region.outside && host.name == target) return target;
      if (!region.outside) names.push_back(host.name);
    }
  }
  auto server = which_server(world, target);
  if (server) return server->host;
  if (target.empty()) return std::unexpected(std::move(server).error());
  return fail(ErrorKind::not_found, fmt::format("no host or database member is named '{}'", target),
              did_you_mean(target, names));
}

Result<HostPair> which_pair(const LabWorld& world, const std::string& target) {
  if (size_t plus = target.find('+'); plus != std::string::npos) {
    TRY(std::string one, which_host(world, target.substr(0, plus)));
    TRY(std::string other, which_host(world, target.substr(plus + 1)));
    if (one == other) return fail(ErrorKind::invalid_input, target + " is one host", "name two, as A+B");
    return HostPair{one, other};
  }
  if (!target.empty()) return fail(ErrorKind::invalid_input, "'" + target + "' is no pair", "name two hosts, as A+B");
  TRY(Server writable, which_server(world, {}));
  HostPair pair{.one = writable.host};
  const auto* database = service_as<PostgresService>(world.plan, writable.service);
  for (const auto& [name, where] : database->members) {
    if (where.host.text == writable.host) continue;
    bool near = region_of(world.plan, where.host.text) == region_of(world.plan, writable.host);
    if (pair.other.empty() || near) pair.other = where.host.text;
    if (near) break;
  }
  if (pair.other.empty()) return fail(ErrorKind::not_found, writable.text() + " has no standby it could be cut from");
  return pair;
}

}  // namespace lifeboat::lab
