#include "lab/network.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

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

std::string addresses(const LabRegion& region, std::string_view device) {
  std::string lines = fmt::format("link set lo up\nlink set {} up\n", device);
  for (const LabHost& host : region.hosts) {
    lines += fmt::format("address add {}/16 dev {}\n", host.address, device);
  }
  return lines;
}

}  // namespace

Result<Network> Network::build(const Layout& layout) {
  Network network;
  if (layout.mode == Mode::loopback) return network;
  std::string outside = "link add br0 type bridge forward_delay 0\n" + addresses(layout.outside(), "br0");
  // An address of its own, so that the outside world can talk to the regions even when the plan places nothing there.
  outside += fmt::format("address add 10.{}.0.254/16 dev br0\n", layout.number);
  for (size_t index = 1; index < layout.regions.size(); ++index) {
    TRY(Fd made, new_namespace());
    outside +=
        fmt::format("link add r{0} type veth peer name eth0 netns /proc/{1}/fd/{2}\nlink set r{0} master br0 up\n",
                    index, getpid(), made.get());
    network.regions_[layout.regions[index].name] = std::move(made);
  }
  TRY_VOID(run_in(-1, {"ip", "-batch", "-"}, outside));
  for (size_t index = 1; index < layout.regions.size(); ++index) {
    const LabRegion& region = layout.regions[index];
    std::string inside = addresses(region, "eth0");
    inside += fmt::format("address add 10.{}.{}.254/16 dev eth0\n", layout.number, index);
    auto done = run_in(network.of_region(region.name), {"ip", "-batch", "-"}, inside);
    if (!done) return std::unexpected(std::move(done.error()).with("network of " + region.name));
  }
  return network;
}

int Network::of_region(const std::string& region) const {
  auto found = regions_.find(region);
  return found == regions_.end() ? -1 : found->second.get();
}

std::string rules_of_cut() {
  return "table inet lifeboat_cut {\n"
         "  chain in { type filter hook input priority 0; policy accept; iifname \"eth0\" drop; }\n"
         "  chain out { type filter hook output priority 0; policy accept; oifname \"eth0\" drop; }\n"
         "}\n";
}

Result<void> Network::cut(const std::string& region) {
  int where = of_region(region);
  if (where < 0) return fail(ErrorKind::unsupported, "'" + region + "' cannot be cut off");
  TRY_VOID(run_in(where, {"nft", "-f", "-"}, rules_of_cut()));
  return {};
}

Result<void> Network::mend(const std::string& region) {
  int where = of_region(region);
  if (where < 0) return fail(ErrorKind::unsupported, "'" + region + "' cannot be mended");
  TRY_VOID(run_in(where, {"nft", "delete", "table", "inet", "lifeboat_cut"}, {}));
  return {};
}

}  // namespace lifeboat::lab
