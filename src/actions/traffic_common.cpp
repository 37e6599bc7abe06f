#include "actions/traffic_common.hpp"

#include "io/dial.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAsk{2'000};

std::vector<RegionServers> up_by_region(const BalancerView& view) {
  std::vector<RegionServers> out;
  for (const HaproxyServer& server : view.servers) {
    std::string region = region_of_server(server.name);
    auto found = std::ranges::find(out, region, &RegionServers::region);
    if (found == out.end()) found = out.insert(out.end(), RegionServers{region, 0});
    if (server.up) ++found->up;
  }
  return out;
}

Shares shares_with(const BalancerView& view, const std::map<std::string, int>& weights) {
  std::vector<WeighedServer> weighed;
  for (const HaproxyServer& server : view.servers) {
    std::string region = region_of_server(server.name);
    weighed.push_back({region, server.up, weights.at(region)});
  }
  return shares_of(weighed);
}

}  // namespace

std::string region_of_server(std::string_view name) {
  size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash + 1 == name.size()) return {};
  std::string_view number = name.substr(dash + 1);
  bool digits = std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::string(name.substr(0, dash)) : std::string();
}

Task<Result<std::vector<BalancerView>>> look_at_balancers(World* world, std::string service,
                                                          std::optional<std::string> at, Deadline deadline) {
  const auto* haproxy = service_as<HaproxyService>(world->plan, service);
  if (haproxy == nullptr) co_return fail(ErrorKind::invalid_input, "no such haproxy service: " + service);
  std::vector<BalancerView> views;
  for (const auto& [region, balancer] : haproxy->members) {
    if (at && *at != region) continue;
    views.push_back({region,
                     haproxy->backend.text,
                     Haproxy(address_of(world->plan, balancer.host.text), balancer.runtime_port),
                     {}});
  }
  if (views.empty()) {
    co_return fail(ErrorKind::invalid_input,
                   fmt::format("{} has no load balancer {}", service, at ? "in " + *at : "at all"));
  }
  std::vector<Task<Result<std::vector<HaproxyServer>>>> questions;
  for (BalancerView& view : views) questions.push_back(view.api.servers(view.backend, deadline.at_most(kAsk)));
  auto answers = co_await gather(std::move(questions));
  for (size_t index = 0; index < views.size(); ++index) {
    if (!answers[index]) {
      Error error = std::move(answers[index]).error().with("load balancer in " + views[index].region);
      if (!at && error.hint.empty()) error.hint = "name the balancer that counts with 'at' if this one is lost";
      co_return std::unexpected(std::move(error));
    }
    views[index].servers = std::move(*answers[index]);
  }
  co_return views;
}

Shares shares_now(const BalancerView& view) {
  std::vector<WeighedServer> weighed;
  for (const HaproxyServer& server : view.servers) {
    weighed.push_back({region_of_server(server.name), server.up && !server.drained, server.weight});
  }
  return shares_of(weighed);
}

std::string shares_now_text(const std::vector<BalancerView>& views) {
  std::vector<std::string> parts;
  for (const BalancerView& view : views)
    parts.push_back(fmt::format("{}: {}", view.region, shares_text(shares_now(view))));
  return fmt::format("{}", fmt::join(parts, "; "));
}

Result<bool> gives(const BalancerView& view, const Shares& wanted) {
  TRY(auto weights, weights_for(wanted, up_by_region(view)));
  return same_shares(shares_now(view), shares_with(view, weights));
}

Task<Result<std::vector<BalancerView>>> look_when_up(World* world, std::string service, std::optional<std::string> at,
                                                     Shares wanted, Deadline deadline) {
  constexpr Duration kSeenWithin{10'000}, kLookEvery{250};
  // The other half of the time is for what is to be done then.
  Deadline patience = Deadline::after(std::min(kSeenWithin, deadline.left() / 2));
  while (true) {
    CO_TRY(auto views, co_await look_at_balancers(world, service, at, deadline));
    bool all_up = std::ranges::all_of(views, [&](const BalancerView& view) { return gives(view, wanted).has_value(); });
    if (all_up || patience.passed()) co_return views;
    co_await sleep_for(kLookEvery);
  }
}

Task<Result<void>> give_shares(BalancerView view, Shares wanted, Deadline deadline) {
  auto weights = weights_for(wanted, up_by_region(view));
  if (!weights) co_return std::unexpected(std::move(weights).error().with("load balancer in " + view.region));
  std::vector<Haproxy::Weight> changes;
  for (const HaproxyServer& server : view.servers) {
    int weight = weights->at(region_of_server(server.name));
    if (server.weight != weight) changes.push_back({server.name, weight});
  }
  CO_TRY_VOID(co_await view.api.set_weights(view.backend, std::move(changes), deadline.at_most(kAsk)));
  for (const HaproxyServer& server : view.servers) {
    bool back_in = server.drained && !server.maintenance && weights->at(region_of_server(server.name)) > 0;
    if (!back_in) continue;
    std::string state = "ready";
    CO_TRY_VOID(co_await view.api.set_state(view.backend, server.name, std::move(state), deadline.at_most(kAsk)));
  }
  co_return Result<void>{};
}

Json remember(const std::vector<BalancerView>& views) {
  JsonObject out;
  for (const BalancerView& view : views) {
    JsonObject servers;
    for (const HaproxyServer& server : view.servers) {
      servers[server.name] = {{"weight", server.weight}, {"drained", server.drained}};
    }
    out[view.region] = std::move(servers);
  }
  return out;
}

Task<Result<void>> restore(std::vector<BalancerView> views, Json remembered, Deadline deadline) {
  for (BalancerView& view : views) {
    const Json& before = member(remembered, view.region);
    std::vector<Haproxy::Weight> changes;
    for (const HaproxyServer& server : view.servers) {
      const Json& was = member(before, server.name);
      if (was.is_object()) changes.push_back({server.name, static_cast<int>(int_or(was, "weight", server.weight))});
    }
    CO_TRY_VOID(co_await view.api.set_weights(view.backend, std::move(changes), deadline.at_most(kAsk)));
    for (const HaproxyServer& server : view.servers) {
      const Json& was = member(before, server.name);
      if (!was.is_object() || server.maintenance || bool_or(was, "drained") == server.drained) continue;
      std::string state = server.drained ? "ready" : "drain";
      CO_TRY_VOID(co_await view.api.set_state(view.backend, server.name, std::move(state), deadline.at_most(kAsk)));
    }
  }
  co_return Result<void>{};
}

void check_traffic(const Plan& plan, const Identifier& service, const std::optional<Identifier>& at,
                   DecodeProblems& problems) {
  const auto* haproxy = service_as<HaproxyService>(plan, service.text);
  if (haproxy == nullptr) {
    problems.push_back(unknown_reference("/service", "haproxy service", service.text, plan.services.names()));
  } else if (at && !haproxy->members.contains(at->text)) {
    problems.push_back(unknown_reference("/at", "load balancer region", at->text, haproxy->members.names()));
  }
}

void check_region(const Plan& plan, std::string path, const Identifier& region, DecodeProblems& problems) {
  if (plan.regions.contains(region.text)) return;
  problems.push_back(unknown_reference(std::move(path), "region", region.text, plan.regions.names()));
}

std::optional<std::string> text_of(const std::optional<Identifier>& name) {
  return name ? std::optional(name->text) : std::nullopt;
}

}  // namespace lifeboat
