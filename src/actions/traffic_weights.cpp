// traffic.weights: users are spread over regions in given shares.
#include "actions/registry.hpp"
#include "actions/traffic_common.hpp"

namespace lifeboat {
namespace {

struct TrafficWeightsParams {
  Identifier service;
  std::optional<Identifier> at;
  OrderedMap<Percent> weights;

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    check_traffic(plan, service, at, problems);
    double total = 0;
    for (const auto& [region, share] : weights) {
      check_region(plan, "/weights/" + region, {region}, problems);
      total += share.value;
    }
    if (std::abs(total - 100) > 0.01) {
      problems.push_back({"/weights", fmt::format("the shares add up to {:g}%", total), "they must add up to 100%"});
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(TrafficWeightsParams, (), (service, at, weights))
constexpr auto field_docs(const TrafficWeightsParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the haproxy service"},
      {"at", Need::optional, "region of the load balancer; all of them when left out"},
      {"weights", Need::required, "by region: its share of users; together 100%"},
  });
}

class TrafficWeights final : public Action {
 public:
  explicit TrafficWeights(TrafficWeightsParams params) : params_(std::move(params)) {
    for (const auto& [region, share] : params_.weights) wanted_[region] = share.value;
  }

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(auto views,
           co_await look_at_balancers(&context.world, params_.service.text, text_of(params_.at), context.deadline));
    Observation out;
    out.holds = true;
    out.state = shares_now_text(views);
    out.change = "→ " + shares_text(wanted_);
    for (const BalancerView& view : views) {
      auto there = gives(view, wanted_);
      if (!there) out.change += "; not possible now: " + there.error().text();
      if (!there || !*there) out.holds = false;
    }
    if (out.holds) out.change.clear();
    out.data = {{"balancers", remember(views)}};
    co_return out;
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    CO_TRY(auto views,
           co_await look_when_up(&context.world, params_.service.text, text_of(params_.at), wanted_, context.deadline));
    Outcome out;
    out.data = {{"service", params_.service.text}, {"balancers", remember(views)}};
    for (const BalancerView& view : views) CO_TRY_VOID(co_await give_shares(view, wanted_, context.deadline));
    out.summary = fmt::format("users go to {} at {} load balancers", shares_text(wanted_), views.size());
    co_return out;
  }

  Task<Result<Outcome>> undo(ActionContext context, Json applied) override {
    CO_TRY(auto views,
           co_await look_at_balancers(&context.world, params_.service.text, text_of(params_.at), context.deadline));
    CO_TRY_VOID(co_await restore(std::move(views), member(applied, "balancers"), context.deadline));
    Outcome out;
    out.summary = fmt::format("weights of {} are as they were before", params_.service.text);
    co_return out;
  }

 private:
  TrafficWeightsParams params_;
  Shares wanted_;
};

}  // namespace

const ActionDescriptor& traffic_weights_action() {
  static const ActionDescriptor descriptor{
      .name = "traffic.weights",
      .summary = "Spreads users over regions in given shares.",
      .details =
          "Observes the weights at the load balancers and which servers are up. Applies absolute weights that give the "
          "shares "
          "for the number of servers that are up now, takes servers of regions with a share out of drain, and reads "
          "the "
          "weights back. Regions that are not named get nothing. Waits up to ten seconds for health checks to see a "
          "server up in each region with a share; fails then, and may be tried again.\n\n"
          "HAProxy forgets runtime weights when it is restarted or reloaded without a state file. Undo puts the "
          "weights and "
          "drains back as they were.",
      .example = "{id: spread, uses: traffic.weights, with: {service: balancer, weights: {east: 50%, west: 50%}}}",
      .can_undo = true,
      .usual_timeout = Duration{30'000},
      .touches = touches_service,
      .schema = params_schema<TrafficWeightsParams>,
      .validate = validate_params<TrafficWeightsParams>,
      .make = make_action<TrafficWeights, TrafficWeightsParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
