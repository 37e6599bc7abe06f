#include "agent/isolation.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <boost/asio/ip/address.hpp>

#include <charconv>

#include "core/data/decode.hpp"
#include "io/file.hpp"
#include "io/process.hpp"

namespace lifeboat {
namespace {

constexpr Duration kNftTime{10'000};
constexpr Duration kLookAgain{50};
constexpr Duration kTryAgain{1'000};

struct Kept {
  asio::ip::address address;
  int port = 0;
};

Result<Kept> kept_of(const std::string& controller) {
  size_t colon = controller.rfind(':');
  std::string address = controller.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  Kept kept;
  const char* end = controller.data() + controller.size();
  bool has_port = colon != std::string::npos && colon + 1 < controller.size();
  auto [after, problem] = std::from_chars(has_port ? controller.data() + colon + 1 : end, end, kept.port);
  if (!has_port || problem != std::errc{} || after != end || kept.port < 1 || kept.port > 65'535)
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no ADDRESS:PORT of a controller", controller));
  boost::system::error_code no_address;
  kept.address = asio::ip::make_address(address, no_address);
  if (no_address)
    return fail(ErrorKind::unsupported,
                fmt::format("the controller '{}' is given by a name, which cannot be looked up on a closed network",
                            controller),
                "start the agent with --controller IP-ADDRESS:PORT");
  if (kept.address.is_v6()) {
    asio::ip::address_v6 v6 = kept.address.to_v6();
    if (v6.is_v4_mapped()) {
      kept.address = asio::ip::make_address_v4(asio::ip::v4_mapped, v6);
    } else if (v6.scope_id() != 0) {
      return fail(ErrorKind::invalid_input, fmt::format("'{}' is good on one interface only", controller));
    }
  }
  if (kept.address.is_loopback() || kept.address.is_unspecified())
    return fail(ErrorKind::refused, "a controller runs on this host: to cut it off would cut off the control plane");
  if (kept.address.is_multicast())
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is the address of no host", controller));
  return kept;
}

std::string first_line(const std::string& text) { return text.substr(0, std::min(text.find('\n'), size_t{300})); }

Task<Result<ProcessResult>> run_nft(std::vector<std::string> words, std::string input) {
  ProcessSpec spec;
  spec.argv = {find_program("nft", {"/usr/sbin", "/sbin"})};
  if (spec.argv[0].empty())
    co_return fail(ErrorKind::unsupported, "nft is not installed", "install nftables on this host");
  spec.argv.insert(spec.argv.end(), words.begin(), words.end());
  spec.input = std::move(input);
  auto running = run_process(std::move(spec), Deadline::after(kNftTime));
  CO_TRY(ProcessResult result, co_await std::move(running));
  if (result.err.contains("Operation not permitted"))
    co_return fail(ErrorKind::unsupported, "the agent may not change the rules of this host's network",
                   "the agent must run as root or with CAP_NET_ADMIN");
  co_return result;
}

Task<Result<>> load(std::string rules) {
  auto running = run_nft({"-f", "-"}, std::move(rules));
  CO_TRY(ProcessResult result, co_await std::move(running));
  if (result.exit_code != 0)
    co_return fail(ErrorKind::refused, fmt::format("nft did not take the rules: {}", first_line(result.err)));
  co_return Result<>{};
}

class Changing {
 public:
  explicit Changing(bool& flag) : flag_(flag) { flag_ = true; }
  ~Changing() { flag_ = false; }
  Changing(const Changing&) = delete;
  Changing& operator=(const Changing&) = delete;

 private:
  bool& flag_;
};

std::unexpected<Error> is_changing() {
  return fail(ErrorKind::conflict, "this host's network is being closed or opened at this moment", "try again");
}

}  // namespace

Result<std::string> isolation_rules(const std::vector<std::string>& controllers) {
  if (controllers.empty()) return fail(ErrorKind::invalid_input, "the agent knows no controller that could be kept");
  std::string in, out;
  bool any_v6 = false;
  for (const std::string& controller : controllers) {
    TRY(Kept kept, kept_of(controller));
    std::string_view family = kept.address.is_v6() ? "ip6" : "ip";
    any_v6 = any_v6 || kept.address.is_v6();
    // Answers only: also a controller's host opens no connection to this one.
    in += fmt::format("    {} saddr {} tcp sport {} tcp flags & (syn | ack) != syn accept\n", family,
                      kept.address.to_string(), kept.port);
    out += fmt::format("    {} daddr {} tcp dport {} accept\n", family, kept.address.to_string(), kept.port);
  }
  // Without these the kept link would stall where the way to a controller takes smaller packets than this host's network.
  in += "    icmp type destination-unreachable icmp code frag-needed accept\n";
  // Where IPv4 has ARP, which passes no rule of these chains, IPv6 asks its neighbours by ICMP. The hop limit shows that nobody sent it on.
  if (any_v6) {
    in += "    icmpv6 type packet-too-big accept\n";
    in += "    ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept\n";
    out += "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n";
  }
  return rejoin_rules() + fmt::format(
                              "table inet {} {{\n"
                              "  chain input {{\n    type filter hook input priority 0; policy drop;\n    iifname "
                              "\"lo\" accept\n{}  }}\n"
                              "  chain forward {{\n    type filter hook forward priority 0; policy drop;\n  }}\n"
                              "  chain output {{\n    type filter hook output priority 0; policy drop;\n    oifname "
                              "\"lo\" accept\n{}  }}\n"
                              "}}\n",
                              kIsolationTable, in, out);
}

// One that is not there cannot be deleted, so it is made first; within a transaction nobody sees that.
std::string rejoin_rules() { return fmt::format("add table inet {0}\ndelete table inet {0}\n", kIsolationTable); }

Isolation::Isolation(Scope& scope, std::string agent_folder, std::vector<std::string> controllers, Hooks hooks)
    : scope_(scope),
      file_(std::move(agent_folder) + "/isolation.json"),
      controllers_(std::move(controllers)),
      hooks_(std::move(hooks)) {}

std::optional<Isolation::Wanted> Isolation::wanted() const {
  auto text = read_file(file_);
  if (!text) return std::nullopt;
  // One that cannot be read is there all the same: the safe side is a closed network that a controller must be heard through.
  auto json = parse_json(*text);
  if (!json) return Wanted{};
  return Wanted{text_or(*json, "why"), text_or(*json, "since"), bool_or(*json, "proven")};
}

// On a full disk the network is closed all the same.
void Isolation::remember(const Wanted& wanted) const {
  JsonObject json{{"why", wanted.why}, {"since", wanted.since}, {"proven", wanted.proven}};
  if (auto written = write_file_atomic(file_, to_text(json), 0600); !written)
    hooks_.log(fmt::format("the isolation would not be put in again after a reboot: {}", written.error().text()));
  hooks_.changed();
}

void Isolation::forget() const {
  unlink(file_.c_str());
  hooks_.changed();
}

Task<> Isolation::restore() {
  auto before = wanted();
  if (!before) co_return;
  auto loading = load_isolation();
  if (auto loaded = co_await std::move(loading); !loaded) {
    hooks_.log(fmt::format("THIS HOST IS TO BE CUT OFF AND IS NOT, as its network could not be closed: {}",
                           loaded.error().text()));
    co_return;
  }
  hooks_.log(fmt::format("this host is cut off from the network since {}, by {}", before->since, before->why));
  if (before->proven) co_return;
  unproven_since_ = boot_now();
  scope_.spawn("isolation", watch_alone());
}

Task<Result<Json>> Isolation::carry_out(std::string method, Json params) {
  if (method == wire::Isolate::kMethod) {
    auto order = decode<wire::Isolate>(params);
    if (!order) co_return std::unexpected(to_error(order.error(), "the parameters do not fit"));
    auto closing = close(std::move(order->why));
    CO_TRY_VOID(co_await std::move(closing));
    auto watching = watch();
    CO_TRY_VOID(co_await std::move(watching));
    co_return Json(JsonObject{{"closed", true}});
  }
  if (method == wire::Rejoin::kMethod) {
    auto order = decode<wire::Rejoin>(params);
    if (!order) co_return std::unexpected(to_error(order.error(), "the parameters do not fit"));
    auto opening = open();
    CO_TRY_VOID(co_await std::move(opening));
    hooks_.log(fmt::format("this host is back on the network, by {}", order->why));
    co_return Json(JsonObject{{"closed", false}});
  }
  if (method == wire::kNetworkState) {
    auto looking = closed();
    CO_TRY(bool isolated, co_await std::move(looking));
    co_return Json(JsonObject{{"isolated", isolated}});
  }
  co_return fail(ErrorKind::unsupported, fmt::format("this agent does not know '{}'", method),
                 "it may be older than the controller");
}

Task<Result<>> Isolation::load_isolation() {
  CO_TRY(std::string rules, isolation_rules(controllers_));
  auto loading = load(std::move(rules));
  co_return co_await std::move(loading);
}

Task<Result<>> Isolation::close(std::string why) {
  if (changing_) co_return is_changing();
  Changing changing(changing_);
  auto before = wanted();
  Wanted now{std::move(why), format_wall(wall_now()), false};
  if (before) now.since = before->since, now.proven = before->proven;
  // Before the rules: an agent that dies right after them leaves the next one a file that has it watch them.
  remember(now);
  auto loading = load_isolation();
  if (auto loaded = co_await std::move(loading); !loaded) {
    // Rules are taken as a whole or not at all, so what was there before still is.
    if (before) {
      remember(*before);
      co_return loaded;
    }
    forget();
    // Cut short, they may have been taken.
    if (loaded.error().kind == ErrorKind::timed_out) {
      auto undoing = load(rejoin_rules());
      (void)co_await std::move(undoing);
    }
    co_return loaded;
  }
  if (!now.proven) unproven_since_ = boot_now();
  hooks_.log(fmt::format("this host is cut off from the network, by {}", now.why));
  co_return Result<>{};
}

// The file goes first: if the agent dies in between, the host is still closed and says so, and is not closed anew later.
Task<Result<>> Isolation::open() {
  if (changing_) co_return is_changing();
  Changing changing(changing_);
  forget();
  auto loading = load(rejoin_rules());
  CO_TRY_VOID(co_await std::move(loading));
  unproven_since_.reset();
  co_return Result<>{};
}

Task<Result<bool>> Isolation::closed() {
  auto running = run_nft({"list", "table", "inet", std::string(kIsolationTable)}, "");
  CO_TRY(ProcessResult result, co_await std::move(running));
  if (result.exit_code == 0) co_return true;
  if (result.err.contains("No such file or directory")) co_return false;
  co_return fail(ErrorKind::refused,
                 fmt::format("nft does not say whether this host is cut off: {}", first_line(result.err)));
}

Task<Result<>> Isolation::watch() {
  while (unproven_since_) {
    isolation::Proof proof = isolation::judge(*unproven_since_, heard_, boot_now());
    if (proof == isolation::Proof::keep) {
      unproven_since_.reset();
      if (auto known = wanted()) {
        known->proven = true;
        remember(*known);
      }
      co_return Result<>{};
    }
    if (proof == isolation::Proof::take_back) {
      Duration unheard = to_duration(boot_now() - *unproven_since_);
      auto opening = open();
      auto opened = co_await std::move(opening);
      if (opened)
        co_return fail(ErrorKind::refused,
                       fmt::format("no controller was heard through the closed network within {}: it is open again",
                                   format_span(unheard)),
                       "a VPN or a tunnel that ends on this host is closed as well: let it end before this host");
      hooks_.log(fmt::format("the isolation cannot be taken back: {}", opened.error().text()));
      co_await sleep_for(kTryAgain);
    }
    co_await sleep_for(kLookAgain);
  }
  auto looking = closed();
  CO_TRY(bool still, co_await std::move(looking));
  if (!still) co_return fail(ErrorKind::conflict, "this host was let back in meanwhile");
  co_return Result<>{};
}

Task<> Isolation::watch_alone() {
  auto watching = watch();
  if (auto ended = co_await std::move(watching); !ended) hooks_.log(ended.error().text());
}

}  // namespace lifeboat
