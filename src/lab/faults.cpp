#include "lab/faults.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "core/base/similar.hpp"
#include "lab/attack.hpp"
#include "lab/data_faults.hpp"
#include "lab/fault_targets.hpp"
#include "lab/file_faults.hpp"
#include "lab/full_disk.hpp"
#include "lab/slow_disk.hpp"

namespace lifeboat::lab {

namespace {

constexpr Duration kProgramEnds{5'000};
constexpr Duration kPowerOn{10'000};
constexpr const char* kAgent = "agent";
constexpr const char* kVoter = "etcd";
constexpr std::array kControl{"controller", kVoter};

// How long a flapping host is cut off and back in turn: shorter than a renewal, shorter than a lease, and longer.
constexpr std::array<Duration, 8> kFlaps{Duration{300},  Duration{400}, Duration{900}, Duration{250},
                                         Duration{1600}, Duration{700}, Duration{500}, Duration{150}};

// Stops processes until none of them is left running: what one starts in the meantime is stopped too.
std::vector<pid_t> stop_all(const std::function<std::vector<pid_t>()>& list) {
  std::vector<pid_t> stopped;
  for (bool more = true; more;) {
    more = false;
    for (pid_t pid : list()) {
      if (std::ranges::find(stopped, pid) != stopped.end()) continue;
      kill(pid, SIGSTOP);
      stopped.push_back(pid);
      more = true;
    }
  }
  return stopped;
}

// The last ones first: servers run again before those that watch over them, which is the harder order for these.
void go_on(const std::vector<pid_t>& stopped) {
  for (auto pid = stopped.rbegin(); pid != stopped.rend(); ++pid) kill(*pid, SIGCONT);
}

Result<FaultDone> kill_hosts(LabWorld& world, const std::vector<std::string>& hosts, const std::string& target) {
  FaultDone done{.at_ns = boot_ns(), .target = target};
  for (const std::string& host : hosts) world.machines.at(host)->kill_all();
  for (const std::string& host : hosts) world.machines.at(host)->wait_dead();
  return done;
}

// Hosts that were killed come back; everything is started first and then waited for, as when power returns.
Result<void> power_on(LabWorld& world, const std::vector<std::string>& hosts) {
  for (const std::string& host : hosts) {
    if (!world.machines.at(host)->up()) TRY_VOID(world.machines.at(host)->boot());
    TRY_VOID(start_daemons(world, host));
  }
  for (const std::string& host : hosts) TRY_VOID(wait_for_ports(world, host, kPowerOn));
  return {};
}

Result<FaultDone> kill_program(LabWorld& world, const std::string& host, const std::string& name,
                               const std::string& target) {
  Machine& machine = *world.machines.at(host);
  FaultDone done{.at_ns = boot_ns(), .target = target};
  TRY_VOID(machine.signal(name, SIGKILL));
  if (!machine.wait_for_exit(name, deadline_in(kProgramEnds)))
    return fail(ErrorKind::timed_out, target + " did not die");
  return done;
}

// The hosts on which a voter of the controllers' store is to run.
std::vector<std::string> hosts_of_voters(const LabWorld& world) {
  std::vector<std::string> hosts;
  if (!world.plan.controllers) return hosts;
  for (const auto& [region, voter] : world.plan.controllers->voters) hosts.push_back(voter.host.text);
  return hosts;
}

// The hosts on which a controller or a voter of their store runs.
std::vector<std::string> hosts_of_control(const LabWorld& world) {
  std::vector<std::string> voters = hosts_of_voters(world);
  std::set<std::string> hosts(voters.begin(), voters.end());
  for (const auto& [name, host] : world.plan.hosts) {
    if (host.controller) hosts.insert(name);
  }
  return {hosts.begin(), hosts.end()};
}

// ---- one pair of functions for each fault

using Put = Result<FaultDone> (*)(LabWorld&, const std::string& target, ActiveFault&);
using Heal = Result<void> (*)(LabWorld&, const ActiveFault&);

Result<FaultDone> put_kill_region(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string region, known_region(world, target));
  return kill_hosts(world, hosts_of(world, region), region);
}
Result<void> heal_kill_region(LabWorld& world, const ActiveFault& fault) {
  return power_on(world, hosts_of(world, fault.target));
}

// How a region's loss may begin.
Result<FaultDone> put_kill_workload(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string region, known_region(world, target));
  std::vector<std::string> control = hosts_of_control(world), hosts = hosts_of(world, region);
  std::erase_if(hosts, [&](const std::string& host) { return std::ranges::find(control, host) != control.end(); });
  return kill_hosts(world, hosts, region);
}

Result<FaultDone> put_cut_region(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string region, known_region(world, target));
  FaultDone done{.at_ns = boot_ns(), .target = region};
  TRY_VOID(world.network.cut_region(region));
  return done;
}
Result<void> heal_cut_region(LabWorld& world, const ActiveFault& fault) {
  return world.network.mend_region(fault.target);
}

Result<FaultDone> put_kill_host(LabWorld& world, const std::string& target, ActiveFault&) {
  if (world.layout.host(target) == nullptr) return fail(ErrorKind::not_found, "no host is named '" + target + "'");
  return kill_hosts(world, {target}, target);
}
Result<FaultDone> put_kill_node(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string host, which_host(world, target));
  return kill_hosts(world, {host}, host);
}
Result<void> heal_kill_host(LabWorld& world, const ActiveFault& fault) { return power_on(world, {fault.target}); }

