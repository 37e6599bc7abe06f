#include "lab/world.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "lab/controller_link.hpp"
#include "lab/wire.hpp"

namespace lifeboat::lab {

namespace {

std::string link_of(const std::string& path) {
  std::error_code failed;
  return std::filesystem::read_symlink(path, failed).string();
}

std::string command_name(pid_t pid) {
  auto text = read_file(fmt::format("/proc/{}/comm", pid));
  return text ? text->substr(0, text->find('\n')) : std::string();
}

pid_t parent_of(pid_t pid) {
  auto stat = read_file(fmt::format("/proc/{}/stat", pid));
  size_t end = stat ? stat->rfind(')') : std::string::npos;
  int parent = 0;
  char state = 0;
  if (end == std::string::npos || sscanf(stat->c_str() + end + 1, " %c %d", &state, &parent) != 2) return 0;
  return parent;
}

bool has_database(const Plan& plan, const std::string& host) {
  for (const auto& [name, service] : plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr) continue;
    for (const auto& [member, where] : database->members) {
      if (where.host.text == host) return true;
    }
  }
  return false;
}

// What ended without being asked to, with the end of its log.
Result<void> look_for_exits(LabWorld& world) {
  for (auto& [name, machine] : world.machines) {
    for (const auto& [daemon, how] : machine->poll_exits()) {
      std::string log = fmt::format("{}/logs/{}.{}.log", world.options.folder, name, daemon);
      return fail(ErrorKind::refused, fmt::format("{} on {} ended with {}", daemon, name, how), {}, tail_of(log, 6));
    }
  }
  return {};
}

}  // namespace

Machine* LabWorld::machine(const std::string& name) const {
  auto found = machines.find(name);
  return found == machines.end() ? nullptr : found->second.get();
}

std::string LabWorld::secret(const std::string& name) const {
  auto found = secrets.find(name);
  return found == secrets.end() ? std::string() : found->second;
}

std::string observer_of(const std::string& region) { return "observer." + region; }
std::string beside_of(const std::string& host) { return "beside." + host; }

Result<void> start_world(LabWorld& world) {
  TRY(world.network, Network::build(world.layout));
  const std::string& folder = world.options.folder;
  TRY_VOID(write_file(folder + "/inventory.json", inventory_text(world.layout), 0644));
  world.secrets = make_secrets(world.plan, sink_address(world.plan, world.layout));
  TRY_VOID(add_certificates(world.plan, world.secrets));
  TRY_VOID(write_secrets(folder + "/secrets", world.secrets));
  TRY(world.daemons, make_servers(world.plan, world.layout, world.secrets, world.options));
  for (const LabRegion& region : world.layout.regions) {
    auto boot = [&](const std::string& name, int netns) {
      auto& machine = world.machines[name];
      machine = std::make_unique<Machine>(name, region.name, world.layout.mode, netns);
      return machine->boot();
    };
    TRY_VOID(boot(observer_of(region.name), world.network.of_region(region.name)));
    for (const LabHost& host : region.hosts) {
      int netns = world.network.of_host(host.name);
      TRY_VOID(boot(host.name, netns));
      if (has_database(world.plan, host.name)) TRY_VOID(boot(beside_of(host.name), netns));
    }
  }
  for (const HostDaemon& entry : world.daemons) TRY_VOID(world.machines.at(entry.host)->start(entry.daemon));
  return {};
}

Result<void> start_daemons(LabWorld& world, const std::string& host) {
  for (const HostDaemon& entry : world.daemons) {
    if (entry.host != host || world.machines.at(host)->state(entry.daemon.name) == DaemonState::running) continue;
    TRY_VOID(world.machines.at(host)->start(entry.daemon));
  }
  return {};
}

Result<void> wait_for_ports(LabWorld& world, const std::string& host, Duration within) {
  int64_t deadline = deadline_in(within);
  std::vector<std::string> waiting;
  for (const HostDaemon& entry : world.daemons) {
    if (!entry.daemon.ready_at.empty() && (host.empty() || entry.host == host))
      waiting.push_back(entry.daemon.ready_at);
  }
  while (true) {
    std::erase_if(waiting, [](const std::string& at) {
      auto [address, port] = split_address(at);
      return connect_tcp(address, port, deadline_in(Duration{300})).has_value();
    });
    if (waiting.empty()) return {};
    TRY_VOID(look_for_exits(world));
    if (boot_ns() > deadline) {
      return fail(ErrorKind::timed_out, fmt::format("nothing answers at {}", fmt::join(waiting, ", ")),
                  "the logs are in " + world.options.folder + "/logs");
    }
    pause_for(Duration{20});
  }
}

Result<pid_t> postmaster_of(const LabWorld& world, const std::string& service, const std::string& member) {
  const auto* database = service_as<PostgresService>(world.plan, service);
  const PostgresMember* where = database == nullptr ? nullptr : database->members.find(member);
  if (where == nullptr) return fail(ErrorKind::not_found, fmt::format("{} has no member '{}'", service, member));
  Machine* machine = world.machine(where->host.text);
  if (machine == nullptr || !machine->up()) return fail(ErrorKind::not_found, "host " + where->host.text + " is down");
  std::vector<pid_t> found;
  for (pid_t pid : machine->processes()) {
    if (command_name(pid) == "postgres" && command_name(parent_of(pid)) != "postgres") found.push_back(pid);
  }
  if (found.size() == 1) return found[0];
  for (pid_t pid : found) {  // several servers on one host: by the data directory each works in
    std::string folder = link_of(fmt::format("/proc/{}/cwd", pid));
    if (folder == where->data_dir || (folder + "/").find("/" + service + "/") != std::string::npos) return pid;
  }
  return fail(ErrorKind::not_found, fmt::format("no PostgreSQL server of {} runs on {}", member, where->host.text));
}

Result<pid_t> guard_of(const LabWorld& world, const std::string& service, const std::string& member) {
  TRY(pid_t server, postmaster_of(world, service, member));
  pid_t guard = parent_of(server);
  if (command_name(guard) == "lifeboat-guard") return guard;
  return fail(ErrorKind::not_found, fmt::format("the PostgreSQL server of {} runs under no guard", member));
}

Result<Json> controller_status(const LabWorld& world) {
  return ControllerLink(controller_addresses(world.plan), world.secret("api-token"), Duration{0}).get("/api/status");
}

}  // namespace lifeboat::lab
