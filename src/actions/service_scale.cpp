// service.scale: as many instances of a service as are needed, in one region.
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct ServiceScaleParams {
  Identifier service;
  Identifier region;
  int count = 0;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* http = require_service<HttpService>(plan, service.text, problems);
    if (http == nullptr) return problems;
    const InstanceGroup* group =
        require_name(http->instances, "region with instances of " + service.text, region.text, problems, "/region");
    if (group == nullptr) return problems;
    int most = std::max(group->count, group->max);
    if (count < 0 || count > most) {
      problems.push_back({"/count", fmt::format("{} has room for 0 to {} instances, not {}", region.text, most, count),
                          "raise `max` of the region in the plan if there is more room"});
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(ServiceScaleParams, (), (service, region, count))
constexpr auto field_docs(const ServiceScaleParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the http service"},
      {"region", Need::required, "where"},
      {"count", Need::required, "how many instances; at most the region's max"},
  });
}

class ServiceScale : public Action {
 public:
  explicit ServiceScale(ServiceScaleParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(InstanceGroup group, group_of(context.world));
    int64_t up = context.world.agents.units_up(group.host.text, params_.service.text);
    bool holds = up == params_.count;
    std::string state =
        up < 0 ? fmt::format("{}: not known how many are up in {}", params_.service.text, params_.region.text)
               : fmt::format("{}: {} up in {}", params_.service.text, up, params_.region.text);
    co_return Observation{holds, std::move(state), holds ? "" : fmt::format("→ {}", params_.count),
                          JsonObject{{"up", up}}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    CO_TRY(InstanceGroup group, group_of(context.world));
    int64_t up = context.world.agents.units_up(group.host.text, params_.service.text);
    // After an attempt whose outcome is unknown, what is up may be this step's own doing: a calm day's number is the
    // better answer to "how many were there before".
    int64_t former = up < 0 || up == params_.count ? group.count : up;
    CO_TRY_VOID(co_await scale(context, group, params_.count));
    co_return Outcome{fmt::format("{}: {} up in {}", params_.service.text, params_.count, params_.region.text),
                      JsonObject{{"former", former}, {"count", params_.count}}};
  }

  Task<Result<Outcome>> undo(ActionContext context, Json applied) override {
    CO_TRY(InstanceGroup group, group_of(context.world));
    int64_t former = int_or(applied, "former", group.count);
    CO_TRY_VOID(co_await scale(context, group, former));
    co_return Outcome{fmt::format("{}: {} up in {} again", params_.service.text, former, params_.region.text),
                      JsonObject{{"count", former}}};
  }

 private:
  Result<InstanceGroup> group_of(World& world) const {
    const auto* http = service_as<HttpService>(world.plan, params_.service.text);
    const InstanceGroup* group = http == nullptr ? nullptr : http->instances.find(params_.region.text);
    if (group != nullptr) return *group;
    return fail(ErrorKind::invalid_input,
                fmt::format("{} has no instances in {}", params_.service.text, params_.region.text));
  }

  Task<Result<void>> scale(ActionContext context, InstanceGroup group, int64_t count) {
    JsonObject params{{"service", params_.service.text}, {"count", count}};
    auto reply = co_await context.world.agents.call(group.host.text, "units.scale", std::move(params), context.deadline,
                                                    context.progress);
    if (!reply) co_return std::unexpected(std::move(reply).error());
    int64_t up = int_or(*reply, "up", -1);
    if (up >= 0 && up != count)
      co_return fail(ErrorKind::conflict, fmt::format("{} of {} instances of {} are up on {}", up, count,
                                                      params_.service.text, group.host.text));
    co_return Result<void>{};
  }

  ServiceScaleParams params_;
};

}  // namespace

const ActionDescriptor& service_scale_action() {
  static const ActionDescriptor descriptor{
      .name = "service.scale",
      .summary = "Runs a number of instances of a service in a region.",
      .details =
          "Holds when exactly that many are up. Otherwise the agent of the region's host starts or stops instances and "
          "answers when they are healthy. Fails when the agent is not connected. Undo goes back to the number before.",
      .example = "- {id: scale, uses: service.scale, with: {service: api, region: west, count: 3}, timeout: 2m}",
      .can_undo = true,
      .usual_timeout = Duration{120'000},
      .touches = touches_service,
      .schema = params_schema<ServiceScaleParams>,
      .validate = validate_params<ServiceScaleParams>,
      .make = make_action<ServiceScale, ServiceScaleParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