Result<FaultDone> put_kill_process(LabWorld& world, const std::string& target, ActiveFault&) {
  size_t slash = target.find('/');
  std::string host = target.substr(0, slash);
  if (slash == std::string::npos || world.machine(host) == nullptr)
    return fail(ErrorKind::invalid_input, "name the program as HOST/NAME");
  TRY(FaultDone done, kill_program(world, host, target.substr(slash + 1), target));
  // Nobody hears of it, so that it stays dead until it is healed, also where a service manager would start it anew.
  world.machines.at(host)->poll_exits();
  return done;
}
Result<void> heal_kill_process(LabWorld& world, const ActiveFault& fault) {
  return power_on(world, {fault.target.substr(0, fault.target.find('/'))});
}

Result<FaultDone> put_freeze_node(LabWorld& world, const std::string& target, ActiveFault& active) {
  TRY(std::string host, which_host(world, target));
  const Machine& machine = *world.machines.at(host);
  FaultDone done{.at_ns = boot_ns(), .target = host};
  active.stopped = stop_all([&] { return machine.processes(); });
  return done;
}
Result<void> heal_stopped(LabWorld&, const ActiveFault& fault) {
  go_on(fault.stopped);
  return {};
}

Result<FaultDone> put_cut_node(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string host, which_host(world, target));
  FaultDone done{.at_ns = boot_ns(), .target = host};
  TRY_VOID(world.network.cut_host(host, HostCut{}));
  return done;
}
Result<void> heal_cut_node(LabWorld& world, const ActiveFault& fault) {
  return world.network.mend_host(fault.target, HostCut{});
}

// "HOST:out" cuts what it sends, "HOST:in" and "HOST" what is sent to it.
HostCut one_way(const std::string& target) {
  bool out = target.ends_with(":out");
  return {.in = !out, .out = out, .peer = {}};
}
Result<FaultDone> put_cut_one_way(LabWorld& world, const std::string& target, ActiveFault&) {
  HostCut cut = one_way(target);
  size_t colon = target.find(':');
  bool known = colon == std::string::npos || target.substr(colon) == ":in" || cut.out;
  if (!known) return fail(ErrorKind::invalid_input, "'" + target + "' names no way", "HOST:in or HOST:out");
  TRY(std::string host, which_host(world, target.substr(0, colon)));
  FaultDone done{.at_ns = boot_ns(), .target = host + (cut.out ? ":out" : ":in")};
  TRY_VOID(world.network.cut_host(host, cut));
  return done;
}
Result<void> heal_cut_one_way(LabWorld& world, const ActiveFault& fault) {
  return world.network.mend_host(fault.target.substr(0, fault.target.find(':')), one_way(fault.target));
}

// Dropping at one of the two is enough: nothing comes in from the other and nothing goes out to it.
HostCut from_peer(const LabWorld& world, const HostPair& pair) {
  return {.in = true, .out = true, .peer = world.layout.host(pair.other)->address};
}
Result<FaultDone> put_cut_pair(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(HostPair pair, which_pair(world, target));
  FaultDone done{.at_ns = boot_ns(), .target = pair.text()};
  TRY_VOID(world.network.cut_host(pair.one, from_peer(world, pair)));
  return done;
}
Result<void> heal_cut_pair(LabWorld& world, const ActiveFault& fault) {
  TRY(HostPair pair, which_pair(world, fault.target));
  return world.network.mend_host(pair.one, from_peer(world, pair));
}

