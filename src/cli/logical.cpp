#include "cli/logical.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "cli/exit_codes.hpp"
#include "cli/wait.hpp"
#include "controller/action_catalogue.hpp"
#include "core/data/encode.hpp"
#include "io/secrets.hpp"
#include "plan/load.hpp"
#include "recovery/logical.hpp"

namespace lifeboat::cli {
namespace {

constexpr Duration kAsk{60'000};
constexpr std::string_view kBackupDate = "--backup-date";

// What all three commands take: a place, and how to get there.
struct PlaceOptions {
  std::string place;
  std::string secrets;
  S3Config store;
  std::string style = "path";
  std::string format = "text";
  std::string within = "12h";
  std::string key = "s3-access-key", key_secret = "s3-secret-key";  // names of the secrets
};

struct ServerOptions {
  std::string host, database, user, secret, run_as;
  int port = 5432;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void add_place(CLI::App* command, PlaceOptions& options, bool required = true) {
  command->add_option("place", options.place, "folder, or s3://BUCKET/PREFIX/")->required(required);
  command->add_option(
      "--secrets", options.secrets,
      "folder of secrets; s3-access-key and s3-secret-key are read there when AWS_ACCESS_KEY_ID is not set");
  command->add_option("--s3-endpoint", options.store.endpoint, "https://HOST:PORT of a store that is not Amazon's");
  command->add_option("--s3-region", options.store.region, "region of the bucket (AWS_REGION)");
  command->add_option("--s3-ca-file", options.store.ca_file, "authority trusted for the store's certificate");
  command->add_option("--s3-style", options.style, "path or host: where the bucket stands in the address")
      ->check(CLI::IsMember({"path", "host"}));
  command->add_option("--format", options.format, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->add_option("--within", options.within, "time allowed for all of it (12h)");
}

void add_server(CLI::App* command, ServerOptions& options, const std::string& prefix) {
  command->add_option("--" + prefix + "host", options.host,
                      "address of the server, or the folder of its socket (PGHOST)");
  command->add_option("--" + prefix + "port", options.port, "its port (5432)");
  command->add_option("--user", options.user, "role to connect as (PGUSER)");
  command->add_option("--password-secret", options.secret,
                      "name of the secret with its password; PGPASSWORD or the password file when left out");
  command->add_option("--run-as", options.run_as, "user of this machine that connects, such as postgres; needs root");
}

// The settings of a store, with keys that are never part of a command line.
Result<S3Config> store_config(const PlaceOptions& options, const std::string& bucket) {
  S3Config config = options.store;
  config.bucket = bucket;
  config.style = options.style == "host" ? S3Style::host : S3Style::path;
  if (std::string region = variable("AWS_REGION"); !region.empty() && options.store.region == S3Config{}.region)
    config.region = region;
  config.credentials = {variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                        variable("AWS_SESSION_TOKEN")};
  if (!config.credentials.access_key.empty() || options.secrets.empty()) return config;
  Secrets secrets(options.secrets);
  TRY(config.credentials.access_key, secrets.get(options.key));
  TRY(config.credentials.secret_key, secrets.get(options.key_secret));
  if (auto token = secrets.get("s3-session-token")) config.credentials.session_token = *token;
  return config;
}

Result<std::unique_ptr<BackupPlace>> open_place(const PlaceOptions& options, HttpClient& http) {
  TRY(LogicalPlace place, parse_place(options.place));
  if (!place.in_store()) return open_folder(place.folder);
  TRY(S3Config config, store_config(options, place.bucket));
  TRY(S3Store store, S3Store::open(std::move(config), http));
  return open_bucket(std::move(store), place.prefix);
}

Result<PgParams> params_of(const ServerOptions& server, const PlaceOptions& place) {
  PgParams params{{"dbname", server.database}};
  params["host"] = server.host.empty() ? variable("PGHOST") : server.host;
  if (params["host"].empty()) params["host"] = "/var/run/postgresql";
  params["port"] = std::to_string(server.port);
  params["user"] = server.user.empty() ? variable("PGUSER") : server.user;
  if (params["user"].empty()) params["user"] = server.run_as.empty() ? "postgres" : server.run_as;
  if (server.secret.empty()) {
    params["password"] = variable("PGPASSWORD");
  } else {
    Secrets secrets(place.secrets);
    TRY(params["password"], secrets.get(server.secret));
  }
  if (params["password"].empty()) params.erase("password");
  return params;
}

Result<Deadline> deadline_of(const PlaceOptions& options) {
  auto within = ScalarText<Duration>::parse(options.within);
  if (!within) return fail(ErrorKind::invalid_input, fmt::format("--within: {}", within.error()));
  return Deadline::after(*within);
}

std::string megabytes(uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

// One plain line a second on stderr, so that what is piped holds only the result.
void show(const LogicalProgress& at) {
  if (at.bytes == 0) {
    if (at.total == 0) fmt::print(stderr, "run     {}\n", at.stage);
    return;
  }
  double rate = at.seconds > 0 ? static_cast<double>(at.bytes) / at.seconds : 0;
  std::string of = at.total > 0 ? fmt::format(" of {}", megabytes(at.total)) : "";
  std::string left;
  if (at.total > at.bytes && rate > 0)
    left = fmt::format(", about {} left", format_span(to_duration(std::chrono::nanoseconds(static_cast<int64_t>(
                                              static_cast<double>(at.total - at.bytes) / rate * 1e9)))));
  fmt::print(stderr, "run     {} {}{}, {:.1f} MB/s{}\n", at.stage, megabytes(at.bytes), of, rate / 1e6, left);
}

// ---- dump

struct DumpOptions {
  PlaceOptions place;
  ServerOptions server;
  int compress = -1;
  bool contents = false, no_profile = false;
};

Result<Dumped> dump(const DumpOptions& options) {
  TRY(Deadline deadline, deadline_of(options.place));
  HttpClient http;
  TRY(auto place, open_place(options.place, http));
  DumpRequest request;
  TRY(request.server, params_of(options.server, options.place));
  request.run_as = options.server.run_as;
  request.compress = options.compress;
  request.profile = !options.no_profile;
  request.contents = options.contents;
  asio::io_context context(1);
  return wait(context, take_dump(std::move(request), place.get(), deadline, show));
}

int run_dump(const DumpOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  auto dumped = dump(options);
  if (!dumped) return complain(dumped.error());
  if (options.place.format == "json") {
    fmt::print("{}\n", to_text(encode(*dumped)));
    return kOk;
  }
  std::string held = dumped->tables < 0 ? "" : fmt::format(", {} tables, {} rows", dumped->tables, dumped->rows);
  fmt::print("{}  {}{}, {}  sha256 {}\n", dumped->path, megabytes(dumped->bytes), held,
             format_span(Duration{static_cast<int64_t>(dumped->seconds * 1000)}), dumped->sha256.substr(0, 16));
  return kOk;
}

// ---- dumps

struct ListOptions {
  PlaceOptions place;
  std::string database;
  std::string keep_for = "30d";
  size_t at_least = 7;
  bool verify = false, expire = false, remove = false;
};

JsonObject json_of(const LogicalBackup& backup) {
  return {{"path", backup.path},   {"database", backup.database}, {"date", backup_date(backup.at)},
          {"bytes", backup.bytes}, {"checksum", backup.checksum}, {"profile", backup.profile}};
}

Result<std::vector<LogicalBackup>> list(BackupPlace& place, const std::string& database, asio::io_context& context) {
  TRY(std::vector<PlacedFile> files, wait(context, place.list(Deadline::after(kAsk))));
  std::vector<LogicalBackup> out;
  for (LogicalBackup& backup : logical_backups(files)) {
    if (database.empty() || backup.database == database) out.push_back(std::move(backup));
  }
  return out;
}

std::string line_of(const LogicalBackup& backup) {
  std::string beside = !backup.checksum ? "no checksum: not whole, or not written by lifeboat"
                       : backup.profile ? ""
                                        : "no profile";
  return fmt::format("{}  {:>12}  {}{}{}", backup_date(backup.at), megabytes(backup.bytes), backup.path,
                     beside.empty() ? "" : "  ", beside);
}

int tell_list(const std::vector<LogicalBackup>& all, bool json) {
  JsonArray out;
  for (const LogicalBackup& backup : all) {
    if (json) {
      out.push_back(json_of(backup));
    } else {
      fmt::print("{}\n", line_of(backup));
    }
  }
  if (json) fmt::print("{}\n", to_text(out));
  return kOk;
}

int verify_all(const std::vector<LogicalBackup>& all, BackupPlace& place, Deadline deadline, asio::io_context& context,
               bool json) {
  int code = all.empty() ? kNotWell : kOk;
  JsonArray out;
  for (const LogicalBackup& backup : all) {
    auto whole = wait(context, verify_dump(&place, backup, deadline, show));
    if (!whole) code = kNotWell;
    if (json) {
      JsonObject entry = json_of(backup);
      entry["whole"] = whole.has_value();
      if (!whole) entry["problem"] = whole.error().text();
      out.push_back(std::move(entry));
    } else {
      fmt::print("{}  {}\n", whole ? "ok  " : "FAIL", whole ? line_of(backup) : whole.error().text());
    }
  }
  if (json) fmt::print("{}\n", to_text(out));
  return code;
}

int expire(const ListOptions& options, const std::vector<LogicalBackup>& all, BackupPlace& place,
           asio::io_context& context) {
  auto keep_for = ScalarText<Duration>::parse(options.keep_for);
  if (!keep_for) return complain(fail(ErrorKind::invalid_input, "--keep-for: " + keep_for.error()).error());
  JsonArray out;
  for (const LogicalExpiry& entry : judge_retention(all, {*keep_for, options.at_least}, wall_now())) {
    bool removing = !entry.keep && options.remove;
    if (removing) {
      auto removed = wait(context, remove_dump(&place, entry.backup, Deadline::after(kAsk)));
      if (!removed) return complain(removed.error());
    }
    std::string word = entry.keep ? "keep" : removing ? "removed" : "would go";
    if (options.place.format == "json") {
      JsonObject json = json_of(entry.backup);
      json["decision"] = word;
      json["reason"] = entry.reason;
      out.push_back(std::move(json));
    } else {
      fmt::print("{:<8}  {}  {}\n", word, line_of(entry.backup), entry.reason);
    }
  }
  if (options.place.format == "json") fmt::print("{}\n", to_text(out));
  return kOk;
}

int run_dumps(const ListOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  HttpClient http;
  auto place = open_place(options.place, http);
  if (!place) return complain(place.error());
  auto deadline = deadline_of(options.place);
  if (!deadline) return complain(deadline.error());
  asio::io_context context(1);
  auto all = list(**place, options.database, context);
  if (!all) return complain(all.error());
  bool json = options.place.format == "json";
  if (options.expire) return expire(options, *all, **place, context);
  if (options.verify) return verify_all(*all, **place, *deadline, context, json);
  return tell_list(*all, json);
}

// ---- restore-dump

struct LoadOptions {
  PlaceOptions place;
  ServerOptions server;
  std::string date, source, plan, inventory, service, confirm, scratch = "/var/tmp";
  int jobs = 2;
  bool latest = false, replace = false, create = false, all_or_nothing = false, no_owner = false,
       without_checksum = false;
};

Result<Plan> plan_of(const LoadOptions& options) {
  lifeboat::LoadOptions load{.inventory = options.inventory};
  auto loaded = load_plan(options.plan, built_in_actions(), load);
  if (!loaded)
    return fail(ErrorKind::invalid_input, fmt::format("{} cannot be loaded: see lifeboat check", options.plan));
  return std::move(loaded->plan);
}

// The service whose logical backups are meant: the one that is named, or the only one that has some.
Result<const PostgresService*> service_with_dumps(const Plan& plan, const std::string& named) {
  const PostgresService* found = nullptr;
  for (const auto& [name, service] : plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    bool has_some = database != nullptr && database->backups && database->backups->dumps;
    if (!has_some || (!named.empty() && name != named)) continue;
    if (found != nullptr)
      return fail(ErrorKind::invalid_input, "several services of the plan have logical backups", "--service NAME");
    found = database;
  }
  if (found != nullptr) return found;
  return fail(ErrorKind::invalid_input,
              "which place is not said, and the plan has no logical backups that would say it",
              "a folder, or s3://BUCKET/PREFIX/");
}

// What is not said on the command line, from the service's backups.dumps.
Result<> complete_from_plan(LoadOptions& options, const Plan& plan) {
  TRY(const PostgresService* service, service_with_dumps(plan, options.service));
  const Dumps& dumps = *service->backups->dumps;
  options.place.place = dumps.to;
  if (options.server.database.empty()) options.server.database = service->database;
  if (options.server.user.empty()) options.server.user = service->user;
  if (options.server.secret.empty() && service->password && !options.place.secrets.empty())
    options.server.secret = service->password->name;
  if (!dumps.store) return {};
  S3Config& store = options.place.store;
  if (store.endpoint.empty()) store.endpoint = dumps.store->endpoint;
  if (store.ca_file.empty()) store.ca_file = dumps.store->ca_file;
  if (store.region == S3Config{}.region && !dumps.store->region.empty()) store.region = dumps.store->region;
  if (!dumps.store->path_style) options.place.style = "host";
  options.place.key = dumps.store->key.name;
  options.place.key_secret = dumps.store->key_secret.name;
  return {};
}

// The member of the plan that the target is, by host and port; empty when none.
Result<std::string> member_at(const LoadOptions& options, const Plan& plan) {
  for (const auto& [name, service] : plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr) continue;
    for (const auto& [member, settings] : database->members) {
      bool same =
          settings.host.text == options.server.host || address_of(plan, settings.host.text) == options.server.host;
      if (same && settings.port == options.server.port) return fmt::format("{} of {}", member, name);
    }
  }
  return std::string();
}

Result<LogicalBackup> choose(const LoadOptions& options, BackupPlace& place, asio::io_context& context) {
  std::optional<WallTime> at;
  if (!options.date.empty()) {
    TRY(at, parse_backup_date(options.date));
  }
  TRY(std::vector<LogicalBackup> all, list(place, {}, context));
  return choose_logical(all, options.source.empty() ? options.server.database : options.source, at);
}

Result<Loaded> load(LoadOptions options) {
  if (options.latest == !options.date.empty())
    return fail(ErrorKind::invalid_input, "which backup is not said", "--backup-date 2024-01-01_020000, or --latest");
  std::string member;
  if (options.plan.empty()) {
    if (options.place.place.empty())
      return fail(ErrorKind::invalid_input, "which place is not said",
                  "a folder or s3://BUCKET/PREFIX/; or --plan, whose backups.dumps say it");
  } else {
    TRY(Plan plan, plan_of(options));
    if (options.place.place.empty()) {
      TRY_VOID(complete_from_plan(options, plan));
    }
    TRY(member, member_at(options, plan));
  }
  if (options.server.database.empty())
    return fail(ErrorKind::invalid_input, "which database is loaded is not said", "--database NAME");
  TRY(Deadline deadline, deadline_of(options.place));
  HttpClient http;
  TRY(auto place, open_place(options.place, http));
  LoadRequest request;
  TRY(request.server, params_of(options.server, options.place));
  request.member = member;
  request.run_as = options.server.run_as;
  request.jobs = options.jobs;
  request.create = options.create;
  request.answer = {options.replace, options.confirm};
  request.all_or_nothing = options.all_or_nothing;
  request.no_owner = options.no_owner;
  request.without_checksum = options.without_checksum;
  request.scratch = options.scratch;
  asio::io_context context(1);
  TRY(LogicalBackup backup, choose(options, *place, context));
  fmt::print(stderr, "run     {} of {}, {}\n", backup_date(backup.at), backup.database, megabytes(backup.bytes));
  return wait(context, load_dump(std::move(request), place.get(), std::move(backup), deadline, show));
}

int run_load(const LoadOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  auto loaded = load(options);
  if (!loaded) return complain(loaded.error());
  bool well = all_hold(loaded->checks);
  if (options.place.format == "json") {
    fmt::print("{}\n", to_text(encode(*loaded)));
    return well ? kOk : kNotWell;
  }
  for (const RestoreProblem& problem : loaded->problems)
    fmt::print("note    {}: {}\n", problem.entry.empty() ? "pg_restore" : problem.entry, problem.message);
  for (const Check& check : loaded->checks) {
    if (check.verdict != Verdict::passed)
      fmt::print("{:<7} {}: {}\n", enum_name(check.verdict), check.name, check.text);
  }
  fmt::print("{}  {} tables, {} rows of {} in {:.1f} s (fetch {:.1f}, load {:.1f}, analyze {:.1f}, check {:.1f})\n",
             loaded->database, loaded->tables, loaded->rows, loaded->backup, loaded->seconds, loaded->fetch_seconds,
             loaded->load_seconds, loaded->analyze_seconds, loaded->check_seconds);
  fmt::print("{}\n", loaded->proven ? "It holds exactly what was dumped."
                     : well         ? "Not proven: the backup has no profile beside it."
                                    : "IT DOES NOT HOLD WHAT WAS DUMPED.");
  return well ? kOk : kNotWell;
}

void add_dump(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("dump", "take a logical backup to a folder or bucket")->group("Backups");
  auto options = std::make_shared<DumpOptions>();
  add_place(command, options->place);
  add_server(command, options->server, "");
  command->add_option("--database", options->server.database, "database that is dumped")->required();
  command->add_option("--compress", options->compress, "0 to 9; pg_dump's own when left out")->check(CLI::Range(0, 9));
  command->add_flag("--contents", options->contents,
                    "sum every row too, so that a restore is held against all contents");
  command->add_flag("--no-profile", options->no_profile, "count nothing; a restore cannot be proven then");
  command->callback([options, &exit_code] { exit_code = run_dump(*options); });
}

void add_dumps(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("dumps", "the logical backups of a place, newest last")->group("Backups");
  auto options = std::make_shared<ListOptions>();
  add_place(command, options->place);
  command->add_option("--database", options->database, "only those of this database");
  command->add_flag("--verify", options->verify, "read each of them whole and hold it against its checksum");
  auto* expiring = command->add_flag("--expire", options->expire, "what may go by age, and why the others stay");
  command->add_option("--keep-for", options->keep_for, "age up to which all are kept (30d)");
  command->add_option("--at-least", options->at_least, "how many whole ones of a database stay in any case (7)");
  command->add_flag("--remove", options->remove, "with --expire: delete what may go")->needs(expiring);
  command->callback([options, &exit_code] { exit_code = run_dumps(*options); });
}

void add_load(CLI::App& app, int& exit_code) {
  auto* command =
      app.add_subcommand("restore-dump", "load a logical backup into a database, and prove it")->group("Backups");
  auto options = std::make_shared<LoadOptions>();
  add_place(command, options->place, false);
  add_server(command, options->server, "target-");
  command->add_option("--database", options->server.database, "database that is loaded");
  command->add_option("--of", options->source, "database that was dumped, when it had another name");
  command->add_option("--backup-date", options->date, "which backup: 2024-01-01_020000, UTC");
  command->add_flag("--latest", options->latest, "the newest backup");
  command->add_option("--jobs", options->jobs, "connections that load at once (2)")->check(CLI::Range(1, 64));
  command->add_flag("--create", options->create, "make the database if it does not exist");
  command->add_flag("--replace", options->replace, "drop what is there and load it anew");
  command->add_option("--confirm", options->confirm, "DATABASE@HOST, when the target is in use");
  command->add_option("--plan", options->plan,
                      "plan whose members are not replaced without --confirm; without a place its backups.dumps say "
                      "place, database and user");
  command->add_option("--service", options->service, "with --plan: whose backups, when several have some");
  command->add_option("--inventory", options->inventory, "addresses of hosts");
  command->add_flag("--all-or-nothing", options->all_or_nothing, "in one transaction, by one connection");
  command->add_flag("--no-owner", options->no_owner,
                    "owner and rights of the connection's role instead of the dumped ones");
  command->add_flag("--without-checksum", options->without_checksum, "load a backup that has no checksum, unproven");
  command->add_option("--scratch", options->scratch, "where a fetched file lies meanwhile (/var/tmp)");
  command->callback([options, &exit_code] { exit_code = run_load(*options); });
}

}  // namespace

bool means_logical_backup(std::span<char* const> argv) {
  if (argv.size() < 2 || std::string_view(argv[1]) != "restore") return false;
  return std::ranges::any_of(argv.subspan(2), [](std::string_view word) {
    return word == kBackupDate || (word.starts_with(kBackupDate) && word[kBackupDate.size()] == '=');
  });
}

void add_logical_commands(CLI::App& app, int& exit_code) {
  add_dump(app, exit_code);
  add_dumps(app, exit_code);
  add_load(app, exit_code);
}

}  // namespace lifeboat::cli
