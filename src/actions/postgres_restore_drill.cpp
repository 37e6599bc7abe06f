// postgres.restore-drill: backups are proven by restoring them.
#include <algorithm>

#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "actions/restore_common.hpp"
#include "actions/validate_common.hpp"
#include "core/clean_point/checks.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/target.hpp"
#include "io/clock.hpp"
#include "io/postgres_access.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

BOOST_DEFINE_ENUM_CLASS(WhichBackups, newest, every)

struct PostgresRestoreDrillParams {
  Identifier service;
  WhichBackups backups = WhichBackups::newest;
  std::optional<Identifier> member;
  std::vector<std::string> not_empty;
  std::vector<DataCheck> checks;
  bool amcheck = true;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* database = require_service<PostgresService>(plan, service.text, problems);
    if (database != nullptr && kept_backups(*database) == nullptr)
      problems.push_back({"/service", fmt::format("Lifeboat keeps no backups of '{}'", service.text), {}});
    if (database != nullptr && member) require_name(database->members, "member", member->text, problems, "/member");
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresRestoreDrillParams, (), (service, backups, member, not_empty, checks, amcheck))
constexpr auto field_docs(const PostgresRestoreDrillParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"backups", Need::optional, "newest (default) or every: all that are kept"},
      {"member", Need::optional, "the member on whose host the copies are made, one at a time; chosen when left out"},
      {"not_empty", Need::optional, "tables that must hold rows, as schema.table or, in schema public, table"},
      {"checks", Need::optional, "what holds on good data"},
      {"amcheck", Need::optional, "false: do not look at the structure of tables and indexes, which reads all of them"},
  });
}

