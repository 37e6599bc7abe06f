// postgres.clean-point: the last moment at which a database's data were good, by checks that hold on good data.
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

struct PostgresCleanPointParams {
  Identifier service;
  std::string from;
  std::string to;
  std::optional<Duration> since;
  std::vector<DataCheck> checks;
  bool indexes = false;
  bool pages = false;
  bool encrypted = false;
  std::optional<Identifier> member;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* found = require_service<PostgresService>(plan, service.text, problems);
    if (found != nullptr && member) require_name(found->members, "member", member->text, problems, "/member");
    if (from.empty() == !since.has_value())
      problems.push_back({"/since", "the begin of the time is given by from or by since", "since: 1h"});
    if (checks.empty() && !indexes && !pages && !encrypted)
      problems.push_back({"/checks", "there is nothing to check", "give checks, or one of indexes, pages, encrypted"});
    for (const auto& [path, text] : {std::pair("/from", from), std::pair("/to", to)}) {
      bool given = !text.empty() && !comes_later(text);
      if (given && !ScalarText<Moment>::parse(text))
        problems.push_back(
            {path, fmt::format("'{}' is no moment", text), "a date, a time and a zone: 2024-01-01 14:30:00+00"});
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresCleanPointParams, (),
                      (service, from, to, since, checks, indexes, pages, encrypted, member))
constexpr auto field_docs(const PostgresCleanPointParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"from", Need::optional, "a moment before the damage, with its zone"},
      {"to", Need::optional, "a moment behind it; now when left out"},
      {"since", Need::optional, "instead of from: so long ago"},
      {"checks", Need::optional, "what holds on good data"},
      {"indexes", Need::optional, "also check indexes and rows by amcheck, where it is installed"},
      {"pages", Need::optional, "also check the checksums of all pages"},
      {"encrypted", Need::optional, "also look for texts that look encrypted and did not before"},
      {"member", Need::optional, "the member on whose host it is looked for; chosen when left out"},
  });
}

class PostgresCleanPoint : public Action {
 public:
  explicit PostgresCleanPoint(PostgresCleanPointParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext) override {
    co_return Observation{false, "it was not looked for yet", "restore copies and ask them", nullptr};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    std::string where = params_.member ? params_.member->text : "";
    CO_TRY(recovery::RestorePlace place, restore_place(context.world, params_.service.text, where, false));
    Moment now = std::chrono::time_point_cast<std::chrono::microseconds>(wall_now());
    auto closing = close_log(context, params_.service.text);
    auto closed = co_await std::move(closing);
    context.progress(closed ? closed->text : "only what is archived is looked at: " + closed.error().text());
    wire::RestoreCleanPoint order{.service = params_.service.text, .from = params_.from, .to = params_.to};
    if (params_.since) order.from = ScalarText<Moment>::format(now - *params_.since);
    if (order.to.empty()) order.to = ScalarText<Moment>::format(now);
    order.indexes = params_.indexes;
    order.pages = params_.pages;
    order.encrypted = params_.encrypted;
    const auto* database = service_as<PostgresService>(context.world.plan, params_.service.text);
    for (const DataCheck& check : params_.checks)
      order.checks.push_back(
          {check.name, check.database.empty() && database != nullptr ? database->database : check.database, check.sql});
    auto asking = context.world.agents.call(place.host, std::string(wire::RestoreCleanPoint::kMethod), encode(order),
                                            context.deadline, context.progress);
    CO_TRY(Json found, co_await std::move(asking));
    // What is wrong is in the files of a server, or they are gone: nothing that was written did it.
    bool to_the_end = bool_or(found, "good_to_the_end");
    if (!bool_or(found, "found") && !to_the_end)
      co_return fail(ErrorKind::refused, "no last clean moment was found: " + text_or(found, "why"),
                     "begin earlier, or look at the checks");
    if (!recovery::is_an_answer(to_the_end, closed.has_value()))
      co_return fail(ErrorKind::refused,
                     "all that is archived is good, and the newest part of the log is not: " + closed.error().text(),
                     "the damage may stand there: let the primary archive its log, then look again");
    JsonObject data = found.as_object();
    std::string target = to_the_end ? "latest" : forensics::target_before(lifeboat::member(found, "restore_to"));
    data["target"] = target;
    std::string summary = fmt::format("good up to {}, {} restores", target, int_or(found, "restores_used"));
    co_return Outcome{std::move(summary), std::move(data)};
  }

 private:
  PostgresCleanPointParams params_;
};

}  // namespace

const ActionDescriptor& postgres_clean_point_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.clean-point",
      .summary = "Finds the last moment at which a database's data were good, to one transaction.",
      .details =
          "Changes nothing. Forensics proposes which transactions may have done the damage; isolated copies that roll "
          "forward on a member's host answer the checks and confirm; they are removed again. When the checks hold up "
          "to "
          "the end of what was written, the damage is in the files of a server, and the target is latest. Fails when "
          "they hold nowhere in that time. Its data: target as postgres.restore takes it, restores_used, reasoning, "
          "found.",
      .example =
          "- {id: clean, uses: postgres.clean-point, timeout: 2h, with: {service: database, since: 1h,\n"
          "   checks: [{name: customers are there, sql: \"SELECT count(*) > 1000 FROM customers\"}]}}",
      .usual_timeout = Duration{7'200'000},
      .schema = params_schema<PostgresCleanPointParams>,
      .validate = validate_params<PostgresCleanPointParams>,
      .make = make_action<PostgresCleanPoint, PostgresCleanPointParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
