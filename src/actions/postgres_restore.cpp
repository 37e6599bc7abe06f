// postgres.restore: a copy of a database at some point of its past, cut off from everything, to look at and perhaps to go on with.
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "actions/restore_common.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/target.hpp"

namespace lifeboat {
namespace {

struct PostgresRestoreParams {
  Identifier service;
  std::string to;
  Identifier name;
  std::optional<Identifier> member;
  std::optional<Identifier> host;
  bool accept_gap = false;
  std::string set;
  int64_t repository = 0;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* database = require_service<PostgresService>(plan, service.text, problems);
    if (database != nullptr && member) require_name(database->members, "member", member->text, problems, "/member");
    if (host) require_name(plan.hosts, "host", host->text, problems, "/host");
    if (member && host) problems.push_back({"/host", "a member names its host already", "leave one of them out"});
    if (auto has = check_repository(plan, service.text, repository); database != nullptr && !has)
      problems.push_back({"/repository", has.error().what, has.error().hint});
    if (comes_later(to)) return problems;
    if (auto target = recovery::target_of_text(to); !target)
      problems.push_back({"/to", target.error().what, target.error().hint});
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresRestoreParams, (), (service, to, name, member, host, accept_gap, set, repository))
constexpr auto field_docs(const PostgresRestoreParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"to", Need::required,
       "the point: a moment with its zone, before:N or after:N (a transaction), a position of the log, name:POINT, or "
       "latest"},
      {"name", Need::required, "name of the copy"},
      {"member", Need::optional, "the member on whose host it is made; chosen when left out"},
      {"host", Need::optional, "a host instead, such as the repository's"},
      {"accept_gap", Need::optional, "with latest: stop where log is missing or damaged"},
      {"set", Need::optional, "label of the backup to begin from; chosen by the point when left out"},
      {"repository", Need::optional, "1 or 2, the second one; the first that has a backup when left out"},
  });
}

class PostgresRestore : public Action {
 public:
  explicit PostgresRestore(PostgresRestoreParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(recovery::RecoveryTarget target, recovery::target_of_text(params_.to));
    CO_TRY(std::string host, host_of(context.world));
    auto finding = find_copy(context, host, params_.service.text, params_.name.text);
    CO_TRY(Json copy, co_await std::move(finding));
    // What is done for another order says nothing of today, above all when the end of the log is asked for.
    const Json& wish = lifeboat::member(copy, "wish");
    bool same = text_or(wish, "order") == order_of(context) && !context.run.empty() &&
                to_canonical_text(lifeboat::member(wish, "target")) == to_canonical_text(recovery::to_json(target));
    bool holds = same && text_or(copy, "state") == "done";
    bool gives_up = !same && text_or(copy, "state") == "done";
    std::string state = copy.is_object() ? fmt::format("restore {} on {} is {}{}", text_or(copy, "name"), host,
                                                       text_or(copy, "state"), gives_up ? ", for another order" : "")
                                         : fmt::format("there is no restore {} on {}", params_.name.text, host);
    std::string change = holds ? ""
                               : fmt::format("→ {}, isolated on {}{}", recovery::in_words(target), host,
                                             gives_up ? "; the copy of the other order goes" : "");
    Json data = lifeboat::member(copy, "restored");
    if (data.is_object()) {
      data.as_object()["host"] = host;
      data.as_object()["name"] = text_or(copy, "name");
    }
    co_return Observation{holds, std::move(state), std::move(change), std::move(data)};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    CO_TRY(recovery::RecoveryTarget target, recovery::target_of_text(params_.to));
    CO_TRY(std::string host, host_of(context.world));
    auto closing = close_log(context, params_.service.text);
    auto closed = co_await std::move(closing);
    wire::RestoreBegin order{.service = params_.service.text,
                             .name = params_.name.text,
                             .target = recovery::to_json(target),
                             .set = params_.set,
                             .accept_gap = params_.accept_gap,
                             .order = order_of(context),
                             .again = true};
    if (params_.repository != 0) order.repository = params_.repository;
    take_end_of_log(closed, order, context.progress);
    auto asking = context.world.agents.call(host, std::string(wire::RestoreBegin::kMethod), encode(order),
                                            context.deadline, context.progress);
    CO_TRY(Json done, co_await std::move(asking));
    auto keeping = keep_timing(context, params_.service.text, timing_of(done, host, context.run));
    co_await std::move(keeping);
    const Json& reached = lifeboat::member(done, "reached");
    std::string summary = fmt::format("restored to {} on {}: last commit {}, {:.1f} s", recovery::in_words(target),
                                      host, text_or(reached, "time", "unknown"), number_or(done, "seconds"));
    if (std::string why = text_or(done, "log_not_closed"); !why.empty())
      summary += "; NOT KNOWN to be the latest, since the end of the log could not be archived: " + why;
    if (bool_or(done, "cut_by_gap")) summary += "; NOT ALL: it ends at a gap or damage of the log, which was accepted";
    co_return Outcome{std::move(summary), std::move(done)};
  }

 private:
  Result<std::string> host_of(World& world) const {
    if (params_.host) return params_.host->text;
    std::string where = params_.member ? params_.member->text : "";
    TRY(recovery::RestorePlace place, restore_place(world, params_.service.text, where, false));
    return place.host;
  }

  PostgresRestoreParams params_;
};

}  // namespace

const ActionDescriptor& postgres_restore_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.restore",
      .summary = "Restores a copy of a database to an exact point of its past, cut off from everything.",
      .details =
          "Holds when this step has made the copy already. Otherwise it is made from the service's repository of "
          "backups, on the host of the member named, or of a standby near the primary: files and log are copied, "
          "replayed to the point, and the point is read back and compared. The copy is left paused and read-only in a "
          "network of its own; nothing of production is touched. A copy that was cut off is taken up where it was. A "
          "finished copy of that name that another run made and nobody adopted is removed first: it says nothing of "
          "today. Where one was adopted, the new one is called NAME-2 and so on; steps find it by the name they know. "
          "Fails when the point cannot be restored; the error names the nearest that can. Its data: host, name, "
          "target, reached, lost_transactions, collateral_transactions, seconds, copy_seconds, replay_seconds, bytes, "
          "backup, cut_by_gap, and log_not_closed: with latest, why nobody could be had to archive the end of the log. "
          "Then the copy holds all that is archived, and more may have been committed.",
      .example =
          "- {id: restore, uses: postgres.restore, timeout: 2h,\n"
          "   with: {service: database, to: \"2024-01-01 14:30:00+00\", name: before-the-drop, member: east-2}}",
      .usual_timeout = Duration{7'200'000},
      .touches = touches_service,
      .schema = params_schema<PostgresRestoreParams>,
      .validate = validate_params<PostgresRestoreParams>,
      .make = make_action<PostgresRestore, PostgresRestoreParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