constexpr Duration kRemoveWithin{60'000};

// Names of copies are lower-case and short, for they stand in the path of a socket; the last part of a label says which set it is:
// 20261123-023055F_20261124-023055D → drill-20261124-023055d.
std::string copy_name(const std::string& label) {
  std::string out = "drill-" + label.substr(label.rfind('_') + 1);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// One set: what came of it.
struct Rehearsed {
  recovery::RestoreTiming timing;
  double check_seconds = 0;
  Checks checks;
  int64_t rows = 0;
  size_t tables = 0;
  std::string access;  // who may do what, for whoever reads it
};

class PostgresRestoreDrill : public Action {
 public:
  explicit PostgresRestoreDrill(PostgresRestoreDrillParams params) : params_(std::move(params)) {}

  // What it proves is proven anew each time.
  Task<Result<Observation>> observe(ActionContext context) override {
    auto listing = backup_sets(context, params_.service.text);
    CO_TRY(std::vector<recovery::BackupSet> sets, co_await std::move(listing));
    auto expected =
        recovery::forecast(context.world.restore_times.of(params_.service.text), sets.empty() ? 0 : sets.back().bytes);
    std::string state = expected ? "restores take " + recovery::in_words(*expected) : "no restore was measured yet";
    size_t count = params_.backups == WhichBackups::every ? sets.size() : std::min<size_t>(1, sets.size());
    std::string change =
        fmt::format("restore and check {} of {} backup{}", count, sets.size(), sets.size() == 1 ? "" : "s");
    co_return Observation{false, std::move(state), std::move(change), {}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    auto listing = backup_sets(context, params_.service.text);
    CO_TRY(std::vector<recovery::BackupSet> sets, co_await std::move(listing));
    if (sets.empty())
      co_return fail(ErrorKind::conflict, fmt::format("{} has no backup that could be restored", params_.service.text),
                     fmt::format("lifeboat backups take {}", params_.service.text));
    std::string where = params_.member ? params_.member->text : "";
    CO_TRY(recovery::RestorePlace place, restore_place(context.world, params_.service.text, where, false));
    uint64_t bytes = sets.back().bytes;
    std::ranges::reverse(sets);
    if (params_.backups == WhichBackups::newest) sets.resize(1);

    std::vector<Rehearsed> done;
    for (const recovery::BackupSet& set : sets) {
      context.progress(fmt::format("{} of {}: {}", done.size() + 1, sets.size(), set.label));
      auto rehearsing = rehearse(context, place.host, set, done.empty());
      CO_TRY(Rehearsed one, co_await std::move(rehearsing));
      auto keeping = keep_timing(context, params_.service.text, one.timing);
      co_await std::move(keeping);
      done.push_back(std::move(one));
    }
    co_return judge(context, done, bytes);
  }

 private:
  Task<Result<Rehearsed>> rehearse(ActionContext context, std::string host, recovery::BackupSet set, bool to_the_end);
  Task<Result<void>> look(ActionContext context, std::string name, Rehearsed& out);
  Task<std::string> look_at_access(ActionContext context, std::string name, std::optional<WallTime> data_until);
  Task<Result<void>> remove(ActionContext context, std::string host, std::string name);
  Result<Outcome> judge(const ActionContext& context, const std::vector<Rehearsed>& done, uint64_t bytes) const;

  PostgresRestoreDrillParams params_;
};

// The newest set is restored to the end of the log, as on the day; of the others it is enough that each is whole.
Task<Result<Rehearsed>> PostgresRestoreDrill::rehearse(ActionContext context, std::string host, recovery::BackupSet set,
                                                       bool to_the_end) {
  std::string name = copy_name(set.label);
  // One that was left behind, half made, would make this one look faster than it is.
  auto clearing = remove(context, host, name);
  CO_TRY_VOID(co_await std::move(clearing));
  recovery::RecoveryTarget target{.kind = to_the_end ? recovery::TargetKind::latest : recovery::TargetKind::immediate};
  wire::RestoreBegin order{.service = params_.service.text,
                           .name = name,
                           .target = recovery::to_json(target),
                           .set = set.label,
                           .order = order_of(context)};
  if (to_the_end) {
    auto closing = close_log(context, params_.service.text);
    auto closed = co_await std::move(closing);
    take_end_of_log(closed, order, context.progress);
  }
  auto asking = context.world.agents.call(host, std::string(wire::RestoreBegin::kMethod), encode(order),
                                          context.deadline, context.progress);
  auto restored = co_await std::move(asking);
  Rehearsed out;
  std::optional<Error> silence;
  if (restored) {
    out.timing = timing_of(*restored, host, context.run);
    MonoTime begun = boot_now();
    auto looking = look(context, name, out);
    auto looked = co_await std::move(looking);
    if (looked) {
      auto seeing = look_at_access(context, name, data_until(*restored));
      out.access = co_await std::move(seeing);
    }
    out.check_seconds = to_seconds(boot_now() - begun);
    if (looked && !all_hold(out.checks)) {
      out.timing.problem = in_words(out.checks);
    } else if (!looked && recovery::speaks_of_the_backup(looked.error().kind)) {
      out.timing.problem = "it could not be looked at: " + looked.error().text();
    } else if (!looked) {
      silence = std::move(looked).error().with("look at what was restored from " + set.label);
    }
  } else if (recovery::speaks_of_the_backup(restored.error().kind)) {
    out.timing = {.at = std::chrono::floor<std::chrono::seconds>(wall_now()),
                  .host = host,
                  .target = enum_name(target.kind),
                  .by = context.run,
                  .problem = restored.error().text()};
  } else {
    silence = std::move(restored).error();
  }
  out.timing.backup = set.label;
  out.timing.drill = true;
  // In each case, also when its host was silent for a while.
  auto removing = remove(context, host, name);
  auto removed = co_await std::move(removing);
  if (silence) co_return std::unexpected(std::move(*silence));
  if (!removed) co_return std::unexpected(std::move(removed).error());
  co_return out;
}

Task<Result<void>> PostgresRestoreDrill::look(ActionContext context, std::string name, Rehearsed& out) {
  auto finding = ask_of_copy(context, {.service = params_.service, .restored = name});
  CO_TRY(PgAsk ask, co_await std::move(finding));
  auto taking = take_profile(ask, {}, context.deadline);
  CO_TRY(DatabaseProfile now, co_await std::move(taking));
  out.rows = now.rows();
  out.tables = now.tables.size();
  auto looking = look_for_damage(ask, {params_.amcheck}, context.deadline);
  CO_TRY(Integrity integrity, co_await std::move(looking));
  out.checks = judge_alone(now);
  for (const std::string& table : params_.not_empty) out.checks.push_back(judge_not_empty(now, table));
  std::ranges::move(judge_integrity(integrity), std::back_inserter(out.checks));
  for (const DataCheck& check : params_.checks) {
    PgAsk where = ask;
    if (!check.database.empty()) {
      auto other = ask_of_copy(context, {.service = params_.service, .database = check.database, .restored = name});
      CO_TRY(where, co_await std::move(other));
    }
    auto asking = where(check.sql, context.deadline);
    auto rows = co_await std::move(asking);
    if (!rows) {
      out.checks.push_back({check.name, Verdict::unknown, rows.error().text(), {}, {}});
      continue;
    }
    clean_point::Answer answer = clean_point::judge_rows(rows->columns, rows->rows);
    out.checks.push_back(
        {check.name, answer.holds ? Verdict::passed : Verdict::failed, answer.holds ? "holds" : answer.said, {}, {}});
  }
  co_return Result<void>{};
}

// It says nothing of whether the backup is sound, so it is told and fails nothing.
Task<std::string> PostgresRestoreDrill::look_at_access(ActionContext context, std::string name,
                                                       std::optional<WallTime> data_until) {
  DatabaseAsked asked{.service = params_.service, .restored = name};
  auto finding = databases_of_copy(context, asked);
  auto open = co_await std::move(finding);
  auto access = Result<AccessProfile>(AccessProfile{});
  if (open) {
    auto taking = take_access(*open, context.deadline);
    access = co_await std::move(taking);
  } else {
    access = std::unexpected(std::move(open).error());
  }
  if (!access)
    co_return context.world.secrets.redact(
        fmt::format("who may do what could not be looked at: {}", access.error().text()));
  std::shared_ptr<const KnownProfile> last = last_profile(context.world, asked, data_until);
  co_return access_in_words(last.get(), std::move(*access), hash_of_profiles(context.world, params_.service.text));
}

Task<Result<void>> PostgresRestoreDrill::remove(ActionContext context, std::string host, std::string name) {
  // Not the step's own time: what was put there goes also when that has run out.
  context.deadline = Deadline::after(kRemoveWithin);
  auto finding = find_copy(context, host, params_.service.text, name);
  CO_TRY(Json there, co_await std::move(finding));
  if (!there.is_object()) co_return Result<void>{};
  wire::RestoreStop order{params_.service.text, name, true};
  auto asking = context.world.agents.call(host, std::string(wire::RestoreStop::kMethod), encode(order),
                                          context.deadline, [](std::string) {});
  auto removed = co_await std::move(asking);
  if (!removed)
    co_return std::unexpected(std::move(removed).error().with(fmt::format("remove copy {} on {}", name, host)));
  co_return Result<void>{};
}

Result<Outcome> PostgresRestoreDrill::judge(const ActionContext& context, const std::vector<Rehearsed>& done,
                                            uint64_t bytes) const {
  JsonArray told;
  std::string bad;
  size_t unsound = 0;
  for (const Rehearsed& one : done) {
    JsonObject row = encode(one.timing).as_object();
    row["tables"] = one.tables;
    row["rows"] = one.rows;
    row["check_seconds"] = one.check_seconds;
    row["access"] = one.access;
    told.push_back(std::move(row));
    if (one.timing.problem.empty()) continue;
    ++unsound;
    bad += fmt::format("; {}: {}", one.timing.backup, one.timing.problem);
  }
  if (unsound > 0)
    return fail(
        ErrorKind::conflict,
        context.world.secrets.redact(fmt::format("{} of {} backups could not be proven{}", unsound, done.size(), bad)),
        "lifeboat backups verify says which files are damaged; take a new one: lifeboat backups take");
  auto expected = recovery::forecast(context.world.restore_times.of(params_.service.text), bytes);
  const Rehearsed& newest = done.front();
  std::string text =
      fmt::format("{} backup{} restored and sound; the newest, {} rows in {} tables, in {:.1f} s", done.size(),
                  done.size() == 1 ? "" : "s", newest.rows, newest.tables, newest.timing.seconds);
  JsonObject data{{"backups", std::move(told)}, {"rows", newest.rows}, {"seconds", newest.timing.seconds}};
  if (expected) {
    data["expected_ms"] = expected->expected.count();
    data["longest_ms"] = expected->longest.count();
    data["per_month_ms"] = expected->per_month ? Json(expected->per_month->count()) : Json(nullptr);
    text += ". A restore takes " + recovery::in_words(*expected);
  }
  text += fmt::format(". Who may do what there: {}", newest.access);
  return Outcome{std::move(text), std::move(data)};
}

}  // namespace

const ActionDescriptor& postgres_restore_drill_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.restore-drill",
      .summary =
          "Proves backups by restoring them beside everything, checks what came out, and measures how long it took.",
      .details =
          "One backup after the other is restored into a copy that is cut off from everything: the newest to the end "
          "of the log, with "
          "`backups: every` each older one to the moment at which it was whole. Rows are counted, foreign keys, "
          "sequences, indexes, page checksums and, with the extension amcheck, the structure of tables and B-trees are "
          "looked at, and the step's own checks are asked. Who may do what and what acts by itself is told, as "
          "validate.database does: what is new since the last profile of before the copy's data, or all of it where "
          "there is none; it fails nothing. The copy is removed in each case. What each restore took "
          "stands in the journal; `lifeboat preview` and `lifeboat backups list` tell from it how long the next one "
          "will take. Never holds: what it proves is proven anew. Fails when one backup cannot be restored or is not "
          "sound, after all were tried. Its data: seconds, rows, expected_ms, longest_ms, per_month_ms, backups "
          "{backup, target, bytes, seconds, copy_seconds, replay_seconds, check_seconds, rows, tables, access}.",
      .example =
          "- {id: prove, uses: postgres.restore-drill, timeout: 3h,\n"
          "   with: {service: database, backups: every, not_empty: [users]}}",
      .usual_timeout = Duration{10'800'000},
      .schema = params_schema<PostgresRestoreDrillParams>,
      .validate = validate_params<PostgresRestoreDrillParams>,
      .make = make_action<PostgresRestoreDrill, PostgresRestoreDrillParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