Result<FaultDone> put_flap_node(LabWorld& world, const std::string& target, ActiveFault& active) {
  TRY(FaultDone done, put_cut_node(world, target, active));
  active.in_now = true;
  active.change_at_ns = deadline_in(kFlaps[0]);
  return done;
}
Result<void> heal_flap_node(LabWorld& world, const ActiveFault& fault) {
  if (!fault.in_now) return {};
  return heal_cut_node(world, fault);
}

Result<FaultDone> put_kill_agent(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string host, which_host(world, target));
  return kill_program(world, host, kAgent, host);
}
Result<FaultDone> put_stop_agent(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string host, which_host(world, target));
  FaultDone done{.at_ns = boot_ns(), .target = host};
  TRY_VOID(world.machines.at(host)->signal(kAgent, SIGSTOP));
  return done;
}
// One whose server was fenced meanwhile may have been ended by its host; then there is nothing to wake.
Result<void> heal_stop_agent(LabWorld& world, const ActiveFault& fault) {
  Machine& machine = *world.machines.at(fault.target);
  if (machine.state(kAgent) != DaemonState::running) return {};
  return machine.signal(kAgent, SIGCONT);
}

Result<FaultDone> put_kill_guard(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(Server server, which_server(world, target));
  TRY(pid_t guard, guard_of(world, server.service, server.member));
  FaultDone done{.at_ns = boot_ns(), .target = server.text()};
  if (kill(guard, SIGKILL) != 0) return std::unexpected(os_error("kill"));
  return done;
}
Result<FaultDone> put_kill_server(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(Server server, which_server(world, target));
  TRY(pid_t first, postmaster_of(world, server.service, server.member));
  FaultDone done{.at_ns = boot_ns(), .target = server.text()};
  if (kill(first, SIGKILL) != 0) return std::unexpected(os_error("kill"));
  return done;
}
// Whoever watches over them starts these anew.
Result<void> heal_nothing(LabWorld&, const ActiveFault&) { return {}; }

// The first process of the server first, so that it starts no others.
std::vector<pid_t> processes_of_server(pid_t first) {
  std::vector<pid_t> all = descendants(first);
  all.insert(all.begin(), first);
  return all;
}

Result<FaultDone> put_stop_server(LabWorld& world, const std::string& target, ActiveFault& active) {
  TRY(Server server, which_server(world, target));
  TRY(pid_t first, postmaster_of(world, server.service, server.member));
  FaultDone done{.at_ns = boot_ns(), .target = server.text()};
  active.stopped = stop_all([first] { return processes_of_server(first); });
  return done;
}

Result<FaultDone> put_slow_disk(LabWorld& world, const std::string& target, ActiveFault& active) {
  TRY(Server server, which_server(world, target));
  TRY(pid_t first, postmaster_of(world, server.service, server.member));
  FaultDone done{.at_ns = boot_ns(), .target = server.text()};
  TRY(active.helper, slow_down_syncs(processes_of_server(first)));
  return done;
}
Result<void> heal_slow_disk(LabWorld&, const ActiveFault& fault) { return let_syncs_be(fault.helper); }

Result<FaultDone> put_full_disk(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::string host, which_host(world, target));
  FaultDone done{.at_ns = boot_ns(), .target = host};
  TRY_VOID(fill_disk(world.options.folder, host));
  return done;
}
Result<void> heal_full_disk(LabWorld& world, const ActiveFault& fault) {
  return empty_disk(world.options.folder, fault.target);
}

Result<FaultDone> put_kill_control(LabWorld& world, const std::string& target, ActiveFault&) {
  if (!target.empty()) return fail(ErrorKind::invalid_input, "kill-control takes no target: it ends them all");
  FaultDone done{.at_ns = boot_ns(), .target = target};
  for (const std::string& host : hosts_of_control(world)) {
    Machine& machine = *world.machines.at(host);
    for (const char* program : kControl) {
      if (machine.state(program) != DaemonState::running) continue;
      TRY_VOID(kill_program(world, host, program, fmt::format("{}/{}", host, program)));
    }
    // As with one program that is killed, nobody hears of it.
    machine.poll_exits();
  }
  return done;
}
Result<void> heal_kill_control(LabWorld& world, const ActiveFault&) { return power_on(world, hosts_of_control(world)); }

