// postgres.switchover: the primary hands over in good order; nothing is lost.
#include "actions/postgres_common.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct PostgresSwitchoverParams {
  Identifier service;
  Identifier to;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    require_database_target(plan, service.text, to.text, problems);
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresSwitchoverParams, (), (service, to))
constexpr auto field_docs(const PostgresSwitchoverParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"to", Need::required, "the member, or the region whose best member, takes over"},
  });
}

class PostgresSwitchover : public Action {
 public:
  explicit PostgresSwitchover(PostgresSwitchoverParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(DatabaseView view, context.world.databases.view(params_.service.text));
    bool holds = written_in(view, params_.to.text);
    std::string change = holds ? "" : fmt::format("→ {}, loses nothing", params_.to.text);
    co_return Observation{holds, in_words(view), std::move(change),
                          JsonObject{{"holder", view.holder}, {"term", view.term}}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    CO_TRY(Json done, co_await context.world.databases.switchover(params_.service.text, params_.to.text,
                                                                  context.deadline, context.progress));
    std::string summary = fmt::format("{} is primary, timeline {}; writes paused {:.2f} s", text_or(done, "member"),
                                      int_or(done, "timeline"), number_or(done, "write_outage_s"));
    co_return Outcome{std::move(summary), std::move(done)};
  }

 private:
  PostgresSwitchoverParams params_;
};

}  // namespace

const ActionDescriptor& postgres_switchover_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.switchover",
      .summary = "Hands a database over to another member without losing anything.",
      .details =
          "Holds when `to` takes writes. Otherwise the primary stops taking writes, the new one waits until it has "
          "every "
          "record, then it is promoted and the old one follows it. Refused when the target does not stream or is too "
          "far behind: nothing has been stopped then. Its data: member, term, timeline, write_outage_s.",
      .example = "- {id: switch, uses: postgres.switchover, with: {service: database, to: east-1}, timeout: 2m}",
      .usual_timeout = Duration{120'000},
      .touches = touches_service,
      .schema = params_schema<PostgresSwitchoverParams>,
      .validate = validate_params<PostgresSwitchoverParams>,
      .make = make_action<PostgresSwitchover, PostgresSwitchoverParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
