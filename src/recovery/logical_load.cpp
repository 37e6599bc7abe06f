#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/logical/make_database.hpp"
#include "io/postgres_profile.hpp"
#include "io/process.hpp"
#include "recovery/logical_fetch.hpp"
#include "recovery/logical_made.hpp"
#include "recovery/pg_program.hpp"

namespace lifeboat {
namespace {

constexpr Duration kStatement{24 * 3'600'000};

// Nothing of a load is worth keeping before its end, so its commits need not wait for the disk; the last statement of the whole
// does, and with it everything before it. Indexes are built faster with more memory.
constexpr std::string_view kLoadOptions =
    "-c synchronous_commit=off -c maintenance_work_mem=256MB -c statement_timeout=0 -c lock_timeout=0 "
    "-c idle_in_transaction_session_timeout=0";

constexpr std::string_view kFacts =
    "SELECT pg_is_in_recovery() AS standby, count(*) AS tables, coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS "
    "rows,"
    " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    "  AND backend_type = 'client backend') AS sessions"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND"
    " c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'";

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool is_missing_database(const Error& error) {
  return error.what.find("database \"") != std::string::npos && error.what.find("does not exist") != std::string::npos;
}

Task<Result<TargetFacts>> facts_of(LoadRequest request, Deadline deadline) {
  TargetFacts out;
  out.database = request.server["dbname"];
  out.host = request.server["host"];
  out.member = request.member;
  auto asking = pg_query_once(request.server, std::string(kFacts), {}, deadline);
  auto rows = co_await std::move(asking);
  if (!rows && is_missing_database(rows.error())) {
    out.exists = false;
    PgParams other = request.server;
    other["dbname"] = "postgres";
    auto again = pg_query_once(std::move(other), std::string(kFacts), {}, deadline);
    CO_TRY(PgRows there, co_await std::move(again));
    out.in_recovery = there.text(0, "standby") == "t";
    co_return out;
  }
  if (!rows) co_return std::unexpected(std::move(rows).error());
  out.in_recovery = rows->text(0, "standby") == "t";
  out.tables = number(rows->text(0, "tables"));
  out.rows = number(rows->text(0, "rows"));
  out.sessions = number(rows->text(0, "sessions"));
  co_return out;
}

// Whether the database was made now.
Task<Result<bool>> make_ready(LoadRequest request, std::optional<DatabaseMade> made, Deadline deadline) {
  auto asking = facts_of(request, deadline);
  CO_TRY(TargetFacts facts, co_await std::move(asking));
  if (facts.exists || facts.in_recovery || !request.create) {
    CO_TRY_VOID(may_load(facts, request.answer));
    co_return false;
  }
  auto creating = make_database(request.server, std::move(made), deadline);
  CO_TRY_VOID(co_await std::move(creating));
  co_return true;
}

Task<Result<RestoreVerdict>> run_pg_restore(LoadRequest request, std::string file, Deadline deadline) {
  CO_TRY(std::string program, pg_program("pg_restore"));
  ProcessSpec spec;
  spec.argv = {program, "--format=custom", "--no-password", "--dbname=" + request.server["dbname"]};
  if (request.answer.replace) spec.argv.insert(spec.argv.end(), {"--clean", "--if-exists"});
  if (request.all_or_nothing) {
    spec.argv.push_back("--single-transaction");
  } else {
    spec.argv.push_back(fmt::format("--jobs={}", std::max(1, request.jobs)));
  }
  if (request.no_owner) spec.argv.insert(spec.argv.end(), {"--no-owner", "--no-privileges"});
  spec.argv.push_back(std::move(file));
  spec.environment = pg_environment(request.server, std::string(kLoadOptions));
  spec.user = request.run_as;
  spec.directory = "/";
  spec.ends_with_us = true;
  spec.capture = 1024 * 1024;
  auto running = run_process(std::move(spec), deadline);
  CO_TRY(ProcessResult result, co_await std::move(running));
  co_return judge_restore(result.exit_code, result.err);
}

Error not_loaded(const RestoreVerdict& verdict) {
  Error error;
  error.kind = ErrorKind::refused;
  error.what = verdict.words;
  error.hint = "what was loaded so far is in the database; it is not to be used";
  return error;
}

// The statistics that the planner needs, and with a commit that waits for the disk.
Task<Result<>> analyze(PgParams server, Deadline deadline) {
  server["options"] = fmt::format("-c synchronous_commit=on -c statement_timeout={}", kStatement.count());
  auto asking = pg_query_once(std::move(server), "ANALYZE", {}, deadline);
  CO_TRY_VOID(co_await std::move(asking));
  co_return Result<>{};
}

// Nothing when there is none beside it.
Task<Result<std::optional<DatabaseProfile>>> profile_beside(BackupPlace* place, LogicalBackup backup,
                                                            Deadline deadline) {
  if (!backup.profile) co_return std::optional<DatabaseProfile>();
  auto reading = place->read_small(profile_path(backup.path), deadline);
  CO_TRY(std::string text, co_await std::move(reading));
  CO_TRY(DatabaseProfile before, read_profile(text));
  co_return std::optional(std::move(before));
}

Task<Result<>> check(PgParams server, std::optional<DatabaseProfile> before, bool created, Loaded* into,
                     Deadline deadline) {
  bool contents = before && std::ranges::any_of(before->tables, [](const auto& t) { return !t.contents.empty(); });
  server["options"] = profile_options(kStatement);
  auto connecting = PgConnection::connect(std::move(server), deadline);
  CO_TRY(std::unique_ptr<PgConnection> connection, co_await std::move(connecting));
  auto taking = take_profile(ask_over(connection.get()), {contents}, deadline);
  CO_TRY(DatabaseProfile now, co_await std::move(taking));
  into->tables = static_cast<int64_t>(now.tables.size());
  into->rows = now.rows();
  RowBounds bounds;
  bounds.exact = true;
  into->checks = before ? judge_against(*before, now, bounds, Duration{0}) : judge_alone(now);
  if (before && before->made) {
    auto asking = ask_how_made(ask_over(connection.get()), deadline);
    CO_TRY(DatabaseMade made, co_await std::move(asking));
    Checks more = judge_made(*before->made, made, created);
    into->checks.insert(into->checks.end(), more.begin(), more.end());
  }
  into->proven = before && all_hold(into->checks);
  co_return Result<>{};
}

class Stage {
 public:
  Stage(OnLogicalProgress progress, std::string name, double* seconds) : seconds_(seconds) {
    if (progress) progress({std::move(name), 0, 0, 0});
  }
  ~Stage() { *seconds_ = to_seconds(boot_now() - begun_); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

 private:
  double* seconds_;
  MonoTime begun_ = boot_now();
};

}  // namespace

Task<Result<Loaded>> load_dump(LoadRequest request, BackupPlace* place, LogicalBackup backup, Deadline deadline,
                               OnLogicalProgress progress) {
  Loaded out;
  MonoTime begun = boot_now();
  out.backup = backup.path;
  out.bytes = backup.bytes;
  out.database = request.server["dbname"];
  // Nothing is fetched for a target that will be refused, and nothing is dropped for a backup that cannot be had.
  auto asking = facts_of(request, deadline);
  CO_TRY(TargetFacts facts, co_await std::move(asking));
  if (facts.exists || facts.in_recovery || !request.create) CO_TRY_VOID(may_load(facts, request.answer));
  FetchedDump file;
  {
    Stage stage(progress, "fetch", &out.fetch_seconds);
    FetchWish wish{request.scratch, request.run_as, request.without_checksum};
    auto fetching = fetch_dump(place, backup, std::move(wish), deadline, progress);
    CO_TRY(file, co_await std::move(fetching));
    out.sha256 = file.sha256;
  }
  auto reading = profile_beside(place, backup, deadline);
  CO_TRY(std::optional<DatabaseProfile> before, co_await std::move(reading));
  std::optional<DatabaseMade> made = before ? before->made : std::nullopt;
  bool created = false;
  {
    Stage stage(progress, "load", &out.load_seconds);
    // Much may have happened to the target while the file was on its way.
    auto preparing = make_ready(request, made, deadline);
    CO_TRY(created, co_await std::move(preparing));
    auto loading = run_pg_restore(request, file.path(), deadline);
    CO_TRY(RestoreVerdict verdict, co_await std::move(loading));
    if (!verdict.loaded) co_return std::unexpected(not_loaded(verdict));
    out.problems = std::move(verdict.problems);
  }
  {
    Stage stage(progress, "analyze", &out.analyze_seconds);
    auto analyzing = analyze(request.server, deadline);
    CO_TRY_VOID(co_await std::move(analyzing));
    // Only now: a setting may forbid what loading does.
    if (created && made) {
      auto putting = put_settings(request.server, *made, deadline);
      CO_TRY(std::vector<RestoreProblem> left, co_await std::move(putting));
      out.problems.insert(out.problems.end(), left.begin(), left.end());
    }
  }
  {
    Stage stage(progress, "check", &out.check_seconds);
    auto checking = check(request.server, std::move(before), created, &out, deadline);
    CO_TRY_VOID(co_await std::move(checking));
  }
  out.seconds = to_seconds(boot_now() - begun);
  co_return out;
}

}  // namespace lifeboat
