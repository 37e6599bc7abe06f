// postgres.dump: a logical backup of a service's database, by pg_dump on this controller's host.
#include "actions/dump_common.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "actions/restore_common.hpp"
#include "io/secrets.hpp"
#include "recovery/pg_program.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{60'000};

struct PostgresDumpParams {
  Identifier service;
  std::string to;
  std::optional<int> keep;
  std::string host;
  int port = 0;
  std::string database;
  bool contents = false;
  std::optional<DumpStore> store;

  DatabaseAsked asked() const { return {service, host, port, database}; }
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(PostgresDumpParams, (), (service, to, keep, host, port, database, contents, store))
constexpr auto field_docs(const PostgresDumpParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"to", Need::optional,
       "s3://BUCKET/PREFIX/, or a folder on the controller's host; that of the service's backups.dumps when left out, "
       "with its other settings"},
      {"keep", Need::optional, "how many of the newest that the plan had taken stay; all when left out"},
      {"host", Need::optional,
       "host of the plan, address or socket folder of another server; a standby, or the member that takes writes, when "
       "left out"},
      {"port", Need::optional, "its port; that of the member, or 5432"},
      {"database", Need::optional, "another name of the database there"},
      {"contents", Need::optional, "true: sum every row too, so that a restore is held against all contents"},
      {"store", Need::optional, "how the bucket is reached"},
  });
}

const Dumps* dumps_of_plan(const Plan& plan, const std::string& service) {
  const auto* database = service_as<PostgresService>(plan, service);
  return database != nullptr && database->backups && database->backups->dumps ? &*database->backups->dumps : nullptr;
}

// What is said in the step; and when it names no place, what the service's plan says.
Dumps settings_of(const PostgresDumpParams& params, const Plan& plan) {
  const Dumps* known = params.to.empty() ? dumps_of_plan(plan, params.service.text) : nullptr;
  Dumps out = known != nullptr ? *known : Dumps{.to = params.to};
  if (params.keep) out.keep = *params.keep;
  if (params.store) out.store = params.store;
  out.contents = out.contents || params.contents;
  return out;
}

DecodeProblems PostgresDumpParams::check(const Plan& plan) const {
  DecodeProblems problems;
  check_asked(asked(), plan, problems);
  if (to.empty() && dumps_of_plan(plan, service.text) == nullptr) {
    problems.push_back({"/to", "nothing says where the backup goes", "to: s3://BUCKET/PREFIX/, or a folder"});
    return problems;
  }
  check_dumps(settings_of(*this, plan), "", problems);
  return problems;
}

class PostgresDump : public Action {
 public:
  explicit PostgresDump(PostgresDumpParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    auto looking = look(context);
    auto seen = co_await std::move(looking);
    if (seen) co_return seen;
    co_return std::unexpected(context.world.secrets.redact(std::move(seen).error()));
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    Dumps dumps = settings_of(params_, context.world.plan);
    if (context.world.drill) co_return Outcome{std::string(kDrill), JsonObject{{"place", dumps.to}}};
    // A step that is carried out by hand belongs to no run; its key is all that is known of it then.
    std::string order = order_of(context);
    DumpWish wish{params_.asked(), dumps, order.empty() ? context.idempotency_key : order, context.run_opened};
    OnLogicalProgress telling = [tell = context.progress](LogicalProgress at) {
      if (at.bytes > 0) tell(fmt::format("{} dumped", megabytes(at.bytes)));
    };
    auto taking = dump_service(&context.world, std::move(wish), context.deadline, std::move(telling));
    CO_TRY(PlannedDumped dumped, co_await std::move(taking));
    co_return Outcome{in_words(dumped, dumps.to), in_json(dumped, dumps.to)};
  }

 private:
  static constexpr std::string_view kDrill = "a drill takes no backup: its data are not the real ones";

  Task<Result<Observation>> look(ActionContext context) {
    Dumps dumps = settings_of(params_, context.world.plan);
    if (context.world.drill) co_return Observation{true, std::string(kDrill), "", JsonObject{{"place", dumps.to}}};
    CO_TRY(std::unique_ptr<BackupPlace> place, open_dump_place(context.world, dumps));
    Deadline deadline = context.deadline.at_most(kLook);
    DumpNote wanted = note_for(context.world, params_.asked(), order_of(context));
    if (!wanted.order.empty()) {
      auto finding = find_planned(place.get(), wanted, context.run_opened, deadline);
      CO_TRY(std::optional<PlannedDumped> found, co_await std::move(finding));
      if (found) co_return Observation{true, in_words(*found, dumps.to), "", in_json(*found, dumps.to)};
    }
    auto listing = list_dumps(place.get(), deadline);
    CO_TRY(std::vector<LogicalBackup> all, co_await std::move(listing));
    CO_TRY(std::string program, pg_program("pg_dump"));
    CO_TRY(std::vector<PlannedServer> servers, dump_servers(context.world, params_.asked()));
    std::string database = servers.front().server.at("dbname");
    std::erase_if(all, [&](const LogicalBackup& one) { return one.database != database || !one.checksum; });
    std::string state = all.empty() ? fmt::format("{} has no backup of {}", dumps.to, database)
                                    : fmt::format("the newest is {}, {}", all.back().path, megabytes(all.back().bytes));
    std::string change = fmt::format("dump {} from {} to {}", database, servers.front().name, dumps.to);
    if (dumps.keep > 0) change += fmt::format(", and keep the newest {}", dumps.keep);
    co_return Observation{false, state, change, {}};
  }

  PostgresDumpParams params_;
};

}  // namespace

const ActionDescriptor& postgres_dump_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.dump",
      .summary = "Takes a logical backup of a database to a folder or bucket, by pg_dump.",
      .details =
          "As `lifeboat dump` does it, on the host of the controller that leads: pg_dump's custom format, its "
          "checksum, "
          "and what was in the database in that very snapshot, for `lifeboat restore --backup-date` to prove a restore "
          "against. It is read from the standby that is least behind, and from the primary when there is none or when "
          "the standby's replay ended the dump. User and password are the service's; no password stands in a command "
          "line.\n\nWith `keep` older ones go once the new one is whole: only those that this plan had taken for this "
          "service, and none while the new one is less than half as large as is usual. One step of a run takes one "
          "backup, however often it is tried. In a drill none is taken.\n\nIt fails when pg_dump is missing on the "
          "controller's host or older than the server, and when the place cannot be written. A folder is one of that "
          "controller's host: share it among the controllers, or use a bucket.",
      .example =
          "- {id: dump, uses: postgres.dump, with: {service: database, to: \"s3://backups/database/\", keep: 30}}",
      .usual_timeout = Duration{4 * 3'600'000},
      .schema = params_schema<PostgresDumpParams>,
      .validate = validate_params<PostgresDumpParams>,
      .make = make_action<PostgresDump, PostgresDumpParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
