// validate.database: the data are back, table by table, sound inside, and nobody has been given more than before.
#include "actions/check_action.hpp"
#include "actions/registry.hpp"
#include "actions/validate_common.hpp"
#include "core/validation/judge_access.hpp"
#include "io/file.hpp"
#include "io/postgres_access.hpp"

namespace lifeboat {
namespace {

constexpr size_t kLargestProfile = 64 * 1024 * 1024;
constexpr std::string_view kLast = "last";

struct ValidateDatabaseParams {
  Identifier service;
  std::string host;
  int port = 0;
  std::string database;
  std::string restored;
  std::string profile;
  Percent fewer{0};
  std::optional<Percent> more;
  std::optional<Percent> more_per_day;
  std::vector<std::string> not_empty;
  bool amcheck = true;
  bool access = true;
  Duration within{600'000};
  DatabaseAsked asked() const { return {service, host, port, database, restored}; }
  bool against_the_last() const { return profile == kLast; }
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(ValidateDatabaseParams, (),
                      (service, host, port, database, restored, profile, fewer, more, more_per_day, not_empty, amcheck,
                       access, within))
constexpr auto field_docs(const ValidateDatabaseParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"host", Need::optional,
       "host of the plan, address or socket folder of a server that holds a copy; the member that takes writes when "
       "left out"},
      {"port", Need::optional, "its port; that of the member, or 5432"},
      {"database", Need::optional, "another name of the database there"},
      {"restored", Need::optional, "a restored copy by its name, instead of a server"},
      {"profile", Need::optional,
       "what is there is held against this: last, the newest that validate.profile took and that is not younger than "
       "the copy's data, or a file that it wrote (full path)"},
      {"fewer", Need::optional, "share of a table's known rows that may be missing (0%)"},
      {"more", Need::optional,
       "share by which a table may have grown; without it and more_per_day as much as it likes"},
      {"more_per_day", Need::optional, "the same for each day since the profile was taken"},
      {"not_empty", Need::optional, "tables that must hold rows, as schema.table or, in schema public, table"},
      {"amcheck", Need::optional, "false: do not look at the structure of tables and indexes, which reads all of them"},
      {"access", Need::optional,
       "false: rights, settings and whatever acts by itself are told, but what is new among them fails nothing"},
      {"within", Need::optional, "time allowed for all of it (10m)"},
  });
}

DecodeProblems ValidateDatabaseParams::check(const Plan& plan) const {
  DecodeProblems problems;
  check_asked(asked(), plan, problems);
  if (!profile.empty() && !against_the_last() && !profile.starts_with('/'))
    problems.push_back({"/profile", "a file is named by its full path", "profile: last"});
  bool bounds = fewer.value > 0 || more || more_per_day;
  if (profile.empty() && bounds) problems.push_back({"", "bounds say nothing without a profile", "profile: last"});
  return problems;
}

// What is there, and what it is held against.
struct Compared {
  std::optional<DatabaseProfile> before;
  DatabaseProfile now;
  std::string not_compared;
};

class ValidateDatabase : public CheckAction {
 public:
  explicit ValidateDatabase(ValidateDatabaseParams params) : params_(std::move(params)) {}

  // A look reads every row: a preview does not do that to a server that is at work.
  Task<Result<Observation>> observe(ActionContext context) override {
    auto before = in_file();
    if (!before) co_return Observation{false, before.error().what, "write a profile first: validate.profile", {}};
    std::string taken = *before ? (*before)->taken : std::string();
    if (params_.against_the_last()) {
      auto last = last_profile(context.world, params_.asked(), {});
      if (last != nullptr) taken = last->profile.taken;
    }
    std::string against = taken.empty() ? "without a profile" : fmt::format("against the profile of {}", taken);
    co_return Observation{false, "not looked at", fmt::format("count {} {}", name_of(params_.asked()), against), {}};
  }

 private:
  Task<Result<Outcome>> look(ActionContext context) override;
  Result<std::optional<DatabaseProfile>> in_file() const;
  Task<Result<Compared>> compare(ActionContext context, DatabaseProfile now);
  Checks judge_profile(const Compared& compared) const;
  Checks judge_all_access(const Compared& compared) const;
  Checks judge(const Compared& compared) const;

