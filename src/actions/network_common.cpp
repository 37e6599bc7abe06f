#include "actions/network_common.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "actions/references.hpp"
#include "core/isolation/isolation.hpp"
#include "io/dial.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{3'000};
// An agent hears its controller through the closed network before it answers, or takes it back after 15 seconds.
constexpr Duration kEachHost{30'000};
constexpr Duration kLookAgain{500};
constexpr std::string_view kState = "network.state";

struct HostAnswer {
  enum class Kind { isolated, open, silent, refused };
  std::string host;
  Kind kind = Kind::silent;
  Error error;  // of those that are silent or refused
};
using Kind = HostAnswer::Kind;

bool is_lost(ErrorKind kind) { return kind == ErrorKind::unknown_outcome || kind == ErrorKind::timed_out; }

HostAnswer of_error(std::string host, Error error) {
  bool silent = error.kind == ErrorKind::unreachable || is_lost(error.kind);
  return {std::move(host), silent ? Kind::silent : Kind::refused, std::move(error)};
}

Task<HostAnswer> look_at(World* world, std::string host, Deadline deadline) {
  auto asking = world->agents.call(host, std::string(kState), Json(JsonObject{}), deadline, [](std::string) {});
  auto answer = co_await std::move(asking);
  if (!answer) co_return of_error(std::move(host), std::move(answer).error());
  co_return HostAnswer{std::move(host), bool_or(*answer, "isolated") ? Kind::isolated : Kind::open, {}};
}

Task<std::vector<HostAnswer>> look_at_all(World* world, std::vector<std::string> hosts, Deadline deadline) {
  std::vector<Task<HostAnswer>> looks;
  for (std::string& host : hosts) looks.push_back(look_at(world, std::move(host), deadline));
  co_return co_await gather(std::move(looks));
}

// Whether the agent has done it is asked anew over the link that is left: that it answers proves the link.
Task<HostAnswer> order_one(ActionContext context, std::string host, NetworkOrder order, Deadline deadline) {
  JsonObject params{{"why", context.idempotency_key}};
  auto progress = [tell = context.progress, host](std::string line) { tell(fmt::format("{}: {}", host, line)); };
  auto calling =
      context.world.agents.call(host, std::string(order.method), std::move(params), deadline, std::move(progress));
  auto done = co_await std::move(calling);
  bool lost = !done && is_lost(done.error().kind);
  if (!done && !lost) co_return of_error(std::move(host), std::move(done).error());
  if (lost) context.progress(fmt::format("{} has not answered; looking at it until it does", host));
  while (true) {
    auto looking = look_at(&context.world, host, deadline.at_most(kLook));
    HostAnswer seen = co_await std::move(looking);
    // The agent makes a new link by itself.
    if (lost && seen.kind == Kind::silent && deadline.left() > kLookAgain) {
      co_await sleep_for(kLookAgain);
      continue;
    }
    if (seen.kind == (order.isolates ? Kind::open : Kind::isolated)) {
      seen.kind = Kind::refused;
      seen.error.kind = lost ? ErrorKind::unknown_outcome : ErrorKind::refused;
      seen.error.what = fmt::format("its network is {} all the same", order.isolates ? "open" : "closed");
      seen.error.hint = "the agent's log on the host says why";
    }
    co_return seen;
  }
}

JsonArray array_of(const std::vector<std::string>& names) {
  JsonArray out;
  for (const std::string& name : names) out.emplace_back(name);
  return out;
}

// What the agents said, by what it means.
struct Sorted {
  std::vector<std::string> isolated, open, silent;
  std::vector<HostAnswer> refused;
};
Sorted sorted(std::vector<HostAnswer> answers) {
  Sorted out;
  for (HostAnswer& answer : answers) {
    if (answer.kind == Kind::isolated) out.isolated.push_back(answer.host);
    if (answer.kind == Kind::open) out.open.push_back(answer.host);
    if (answer.kind == Kind::silent) out.silent.push_back(answer.host);
    if (answer.kind == Kind::refused) out.refused.push_back(std::move(answer));
  }
  return out;
}

std::string by_hand(const NetworkOrder& order, const std::vector<std::string>& hosts) {
  return fmt::format(fmt::runtime(order.by_hand), hosts.size() == 1 ? "it" : "them");
}

// What a person must know or do.
std::vector<std::string> left_to_people(const NetworkHosts& hosts, const std::vector<std::string>& silent,
                                        const NetworkOrder& order) {
  std::vector<std::string> out;
  if (!silent.empty()) out.push_back(fmt::format("NO ANSWER from {}: {}", in_words(silent), by_hand(order, silent)));
  if (!hosts.without_agent.empty())
    out.push_back(fmt::format("{} {} no agent: {}", in_words(hosts.without_agent),
                              hosts.without_agent.size() == 1 ? "has" : "have", by_hand(order, hosts.without_agent)));
  if (order.isolates && !hosts.control.empty())
    out.push_back(
        fmt::format("left on the network, as controllers or their store run there: {}", in_words(hosts.control)));
  return out;
}

}  // namespace

std::string in_words(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  std::string out = names.front();
  for (size_t index = 1; index < names.size(); ++index)
    out += (index + 1 == names.size() ? " and " : ", ") + names[index];
  return out;
}

