#include "lab/network.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace lifeboat::lab {

namespace {

constexpr Duration kToolTime{10'000};

Result<std::string> run_in(int netns, const std::vector<std::string>& argv, const std::string& input) {
  std::string program = find_program(argv[0]);
  if (program.empty()) {
    return fail(ErrorKind::unsupported, argv[0] + " is not installed", "install iproute2 and nftables");
  }
  std::vector<std::string> words = argv;
  words[0] = program;
  return run_program(words, input, kToolTime, [netns] {
    if (netns >= 0 && setns(netns, CLONE_NEWNET) != 0) _exit(126);
  });
}

// A new network namespace, held by a descriptor. This process comes back to its own.
Result<Fd> new_namespace() {
  Fd own(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own) return std::unexpected(os_error("cannot open the network namespace"));
  if (unshare(CLONE_NEWNET) != 0) return std::unexpected(os_error("cannot make a network namespace"));
  Fd made(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (setns(own.get(), CLONE_NEWNET) != 0) return std::unexpected(os_error("cannot return to the network namespace"));
  if (!made) return std::unexpected(os_error("cannot open the network namespace"));
  return made;
}

constexpr const char* kRegionTable = "lifeboat_cut";

// Both ends of a cable: `name` here and eth0 in the namespace that the descriptor holds.
std::string cable(const std::string& name, const Fd& there) {
  return fmt::format(
      "link add {0} type veth peer name eth0 netns /proc/{1}/fd/{2}\n"
      "link set {0} master br0 up\n",
      name, getpid(), there.get());
}

constexpr const char* kBridge = "link set lo up\nlink add br0 type bridge forward_delay 0\nlink set br0 up\n";

std::string table_of(const HostCut& cut) {
  std::string name = fmt::format("lifeboat_cut{}{}_{}", cut.in ? "_in" : "", cut.out ? "_out" : "", cut.peer);
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace

Result<Network> Network::build(const Layout& layout) {
  Network network;
  if (layout.mode == Mode::loopback) return network;
  std::string outside = kBridge;
  for (const LabHost& host : layout.outside().hosts)
    outside += fmt::format("address add {}/16 dev br0\n", host.address);
  // An address of its own, so that the outside world can talk to the regions even when the plan places nothing there.
  outside += fmt::format("address add 10.{}.0.254/16 dev br0\n", layout.number);
  for (size_t index = 1; index < layout.regions.size(); ++index) {
    TRY(Fd made, new_namespace());
    outside += cable(fmt::format("r{}", index), made);
    network.regions_[layout.regions[index].name] = std::move(made);
  }
  TRY_VOID(run_in(-1, {"ip", "-batch", "-"}, outside));
  for (size_t index = 1; index < layout.regions.size(); ++index) {
    const LabRegion& region = layout.regions[index];
    std::string inside = kBridge;
    inside += fmt::format("link set eth0 master br0 up\naddress add 10.{}.{}.254/16 dev br0\n", layout.number, index);
    for (size_t number = 0; number < region.hosts.size(); ++number) {
      TRY(Fd made, new_namespace());
      inside += cable(fmt::format("h{}", number), made);
      network.hosts_[region.hosts[number].name] = std::move(made);
    }
    auto done = run_in(network.of_region(region.name), {"ip", "-batch", "-"}, inside);
    if (!done) return std::unexpected(std::move(done.error()).with("network of " + region.name));
    for (const LabHost& host : region.hosts) {
      std::string own = fmt::format("link set lo up\nlink set eth0 up\naddress add {}/16 dev eth0\n", host.address);
      done = run_in(network.of_host(host.name), {"ip", "-batch", "-"}, own);
      if (!done) return std::unexpected(std::move(done.error()).with("network of " + host.name));
    }
  }
  return network;
}

int Network::of_region(const std::string& region) const {
  auto found = regions_.find(region);
  return found == regions_.end() ? -1 : found->second.get();
}

int Network::of_host(const std::string& host) const {
  auto found = hosts_.find(host);
  return found == hosts_.end() ? -1 : found->second.get();
}

// Questions for addresses are let through: whoever asks learns where to send to, and what is sent there vanishes.
std::string rules_of_region_cut() {
  std::string text = fmt::format("table bridge {} {{\n", kRegionTable);
  for (std::string_view hook : {"forward", "input", "output"}) {
    text += fmt::format("  chain {0} {{\n    type filter hook {0} priority 0; policy accept;\n", hook);
    if (hook != "output") text += "    iifname \"eth0\" ether type != arp drop\n";
    if (hook != "input") text += "    oifname \"eth0\" ether type != arp drop\n";
    text += "  }\n";
  }
  return text + "}\n";
}

std::string rules_of_host_cut(const HostCut& cut) {
  std::string text = fmt::format("table inet {} {{\n", table_of(cut));
  auto chain = [&](std::string_view hook, std::string_view device, std::string_view end) {
    std::string whom = cut.peer.empty() ? std::string() : fmt::format("ip {} {} ", end, cut.peer);
    text += fmt::format(
        "  chain {0} {{\n    type filter hook {0} priority 0; policy accept;\n    {1} \"eth0\" {2}drop\n  }}\n", hook,
        device, whom);
  };
  if (cut.in) chain("input", "iifname", "saddr");
  if (cut.out) chain("output", "oifname", "daddr");
  return text + "}\n";
}

Result<void> Network::cut_region(const std::string& region) {
  int where = of_region(region);
  if (where < 0) return fail(ErrorKind::unsupported, "'" + region + "' cannot be cut off");
  TRY_VOID(run_in(where, {"nft", "-f", "-"}, rules_of_region_cut()));
  return {};
}

Result<void> Network::mend_region(const std::string& region) {
  int where = of_region(region);
  if (where < 0) return fail(ErrorKind::unsupported, "'" + region + "' cannot be mended");
  TRY_VOID(run_in(where, {"nft", "delete", "table", "bridge", kRegionTable}, {}));
  return {};
}

Result<void> Network::cut_host(const std::string& host, const HostCut& cut) {
  int where = of_host(host);
  if (where < 0) return fail(ErrorKind::unsupported, host + " has no network of its own that could be cut");
  TRY_VOID(run_in(where, {"nft", "-f", "-"}, rules_of_host_cut(cut)));
  return {};
}

Result<void> Network::mend_host(const std::string& host, const HostCut& cut) {
  int where = of_host(host);
  if (where < 0) return fail(ErrorKind::unsupported, host + " has no network of its own that could be mended");
  TRY_VOID(run_in(where, {"nft", "delete", "table", "inet", table_of(cut)}, {}));
  return {};
}

}  // namespace lifeboat::lab