  ValidateDatabaseParams params_;
};

Result<std::optional<DatabaseProfile>> ValidateDatabase::in_file() const {
  if (params_.profile.empty() || params_.against_the_last()) return std::nullopt;
  TRY(std::string text, read_file(params_.profile, kLargestProfile));
  TRY(DatabaseProfile profile, read_profile(text));
  return profile;
}

// A profile of later than the copy's data knows of what came since, and that may be what the copy was made to be rid of.
Task<Result<Compared>> ValidateDatabase::compare(ActionContext context, DatabaseProfile now) {
  CO_TRY(std::optional<DatabaseProfile> before, in_file());
  if (!params_.against_the_last()) co_return Compared{std::move(before), std::move(now), {}};
  std::optional<WallTime> until;
  if (!params_.restored.empty()) {
    auto finding = data_until_of_copy(context, params_.asked());
    CO_TRY(until, co_await std::move(finding));
  }
  std::shared_ptr<const KnownProfile> last = last_profile(context.world, params_.asked(), until);
  if (last == nullptr) co_return Compared{{}, std::move(now), {}};
  HeldAgainst held = comparable(*last, std::move(now), hash_of_profiles(context.world, params_.service.text));
  co_return Compared{std::move(held.before), std::move(held.now), std::move(held.not_compared)};
}

// Nothing fails for want of a profile: on the day of a disaster there is none to be had.
Checks ValidateDatabase::judge_profile(const Compared& compared) const {
  if (params_.against_the_last() && !compared.before)
    return {{"profile",
             Verdict::noted,
             "no profile is known from before these data; a step validate.profile takes one on a good day",
             {},
             {}}};
  if (!compared.not_compared.empty())
    return {{"profile", Verdict::noted, fmt::format("not compared: {}", compared.not_compared), {}, {}}};
  return {};
}

Checks ValidateDatabase::judge(const Compared& compared) const {
  const auto& [before, now, _] = compared;
  if (!before) return judge_alone(now);
  RowBounds bounds;
  bounds.fewer = params_.fewer.value / 100;
  if (params_.more) bounds.more = params_.more->value / 100;
  if (params_.more_per_day) bounds.more_per_day = params_.more_per_day->value / 100;
  auto then = parse_wall(before->taken), at = parse_wall(now.taken);
  return judge_against(*before, now, bounds, then && at ? *at - *then : Duration{0});
}

// A profile of an older Lifeboat knows nothing of these, and nothing is said against them then.
Checks ValidateDatabase::judge_all_access(const Compared& compared) const {
  const auto& [before, now, _] = compared;
  Checks out = before && before->access ? judge_access(*before->access, *now.access) : note_access(*now.access);
  return params_.access ? out : only_noted(std::move(out));
}

Task<Result<Outcome>> ValidateDatabase::look(ActionContext context) {
  // A file that is not there is known before every row is read.
  CO_TRY_VOID(in_file());
  Deadline deadline = context.deadline.at_most(params_.within);
  PgAskOf open = databases_of_server(context, params_.asked(), profile_options(deadline.left()));
  if (!params_.restored.empty()) {
    auto finding = databases_of_copy(context, params_.asked());
    CO_TRY(open, co_await std::move(finding));
  }
  auto opening = open("", deadline);
  CO_TRY(PgAsk ask, co_await std::move(opening));
  context.progress("counts rows");
  auto taking = take_profile(ask, {}, deadline);
  CO_TRY(DatabaseProfile now, co_await std::move(taking));
  context.progress("looks for damage");
  auto looking = look_for_damage(ask, {params_.amcheck}, deadline);
  CO_TRY(Integrity integrity, co_await std::move(looking));
  context.progress("looks at who may do what, and at what acts by itself");
  auto seeing = take_access(open, deadline);
  CO_TRY(now.access, co_await std::move(seeing));
  auto comparing = compare(context, now);
  CO_TRY(Compared compared, co_await std::move(comparing));
  // First: there are few of them, and a large schema leaves no room behind its tables.
  Checks checks = judge_profile(compared);
  std::ranges::move(judge_all_access(compared), std::back_inserter(checks));
  bool more_than_then = !all_hold(checks);
  std::string to_see = noted_in_words(checks);
  std::ranges::move(judge(compared), std::back_inserter(checks));
  for (const std::string& name : params_.not_empty) checks.push_back(judge_not_empty(now, name));
  std::ranges::move(judge_integrity(integrity), std::back_inserter(checks));
  JsonObject data{{"tables", now.tables.size()}, {"rows", now.rows()}, {"taken", now.taken}};
  if (compared.before) data["against"] = compared.before->taken;
  std::string what =
      fmt::format("{} holds {} tables, {} rows", name_of(params_.asked()), now.tables.size(), now.rows());
  auto outcome = outcome_of(context, what, checks, std::move(data));
  if (!outcome && more_than_then)
    outcome.error().hint = "look at who may do what; when all of it is right, say access: false in this step";
  // Whoever approves reads this line.
  if (outcome && !to_see.empty()) outcome->summary += fmt::format(". To be looked at: {}", to_see);
  co_return outcome;
}

}  // namespace

const ActionDescriptor& validate_database_action() {
  static const ActionDescriptor descriptor{
      .name = "validate.database",
      .summary = "Checks that the data are back: rows of each table, structure, and what is wrong inside.",
      .details =
          "Counts the rows of every table and holds them, its columns, indexes, constraints, views, functions, "
          "triggers, sequences and extensions against a profile taken on a good day: `profile: last` is the newest in "
          "the "
          "journal, wherever it was taken, and where none is known that is noted and fails nothing. Looks row by row "
          "whether each "
          "foreign key has its parent, whether a sequence lies behind its column, for invalid indexes, page checksum "
          "failures and, when the extension amcheck is in the database, at the structure of tables and B-trees. Looks "
          "in every database of the cluster at what an attacker may have left: roles and their rights, settings of "
          "roles and databases, event triggers, jobs of pg_cron and pgagent, subscriptions, foreign servers and their "
          "users, foreign tables that run a program, functions that act as a superuser or are in an untrusted "
          "language. With a profile that has them, what is new or may do more than then fails; without one they are "
          "`noted` and named in the step's summary, for whoever approves. The activity counters of "
          "pg_stat_user_tables (n_tup_ins, n_live_tup …) are never used: they are 0 after a restore. Changes nothing. "
          "Fails when one check does not hold or cannot be made; its data hold each `check` with its verdict: passed, "
          "failed, noted, unknown.",
      .example =
          "- {id: data, uses: validate.database, needs: [restore], timeout: 10m,\n"
          "   with: {service: database, profile: last, fewer: 1%, not_empty: [users]}}",
      .usual_timeout = Duration{600'000},
      .schema = params_schema<ValidateDatabaseParams>,
      .validate = validate_params<ValidateDatabaseParams>,
      .make = make_action<ValidateDatabase, ValidateDatabaseParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
