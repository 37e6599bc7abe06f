// postgres.forensics: which transactions stand out in a database's log, and to where it would be restored.
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "actions/restore_common.hpp"
#include "core/data/encode.hpp"
#include "core/forensics/advice.hpp"
#include "core/recovery/messages.hpp"
#include "core/recovery/moment.hpp"
#include "io/clock.hpp"

namespace lifeboat {
namespace {

struct PostgresForensicsParams {
  Identifier service;
  std::string from;
  std::string to;
  std::optional<Duration> since;
  std::optional<Identifier> member;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* database = require_service<PostgresService>(plan, service.text, problems);
    if (database != nullptr && member) require_name(database->members, "member", member->text, problems, "/member");
    if (from.empty() == !since.has_value())
      problems.push_back({"/since", "the begin of the time is given by from or by since", "since: 1h"});
    for (const auto& [path, text] : {std::pair("/from", from), std::pair("/to", to)}) {
      bool given = !text.empty() && !comes_later(text);
      if (given && !ScalarText<Moment>::parse(text))
        problems.push_back(
            {path, fmt::format("'{}' is no moment", text), "a date, a time and a zone: 2024-01-01 14:30:00+00"});
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresForensicsParams, (), (service, from, to, since, member))
constexpr auto field_docs(const PostgresForensicsParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"from", Need::optional, "a moment before the damage, with its zone"},
      {"to", Need::optional, "a moment behind it; now when left out"},
      {"since", Need::optional, "instead of from: so long ago"},
      {"member", Need::optional, "the member on whose host the log is read; chosen when left out"},
  });
}

class PostgresForensics : public Action {
 public:
  explicit PostgresForensics(PostgresForensicsParams params) : params_(std::move(params)) {}

  // The log grows, and looking changes nothing.
  Task<Result<Observation>> observe(ActionContext) override {
    co_return Observation{false, "the log was not read yet", "read it", nullptr};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    std::string where = params_.member ? params_.member->text : "";
    CO_TRY(recovery::RestorePlace place, restore_place(context.world, params_.service.text, where, false));
    Moment now = std::chrono::time_point_cast<std::chrono::microseconds>(wall_now());
    auto closing = close_log(context, params_.service.text);
    CO_TRY(ClosedLog closed, co_await std::move(closing));
    context.progress(closed.text);
    wire::RestoreForensics order{.service = params_.service.text, .from = params_.from, .to = params_.to};
    if (params_.since) order.from = ScalarText<Moment>::format(now - *params_.since);
    if (order.to.empty()) order.to = ScalarText<Moment>::format(now);
    auto asking = context.world.agents.call(place.host, std::string(wire::RestoreForensics::kMethod), encode(order),
                                            context.deadline, context.progress);
    CO_TRY(Json report, co_await std::move(asking));
    forensics::Advice advice = forensics::advise(report);
    JsonObject data = report.is_object() ? report.as_object() : JsonObject{};
    data["target"] = advice.target;
    co_return Outcome{std::move(advice.summary), std::move(data)};
  }

 private:
  PostgresForensicsParams params_;
};

}  // namespace

const ActionDescriptor& postgres_forensics_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.forensics",
      .summary = "Finds the transactions that stand out in a database's log, and the point before them.",
      .details =
          "Changes nothing. Reads the log of the repository on a member's host, of that time and of the hour before, "
          "and ranks what is unusual: mass deletes and updates, dropped and emptied tables, and tables that many small "
          "transactions change far faster than before. Its data: findings, surges, and target, the point just before "
          "the most unusual transaction, or else before the first of the many, as postgres.restore takes it.",
      .example = "- {id: find, uses: postgres.forensics, timeout: 30m, with: {service: database, since: 1h}}",
      .usual_timeout = Duration{1'800'000},
      .schema = params_schema<PostgresForensicsParams>,
      .validate = validate_params<PostgresForensicsParams>,
      .make = make_action<PostgresForensics, PostgresForensicsParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
