#include "lab/faults.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>

#include "core/base/similar.hpp"

namespace lifeboat::lab {

namespace {

constexpr std::array<FaultKind, 6> kKinds{{
    {"kill-region", "region", "everything in it dies at once", false},
    {"cut-region", "region", "nothing gets in or out, silently", true},
    {"kill-host", "host", "everything on it dies at once", false},
    {"kill-process", "process", "one program of a host dies (HOST/NAME)", false},
    {"kill-server", "server", "a PostgreSQL server's first process dies", false},
    {"stop-server", "server", "all processes of a PostgreSQL server stop", false},
}};

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

struct Server {
  std::string service;
  std::string member;
};

// "SERVICE/MEMBER", "MEMBER", or who the controller says may write.
Result<Server> which_server(const LabWorld& world, const std::string& target) {
  if (size_t slash = target.find('/'); slash != std::string::npos) {
    return Server{target.substr(0, slash), target.substr(slash + 1)};
  }
  Json status;
  if (target.empty()) {
    TRY(status, controller_status(world));
  }
  for (const auto& [name, service] : world.plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr) continue;
    std::string member_name = target.empty() ? text_or(member(member(status, "databases"), name), "holder") : target;
    if (database->members.contains(member_name)) return Server{name, member_name};
    if (target.empty()) return fail(ErrorKind::not_found, "nobody may write to " + name + " now", "name a member");
  }
  return fail(ErrorKind::not_found, fmt::format("no database has a member '{}'", target));
}

// Stops a server's processes, the first one first so that it starts no others, until none is left running.
std::vector<pid_t> stop_tree(pid_t first) {
  std::vector<pid_t> stopped{first};
  kill(first, SIGSTOP);
  for (bool more = true; more;) {
    more = false;
    for (pid_t pid : descendants(first)) {
      if (std::ranges::find(stopped, pid) != stopped.end()) continue;
      kill(pid, SIGSTOP);
      stopped.push_back(pid);
      more = true;
    }
  }
  return stopped;
}

Result<FaultDone> kill_hosts(LabWorld& world, const std::vector<std::string>& hosts, const std::string& target) {
  FaultDone done{.at_ns = boot_ns(), .target = target};
  for (const std::string& host : hosts) world.machines.at(host)->kill_all();
  for (const std::string& host : hosts) world.machines.at(host)->wait_dead();
  return done;
}

Result<FaultDone> hit_process(LabWorld& world, const std::string& target) {
  size_t slash = target.find('/');
  Machine* machine = slash == std::string::npos ? nullptr : world.machine(target.substr(0, slash));
  if (machine == nullptr) return fail(ErrorKind::invalid_input, "name the program as HOST/NAME");
  std::string name = target.substr(slash + 1);
  FaultDone done{.at_ns = boot_ns(), .target = target};
  TRY_VOID(machine->signal(name, SIGKILL));
  int64_t deadline = deadline_in(Duration{5000});
  while (machine->state(name) == DaemonState::running) {
    machine->poll_exits();
    if (boot_ns() > deadline) return fail(ErrorKind::timed_out, target + " did not die");
    pause_for(Duration{1});
  }
  return done;
}

Result<FaultDone> hit_server(LabWorld& world, const std::string& name, const std::string& target, ActiveFault& active) {
  TRY(Server server, which_server(world, target));
  TRY(pid_t first, postmaster_of(world, server.service, server.member));
  FaultDone done{.at_ns = boot_ns(), .target = server.service + "/" + server.member};
  if (name == "stop-server") {
    active.stopped = stop_tree(first);
  } else if (kill(first, SIGKILL) != 0) {
    return std::unexpected(os_error("kill"));
  }
  return done;
}

Result<FaultDone> hit(LabWorld& world, const FaultKind& kind, const std::string& target, ActiveFault& active) {
  if (kind.target == "region") {
    TRY(std::string region, known_region(world, target));
    if (kind.name == "kill-region") return kill_hosts(world, hosts_of(world, region), region);
    FaultDone done{.at_ns = boot_ns(), .target = region};
    TRY_VOID(world.network.cut(region));
    return done;
  }
  if (kind.target == "host") {
    if (world.layout.host(target) == nullptr) return fail(ErrorKind::not_found, "no host is named '" + target + "'");
    return kill_hosts(world, {target}, target);
  }
  if (kind.target == "process") return hit_process(world, target);
  return hit_server(world, std::string(kind.name), target, active);
}

// Hosts that were killed come back; everything is started first and then waited for, as when power returns.
Result<void> power_on(LabWorld& world, const std::vector<std::string>& hosts) {
  for (const std::string& host : hosts) {
    if (!world.machines.at(host)->up()) TRY_VOID(world.machines.at(host)->boot());
    TRY_VOID(start_daemons(world, host));
  }
  for (const std::string& host : hosts) TRY_VOID(wait_for_ports(world, host, Duration{10'000}));
  return {};
}

Result<void> heal_one(LabWorld& world, const ActiveFault& fault) {
  if (fault.name == "kill-region") return power_on(world, hosts_of(world, fault.target));
  if (fault.name == "cut-region") return world.network.mend(fault.target);
  if (fault.name == "kill-host") return power_on(world, {fault.target});
  if (fault.name == "kill-process") return power_on(world, {fault.target.substr(0, fault.target.find('/'))});
  for (pid_t pid : fault.stopped) kill(pid, SIGCONT);
  return {};
}

}  // namespace

std::span<const FaultKind> fault_kinds() { return kKinds; }

Result<FaultDone> inject(LabWorld& world, const std::string& name, const std::string& target) {
  auto kind = std::ranges::find(kKinds, std::string_view(name), &FaultKind::name);
  if (kind == kKinds.end()) {
    std::vector<std::string> names;
    for (const FaultKind& each : kKinds) names.emplace_back(each.name);
    return fail(ErrorKind::invalid_input, fmt::format("no fault is named '{}'", name), did_you_mean(name, names));
  }
  if (kind->needs_namespaces && world.layout.mode == Mode::loopback) {
    return fail(ErrorKind::unsupported, name + " needs network namespaces", "run the lab as root");
  }
  for (const ActiveFault& other : world.faults) {
    if (other.name == name && other.target == target)
      return fail(ErrorKind::conflict, name + " is in already", "heal it first");
  }
  ActiveFault active{.name = name};
  TRY(FaultDone done, hit(world, *kind, target, active));
  active.target = done.target;
  world.faults.push_back(std::move(active));
  return done;
}

Result<int> heal(LabWorld& world, const std::string& name, const std::string& target) {
  int healed = 0;
  for (size_t at = 0; at < world.faults.size();) {
    const ActiveFault fault = world.faults[at];
    bool meant = (name.empty() || fault.name == name) && (target.empty() || fault.target == target);
    if (!meant) {
      ++at;
      continue;
    }
    auto done = heal_one(world, fault);
    if (!done) return std::unexpected(std::move(done.error()).with("healing " + fault.name + " " + fault.target));
    world.faults.erase(world.faults.begin() + static_cast<std::ptrdiff_t>(at));
    ++healed;
  }
  return healed;
}

}  // namespace lifeboat::lab