DecodeProblems NetworkParams::check(const Plan& plan) const {
  DecodeProblems problems;
  if (region.has_value() == !hosts.empty()) {
    problems.push_back({"", "exactly one of 'region' and 'hosts' is needed", "region: NAME"});
    return problems;
  }
  if (region) require_name(plan.regions, "region", region->text, problems, "/region");
  for (size_t index = 0; index < hosts.size(); ++index) {
    const std::string& host = hosts[index].text;
    std::string path = fmt::format("/hosts/{}", index);
    if (require_name(plan.hosts, "host", host, problems, path) == nullptr) continue;
    if (isolation::carries_control(plan, host))
      problems.push_back({path,
                          fmt::format("{} has a controller or a voter of their store, and is never cut off", host),
                          "that would cut off the control plane"});
  }
  if (problems.empty() && network_hosts(plan, *this).asked.empty())
    problems.push_back({region ? "/region" : "/hosts", "none of these hosts has an agent that could do it",
                        "a manual step says what people do"});
  return problems;
}

NetworkHosts network_hosts(const Plan& plan, const NetworkParams& params) {
  NetworkHosts out;
  for (const auto& [name, host] : plan.hosts) {
    bool meant = params.region && params.region->text == host.region.text;
    for (const Identifier& wanted : params.hosts) meant = meant || wanted.text == name;
    if (!meant) continue;
    auto& where = isolation::carries_control(plan, name) ? out.control : host.agent ? out.asked : out.without_agent;
    where.push_back(name);
  }
  return out;
}

Task<Result<Observation>> observe_network(ActionContext context, NetworkParams params, NetworkOrder order) {
  NetworkHosts hosts = network_hosts(context.world.plan, params);
  auto looking = look_at_all(&context.world, hosts.asked, context.deadline.at_most(kLook));
  Sorted seen = sorted(co_await std::move(looking));
  std::vector<std::string> parts;
  if (!seen.isolated.empty()) parts.push_back(fmt::format("cut off: {}", in_words(seen.isolated)));
  if (!seen.open.empty()) parts.push_back(fmt::format("on the network: {}", in_words(seen.open)));
  if (!seen.silent.empty()) parts.push_back(fmt::format("no answer from {}", in_words(seen.silent)));
  for (const HostAnswer& answer : seen.refused) parts.push_back(fmt::format("{}: {}", answer.host, answer.error.what));
  const std::vector<std::string>& wanted = order.isolates ? seen.isolated : seen.open;
  bool holds = !wanted.empty() && wanted.size() == hosts.asked.size();
  std::vector<std::string> others;
  for (const std::string& host : hosts.asked) {
    if (std::ranges::find(wanted, host) == wanted.end()) others.push_back(host);
  }
  std::vector<std::string> change{fmt::format("→ {}: {}", order.after, in_words(others))};
  for (std::string& line : left_to_people(hosts, {}, order)) change.push_back(std::move(line));
  JsonObject data{{"isolated", array_of(seen.isolated)},
                  {"open", array_of(seen.open)},
                  {"unreachable", array_of(seen.silent)},
                  {"without_agent", array_of(hosts.without_agent)}};
  co_return Observation{holds, fmt::format("{}", fmt::join(parts, "; ")),
                        holds ? "" : fmt::format("{}", fmt::join(change, "; ")), std::move(data)};
}

Task<Result<Outcome>> order_network(ActionContext context, NetworkParams params, NetworkOrder order) {
  NetworkHosts hosts = network_hosts(context.world.plan, params);
  // What came of it is to be told before the step's own time is over.
  Deadline deadline = context.deadline.at_most(std::min(kEachHost, context.deadline.left() * 9 / 10));
  std::vector<Task<HostAnswer>> orders;
  for (const std::string& host : hosts.asked) orders.push_back(order_one(context, host, order, deadline));
  auto ordering = gather(std::move(orders));
  Sorted seen = sorted(co_await std::move(ordering));
  const std::vector<std::string>& done = order.isolates ? seen.isolated : seen.open;
  std::vector<std::string> parts{fmt::format("{}: {}", order.after, in_words(done))};
  for (std::string& line : left_to_people(hosts, seen.silent, order)) parts.push_back(std::move(line));
  std::string summary = fmt::format("{}", fmt::join(parts, "; "));
  if (!seen.refused.empty()) {
    Error error = std::move(seen.refused.front().error);
    std::string told = fmt::format("{}: {}", seen.refused.front().host, error.what);
    for (size_t index = 1; index < seen.refused.size(); ++index)
      told += fmt::format("; {}: {}", seen.refused[index].host, seen.refused[index].error.what);
    error.what = fmt::format("{}; {}", told, summary);
    co_return std::unexpected(std::move(error));
  }
  if (done.empty()) co_return fail(ErrorKind::unreachable, std::move(summary));
  if (!seen.silent.empty()) context.progress(parts[1]);
  JsonObject data{{order.key, array_of(done)},
                  {"without_agent", array_of(hosts.without_agent)},
                  {"unreachable", array_of(seen.silent)}};
  if (order.isolates) data["skipped"] = array_of(hosts.control);
  co_return Outcome{std::move(summary), std::move(data)};
}

}  // namespace lifeboat
