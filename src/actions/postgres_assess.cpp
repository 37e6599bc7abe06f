// postgres.assess: what a failover at this moment would lose, before anybody decides.
#include "actions/postgres_common.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct PostgresAssessParams {
  Identifier service;
  Identifier to;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    require_database_target(plan, service.text, to.text, problems);
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresAssessParams, (), (service, to))
constexpr auto field_docs(const PostgresAssessParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"to", Need::required, "the region or member that would take over"},
  });
}

class PostgresAssess : public Action {
 public:
  explicit PostgresAssess(PostgresAssessParams params) : params_(std::move(params)) {}

  // Measuring again costs nothing, so it never holds: the newest figure is what people want.
  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(Outcome now, measure(context.world));
    co_return Observation{false, now.summary, "measure again", now.data};
  }

  Task<Result<Outcome>> apply(ActionContext context) override { co_return measure(context.world); }

 private:
  Result<Outcome> measure(World& world) const {
    TRY(LossEstimate loss, world.databases.loss_if_failed_over(params_.service.text, params_.to.text));
    JsonObject data{{"candidate", loss.candidate}, {"reason", loss.reason}};
    data["lost_bytes"] = loss.bytes ? Json(*loss.bytes) : Json(nullptr);
    data["lag_s"] = loss.age ? Json(to_seconds(*loss.age)) : Json(nullptr);
    if (loss.candidate.empty()) return Outcome{fmt::format("nobody can take over: {}", loss.reason), std::move(data)};
    std::string bytes = loss.bytes ? fmt::format("{} bytes of WAL", *loss.bytes) : "an unknown amount of WAL";
    std::string age = loss.age ? format_span(*loss.age) : "unknown in time";
    return Outcome{fmt::format("{} would take over; it lacks {}, {}", loss.candidate, bytes, age), std::move(data)};
  }

  PostgresAssessParams params_;
};

}  // namespace

const ActionDescriptor& postgres_assess_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.assess",
      .summary = "Measures what a failover of a database would lose at this moment.",
      .details =
          "Changes nothing. Its data: candidate (empty when nobody can take over), reason, lost_bytes and lag_s "
          "(null when they are not known). Other steps use them as ${steps.ID.data.lag_s}.",
      .example = "- {id: measure, uses: postgres.assess, needs: [], with: {service: database, to: west}}",
      .usual_timeout = Duration{30'000},
      .schema = params_schema<PostgresAssessParams>,
      .validate = validate_params<PostgresAssessParams>,
      .make = make_action<PostgresAssess, PostgresAssessParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