// The hosts whose voter runs.
Result<std::vector<Machine*>> whole_store(const LabWorld& world, const std::string& target) {
  if (!target.empty()) return fail(ErrorKind::invalid_input, "this takes no target: it is all voters of the store");
  std::vector<std::string> hosts = hosts_of_voters(world);
  if (hosts.empty())
    return fail(ErrorKind::unsupported, "the controllers of this lab have no store in etcd",
                "it needs a plan with controllers: {store: etcd}");
  std::vector<Machine*> voters;
  for (const std::string& host : hosts) {
    Machine* machine = world.machine(host);
    if (machine != nullptr && machine->state(kVoter) == DaemonState::running) voters.push_back(machine);
  }
  if (voters.empty()) return fail(ErrorKind::conflict, "no voter of the store runs", "heal what ended them first");
  return voters;
}

Result<FaultDone> put_kill_store(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::vector<Machine*> voters, whole_store(world, target));
  FaultDone done{.at_ns = boot_ns(), .target = target};
  for (Machine* machine : voters) TRY_VOID(machine->signal(kVoter, SIGKILL));
  for (Machine* machine : voters) {
    if (!machine->wait_for_exit(kVoter, deadline_in(kProgramEnds)))
      return fail(ErrorKind::timed_out, fmt::format("{}/{} did not die", machine->name(), kVoter));
  }
  return done;
}
Result<void> heal_kill_store(LabWorld& world, const ActiveFault&) { return power_on(world, hosts_of_voters(world)); }

// Its ports go on accepting connections, and nobody answers.
Result<FaultDone> put_stop_store(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(std::vector<Machine*> voters, whole_store(world, target));
  FaultDone done{.at_ns = boot_ns(), .target = target};
  for (Machine* machine : voters) TRY_VOID(machine->signal(kVoter, SIGSTOP));
  return done;
}
// One whose host died meanwhile was started anew with it, or stays dead.
Result<void> heal_stop_store(LabWorld& world, const ActiveFault&) {
  for (const std::string& host : hosts_of_voters(world)) {
    Machine& machine = *world.machines.at(host);
    if (machine.state(kVoter) == DaemonState::running) TRY_VOID(machine.signal(kVoter, SIGCONT));
  }
  return {};
}

struct Fault {
  FaultKind kind;
  Put put;
  Heal heal;
};

constexpr std::array<Fault, 26> kFaults{{
    {{"kill-region", "region", "everything in it dies at once"}, put_kill_region, heal_kill_region},
    {{"kill-workload", "region", "everything in it but controllers and their store dies at once"},
     put_kill_workload,
     heal_kill_region},
    {{"cut-region", "region", "nothing gets in or out, silently", true}, put_cut_region, heal_cut_region},
    {{"kill-host", "host", "everything on it dies at once"}, put_kill_host, heal_kill_host},
    {{"kill-process", "process", "one program of a host dies (HOST/NAME)"}, put_kill_process, heal_kill_process},
    {{"kill-node", "node", "everything on a database's host dies at once"}, put_kill_node, heal_kill_host},
    {{"freeze-node", "node", "everything on a database's host stops at once"}, put_freeze_node, heal_stopped},
    {{"cut-node", "node", "nothing gets into or out of a database's host, silently", true},
     put_cut_node,
     heal_cut_node},
    {{"cut-node-one-way", "node", "nothing gets into a database's host; what it sends arrives", true},
     put_cut_one_way,
     heal_cut_one_way},
    {{"cut-pair", "pair", "two hosts do not reach each other; both reach all others", true, true},
     put_cut_pair,
     heal_cut_pair},
    {{"flap-node", "node", "a database's host is cut off and back, again and again", true, true},
     put_flap_node,
     heal_flap_node},
    {{"kill-agent", "node", "the agent dies; its server goes on", false, true}, put_kill_agent, heal_nothing},
    {{"stop-agent", "node", "the agent stops; its server goes on"}, put_stop_agent, heal_stop_agent},
    {{"kill-guard", "server", "the guard of a PostgreSQL server dies"}, put_kill_guard, heal_nothing},
    {{"kill-server", "server", "a PostgreSQL server's first process dies"}, put_kill_server, heal_nothing},
    {{"stop-server", "server", "all processes of a PostgreSQL server stop"}, put_stop_server, heal_stopped},
    {{"slow-disk", "server", "each fsync of a PostgreSQL server takes 400 ms longer", false, true},
     put_slow_disk,
     heal_slow_disk},
    {{"full-disk", "node", "the disk of a database's host has no room left", true, true, false, true},
     put_full_disk,
     heal_full_disk},
    {{.name = "drop-table", .target = "table", .meaning = "a table of a database is dropped", .of_the_data = true},
     put_drop_table,
     heal_nothing},
    {{.name = "mass-delete", .target = "table", .meaning = "all rows of a table are deleted", .of_the_data = true},
     put_mass_delete,
     heal_nothing},
    {{.name = "corrupt-pages",
      .target = "table",
      .meaning = "bytes change in the primary's files of a table and its index",
      .of_the_data = true},
     put_corrupt_pages,
     heal_nothing},
    {{.name = "lost-datadir",
      .target = "database",
      .meaning = "the data directories of all members of a database are gone",
      .of_the_data = true},
     put_lost_datadir,
     heal_nothing},
    {{.name = "ransomware",
      .target = "table",
      .meaning = "an attacker encrypts a table's rows for minutes and tries to take the backups away",
      .needs_namespaces = true,
      .of_the_data = true,
      .noticed = true,
      .of_the_backups = true},
     put_ransomware,
     heal_ransomware},
    {{"kill-control", "all", "every controller and every voter of their store dies", false, true, true},
     put_kill_control,
     heal_kill_control},
    {{"kill-store", "all", "every voter of the controllers' store dies; controllers live", false, true, true},
     put_kill_store,
     heal_kill_store},
    {{"stop-store", "all", "every voter of the controllers' store stops; controllers live", false, true, true},
     put_stop_store,
     heal_stop_store},
}};

