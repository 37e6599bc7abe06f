// traffic.drain: a region gets no new users, and those that are there finish.
#include "actions/registry.hpp"
#include "actions/traffic_common.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{200};
constexpr Duration kEnd{2'000};  // for sessions to be gone after they were ended

struct TrafficDrainParams {
  Identifier service;
  std::optional<Identifier> at;
  Identifier region;
  Duration within{30'000};

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    check_traffic(plan, service, at, problems);
    check_region(plan, "/region", region, problems);
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(TrafficDrainParams, (), (service, at, region, within))
constexpr auto field_docs(const TrafficDrainParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the haproxy service"},
      {"at", Need::optional, "region of the load balancer; all of them when left out"},
      {"region", Need::required, "the region that is drained"},
      {"within", Need::optional, "how long users may finish (30s); then their connections are closed"},
  });
}

class TrafficDrain final : public Action {
 public:
  explicit TrafficDrain(TrafficDrainParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override;
  Task<Result<Outcome>> apply(ActionContext context) override;
  Task<Result<Outcome>> undo(ActionContext context, Json applied) override;

 private:
  Task<Result<std::vector<BalancerView>>> look(World* world, Deadline deadline) {
    return look_at_balancers(world, params_.service.text, text_of(params_.at), deadline);
  }
  bool ours(const HaproxyServer& server) const { return region_of_server(server.name) == params_.region.text; }
  int64_t sessions(const std::vector<BalancerView>& views) const;
  bool drained(const std::vector<BalancerView>& views) const;
  Result<void> check_others(const BalancerView& view) const;
  // Waits until no session is left; what is left at the end.
  Task<Result<int64_t>> wait_empty(ActionContext context, Deadline deadline);

  TrafficDrainParams params_;
};

int64_t TrafficDrain::sessions(const std::vector<BalancerView>& views) const {
  int64_t sum = 0;
  for (const BalancerView& view : views) {
    for (const HaproxyServer& server : view.servers) sum += ours(server) ? server.sessions : 0;
  }
  return sum;
}

bool TrafficDrain::drained(const std::vector<BalancerView>& views) const {
  return std::ranges::all_of(views, [this](const BalancerView& view) {
    return std::ranges::all_of(view.servers, [this](const HaproxyServer& server) {
      return !ours(server) || server.drained || server.maintenance;
    });
  });
}

// Draining the only region that serves would end service, which is not what anybody means by it.
Result<void> TrafficDrain::check_others(const BalancerView& view) const {
  bool any = std::ranges::any_of(view.servers, [this](const HaproxyServer& server) { return ours(server); });
  if (!any) {
    return fail(ErrorKind::not_found,
                fmt::format("the load balancer in {} has no server named {}-N", view.region, params_.region.text));
  }
  bool others = std::ranges::any_of(view.servers, [this](const HaproxyServer& server) {
    return !ours(server) && server.up && !server.drained && server.weight > 0;
  });
  if (others) return {};
  return fail(ErrorKind::refused,
              fmt::format("at the load balancer in {} nobody but {} serves users", view.region, params_.region.text),
              "give another region a share first (traffic.weights or traffic.ramp)");
}

Task<Result<int64_t>> TrafficDrain::wait_empty(ActionContext context, Deadline deadline) {
  int64_t last = -1;
  while (true) {
    CO_TRY(auto views, co_await look(&context.world, context.deadline));
    int64_t left = sessions(views);
    if (left == 0 || deadline.left() <= kLook) co_return left;
    if (left != last) context.progress(fmt::format("{} sessions left in {}", left, params_.region.text));
    last = left;
    co_await sleep_for(kLook);
  }
}

Task<Result<Observation>> TrafficDrain::observe(ActionContext context) {
  CO_TRY(auto views, co_await look(&context.world, context.deadline));
  int64_t left = sessions(views);
  Observation out;
  out.holds = drained(views) && left == 0;
  out.state = fmt::format("{}, {} sessions in {}", shares_now_text(views), left, params_.region.text);
  if (!out.holds)
    out.change = fmt::format("no new users to {}; {} sessions may finish within {}", params_.region.text, left,
                             format_span(params_.within));
  out.data = {{"sessions", left}};
  co_return out;
}

Task<Result<Outcome>> TrafficDrain::apply(ActionContext context) {
  CO_TRY(auto views, co_await look(&context.world, context.deadline));
  for (const BalancerView& view : views) CO_TRY_VOID(check_others(view));
  MonoTime began = boot_now();
  for (BalancerView& view : views) {
    for (const HaproxyServer& server : view.servers) {
      if (!ours(server) || server.drained || server.maintenance) continue;
      std::string state = "drain";
      CO_TRY_VOID(co_await view.api.set_state(view.backend, server.name, std::move(state), context.deadline));
    }
  }
  CO_TRY(int64_t left, co_await wait_empty(context, context.deadline.at_most(params_.within)));
  int64_t ended = left;
  if (left > 0) {
    for (BalancerView& view : views) {
      for (const HaproxyServer& server : view.servers) {
        if (!ours(server)) continue;
        CO_TRY_VOID(co_await view.api.shutdown_sessions(view.backend, server.name, context.deadline));
      }
    }
    CO_TRY(left, co_await wait_empty(context, context.deadline.at_most(kEnd)));
  }
  if (left > 0) {
    co_return fail(ErrorKind::timed_out, fmt::format("{} sessions in {} did not end", left, params_.region.text));
  }
  Outcome out;
  out.summary = fmt::format("{} is drained, {} sessions were closed", params_.region.text, ended);
  out.data = {{"service", params_.service.text},
              {"region", params_.region.text},
              {"closed", ended},
              {"balancers", remember(views)},
              {"seconds", to_seconds(boot_now() - began)}};
  co_return out;
}

Task<Result<Outcome>> TrafficDrain::undo(ActionContext context, Json applied) {
  CO_TRY(auto views, co_await look(&context.world, context.deadline));
  CO_TRY_VOID(co_await restore(std::move(views), member(applied, "balancers"), context.deadline));
  Outcome out;
  out.summary = fmt::format("{} takes users as before", params_.region.text);
  co_return out;
}

}  // namespace

const ActionDescriptor& traffic_drain_action() {
  static const ActionDescriptor descriptor{
      .name = "traffic.drain",
      .summary = "Gives a region no new users and lets those that are there finish.",
      .details =
          "Observes the state of the region's servers and their sessions. Applies drain at each load balancer, waits "
          "until no "
          "session is left, and after 'within' closes what still is. Refused when no other region serves users at one "
          "of the "
          "load balancers. Undo lets the servers take users again, as they did before.",
      .example = "{id: drain-west, uses: traffic.drain, with: {service: balancer, region: west, within: 30s}}",
      .can_undo = true,
      .usual_timeout = Duration{120'000},
      .touches = touches_service,
      .schema = params_schema<TrafficDrainParams>,
      .validate = validate_params<TrafficDrainParams>,
      .make = make_action<TrafficDrain, TrafficDrainParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
