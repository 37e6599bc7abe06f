// postgres.failover: a standby becomes the primary after the old one can no longer write.
#include "actions/postgres_common.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct PostgresFailoverParams {
  Identifier service;
  Identifier to;
  bool accept_loss = false;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    require_database_target(plan, service.text, to.text, problems);
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresFailoverParams, (), (service, to, accept_loss))
constexpr auto field_docs(const PostgresFailoverParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"to", Need::required, "the region or member that takes over"},
      {"accept_loss", Need::optional,
       "true: more may be lost than the plan allows without a person; give such a step an approval"},
  });
}

class PostgresFailover : public Action {
 public:
  explicit PostgresFailover(PostgresFailoverParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(DatabaseView view, context.world.databases.view(params_.service.text));
    JsonObject data{{"holder", view.holder}, {"term", view.term}};
    if (written_in(view, params_.to.text)) co_return Observation{true, in_words(view), "", std::move(data)};
    std::string change = "→ " + params_.to.text;
    auto loss = context.world.databases.loss_if_failed_over(params_.service.text, params_.to.text);
    if (loss && loss->candidate.empty())
      change = fmt::format("nobody in {} can take over: {}", params_.to.text, loss->reason);
    if (loss && !loss->candidate.empty()) {
      change = fmt::format("→ {}, sets aside {}", loss->candidate,
                           loss->age ? format_span(*loss->age) : "an unknown amount");
      data["candidate"] = loss->candidate;
      if (loss->bytes) data["lost_bytes"] = *loss->bytes;
    }
    co_return Observation{false, in_words(view), std::move(change), std::move(data)};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    CO_TRY(Json done,
           co_await context.world.databases.failover(params_.service.text, params_.to.text, params_.accept_loss,
                                                     context.deadline, context.progress));
    std::string summary = fmt::format("{} is primary, timeline {}, term {}", text_or(done, "member"),
                                      int_or(done, "timeline"), int_or(done, "term"));
    if (auto view = context.world.databases.view(params_.service.text)) {
      for (const MemberView& one : view->members) {
        bool lost = one.member != text_or(done, "member") && one.report.cancelled.alone > 0;
        if (lost) summary += "; " + left_alone_on(one);
      }
    }
    co_return Outcome{std::move(summary), std::move(done)};
  }

 private:
  PostgresFailoverParams params_;
};

}  // namespace

const ActionDescriptor& postgres_failover_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.failover",
      .summary = "Makes a standby the primary when the old primary is lost.",
      .details =
          "Holds when a member in `to` takes writes. Otherwise waits until the old primary's lease has ended (it has "
          "stopped writing by then, whether it answers or not), promotes the member that has received the most, and "
          "points the others at it.\n\n"
          "Refused when more would be lost than the plan's loss_without_approval, unless accept_loss is true. "
          "Its data: member, term, timeline, lost_bytes, seconds. What is set aside stays on the old primary's "
          "disk until it is reprotected.",
      .example =
          "- {id: promote, uses: postgres.failover, needs: [confirm],\n"
          "   with: {service: database, to: west}, timeout: 2m, retries: {attempts: 3, backoff: 500ms}}",
      .usual_timeout = Duration{120'000},
      .touches = touches_service,
      .schema = params_schema<PostgresFailoverParams>,
      .validate = validate_params<PostgresFailoverParams>,
      .make = make_action<PostgresFailover, PostgresFailoverParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