constexpr std::array<FaultKind, kFaults.size()> kKinds = [] {
  std::array<FaultKind, kFaults.size()> kinds{};
  for (size_t at = 0; at < kFaults.size(); ++at) kinds[at] = kFaults[at].kind;
  return kinds;
}();

const Fault& fault_named(const std::string& name) {
  return *std::ranges::find(kFaults, std::string_view(name), [](const Fault& fault) { return fault.kind.name; });
}

}  // namespace

std::span<const FaultKind> fault_kinds() { return kKinds; }

const FaultKind* find_fault(std::string_view name) {
  auto found = std::ranges::find(kKinds, name, &FaultKind::name);
  return found == kKinds.end() ? nullptr : &*found;
}

std::string fault_names() {
  std::string names;
  for (const FaultKind& kind : kKinds) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

Result<FaultDone> inject(LabWorld& world, const std::string& name, const std::string& target) {
  const FaultKind* kind = find_fault(name);
  if (kind == nullptr) {
    std::vector<std::string> names;
    for (const FaultKind& each : kKinds) names.emplace_back(each.name);
    std::string hint = did_you_mean(name, names);
    return fail(ErrorKind::invalid_input, fmt::format("no fault is named '{}'", name),
                hint.empty() ? "one of " + fault_names() : hint);
  }
  if (kind->needs_namespaces && world.layout.mode == Mode::loopback) {
    return fail(ErrorKind::unsupported, name + " needs network namespaces", "run the lab as root");
  }
  for (const ActiveFault& other : world.faults) {
    if (other.name == name && other.target == target)
      return fail(ErrorKind::conflict, name + " is in already", "heal it first");
  }
  ActiveFault active{.name = name};
  TRY(FaultDone done, fault_named(name).put(world, target, active));
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
    auto done = fault_named(fault.name).heal(world, fault);
    if (!done) return std::unexpected(std::move(done.error()).with("healing " + fault.name + " " + fault.target));
    world.faults.erase(world.faults.begin() + static_cast<std::ptrdiff_t>(at));
    ++healed;
  }
  return healed;
}

bool changes_by_itself(const LabWorld& world) {
  return std::ranges::any_of(world.faults, [](const ActiveFault& fault) { return fault.change_at_ns != 0; });
}

Result<void> change_due_faults(LabWorld& world) {
  for (ActiveFault& fault : world.faults) {
    if (fault.change_at_ns == 0 || boot_ns() < fault.change_at_ns) continue;
    fault.change_at_ns = deadline_in(kFlaps[++fault.changes % kFlaps.size()]);
    if (fault.in_now) {
      TRY_VOID(world.network.mend_host(fault.target, HostCut{}));
    } else {
      TRY_VOID(world.network.cut_host(fault.target, HostCut{}));
    }
    fault.in_now = !fault.in_now;
  }
  return {};
}

}  // namespace lifeboat::lab
