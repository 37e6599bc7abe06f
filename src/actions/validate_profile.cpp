// validate.profile: what is in a database on a good day, so that a restored one can be held against it.
#include <unistd.h>

#include "actions/check_action.hpp"
#include "actions/registry.hpp"
#include "actions/validate_common.hpp"
#include "io/file.hpp"
#include "io/postgres_access.hpp"

namespace lifeboat {
namespace {

constexpr size_t kTablesTold = 200;

struct ValidateProfileParams {
  Identifier service;
  std::string host;
  int port = 0;
  std::string database;
  std::string file;
  bool contents = false;
  Duration within{600'000};
  DatabaseAsked asked() const { return {service, host, port, database}; }
  // That of another server is not the service's.
  bool of_the_service() const { return host.empty(); }
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(ValidateProfileParams, (), (service, host, port, database, file, contents, within))
constexpr auto field_docs(const ValidateProfileParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"host", Need::optional,
       "host of the plan, address or socket folder of another server; the member that takes writes when left out"},
      {"port", Need::optional, "its port; that of the member, or 5432"},
      {"database", Need::optional, "another name of the database there"},
      {"file", Need::optional,
       "also a file on the host of the controller that leads (full path); required with `host`"},
      {"contents", Need::optional, "true: sum every row too, which reads all of them"},
      {"within", Need::optional, "time allowed for all of it (10m)"},
  });
}

DecodeProblems ValidateProfileParams::check(const Plan& plan) const {
  DecodeProblems problems;
  check_asked(asked(), plan, problems);
  if (!file.empty() && !file.starts_with('/')) problems.push_back({"/file", "the file is named by its full path", {}});
  if (file.empty() && !of_the_service())
    problems.push_back({"/file", "the profile of another server is kept in a file", "file: /path/of/it.json"});
  return problems;
}

class ValidateProfile : public Action {
 public:
  explicit ValidateProfile(ValidateProfileParams params) : params_(std::move(params)) {}

  // The newest profile is what is wanted, so it never holds.
  Task<Result<Observation>> observe(ActionContext context) override {
    std::string taken = taken_before(context.world);
    std::string state = taken.empty() ? "there is no profile" : fmt::format("the profile is of {}", taken);
    co_return Observation{false, state, fmt::format("count {} anew", name_of(params_.asked())), {}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    auto taking = take(context);
    auto out = co_await std::move(taking);
    if (out) co_return out;
    Error error = context.world.secrets.redact(std::move(out).error());
    // Nothing was asked of the database but to be read.
    if (error.kind == ErrorKind::unknown_outcome) error.kind = ErrorKind::timed_out;
    co_return std::unexpected(std::move(error));
  }

 private:
  std::string taken_before(World& world) const {
    if (params_.of_the_service()) {
      auto known = last_profile(world, params_.asked(), {});
      return known == nullptr ? std::string() : known->profile.taken;
    }
    auto text = read_file(params_.file, 64 * 1024 * 1024);
    if (!text) return {};
    auto known = read_profile(*text);
    return known ? known->taken : std::string();
  }

  Task<Result<Outcome>> take(ActionContext context) {
    Deadline deadline = context.deadline.at_most(params_.within);
    CO_TRY(PgParams params, params_of(context.world, params_.asked(), profile_options(deadline.left())));
    auto connecting = PgConnection::connect(std::move(params), deadline);
    CO_TRY(std::unique_ptr<PgConnection> connection, co_await std::move(connecting));
    auto beginning = connection->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", {}, deadline);
    CO_TRY_VOID(co_await std::move(beginning));
    auto taking = take_profile(ask_over(connection.get()), {params_.contents}, deadline);
    CO_TRY(DatabaseProfile profile, co_await std::move(taking));
    // Over connections of its own: an answer that is refused would end the snapshot's transaction.
    auto seeing =
        take_access(databases_of_server(context, params_.asked(), profile_options(deadline.left())), deadline);
    CO_TRY(profile.access, co_await std::move(seeing));
    if (!params_.file.empty()) {
      CO_TRY_VOID(write_file_atomic(params_.file, profile_text(profile), 0600));
    }
    std::string left_out;
    if (params_.of_the_service()) {
      auto keeping = keep(context, profile);
      CO_TRY(left_out, co_await std::move(keeping));
    }
    JsonArray tables;
    for (const TableProfile& table : profile.tables) {
      if (tables.size() < kTablesTold) tables.push_back(JsonObject{{"name", table.name}, {"rows", table.rows}});
    }
    JsonObject data{{"taken", profile.taken}, {"rows", profile.rows()}, {"tables", tables}};
    if (!params_.file.empty()) data["file"] = params_.file;
    std::string summary = fmt::format("{} holds {} tables, {} rows at {}", name_of(params_.asked()),
                                      profile.tables.size(), profile.rows(), profile.taken);
    if (!left_out.empty()) {
      data["left_out"] = left_out;
      summary += fmt::format("; the journal has no room for all of it, left out: {}", left_out);
    }
    co_return Outcome{std::move(summary), std::move(data)};
  }

  // Gives what there was no room for.
  Task<Result<std::string>> keep(ActionContext context, DatabaseProfile profile) {
    KeyedHash hash = hash_of_profiles(context.world, params_.service.text);
    auto known = std::make_shared<const KnownProfile>(to_keep(std::move(profile), hash));
    auto keeping = context.world.profiles.taken(params_.service.text, known);
    CO_TRY_VOID(co_await std::move(keeping));
    co_return parts_in_words(known->left_out);
  }

  ValidateProfileParams params_;
};

}  // namespace

const ActionDescriptor& validate_profile_action() {
  static const ActionDescriptor descriptor{
      .name = "validate.profile",
      .summary = "Counts what is in a database and keeps it, for validate.database to hold a restored one against.",
      .details =
          "In one snapshot: rows, columns and highest key of every table, and the indexes, constraints, views, "
          "functions, triggers, sequences and extensions. Besides, who may do what and what acts by itself, in every "
          "database of the cluster: roles with their rights (never a password or its hash), settings of roles and "
          "databases, event triggers, jobs, subscriptions, foreign servers, functions that act as a superuser. What "
          "the role that asks may not see is not held against a copy. All of it is kept in the journal, where every "
          "controller finds it, for `profile: last` of validate.database: at most 400 KB, without columns, then other "
          "objects, rights and the smallest tables where it has more, which the step says; definitions only as hashes "
          "that need the service's password to be made. With `file` it is in that file too. Rows by table are in the "
          "data of the step. Run it on good days, by schedule: weekly or monthly, since each one stays in the journal.",
      .example = "- {id: profile, uses: validate.profile, with: {service: database}}",
      .usual_timeout = Duration{600'000},
      .schema = params_schema<ValidateProfileParams>,
      .validate = validate_params<ValidateProfileParams>,
      .make = make_action<ValidateProfile, ValidateProfileParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
