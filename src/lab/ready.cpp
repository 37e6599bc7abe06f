#include "lab/ready.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/data/decode.hpp"
#include "lab/redis_setup.hpp"
#include "lab/server_sql.hpp"
#include "lab/wire.hpp"
#include "plan/yaml.hpp"

namespace lifeboat::lab {

namespace {

// Work that goes on beside the rest, in a process of its own.
class Worker {
 public:
  template <class F>
  static Result<Worker> start(F work) {
    TRY(SocketPair pair, socket_pair());
    Worker worker;
    worker.pid_ = fork();
    if (worker.pid_ < 0) return std::unexpected(os_error("fork"));
    if (worker.pid_ == 0) {
      Result<void> done = work();
      JsonLines link(std::move(pair.there));
      bool told = link.send(JsonObject{{"error", done ? "" : done.error().text()}}).has_value();
      _exit(told ? 0 : 1);
    }
    worker.link_ = JsonLines(std::move(pair.here));
    return worker;
  }
  Result<void> finish(int64_t deadline) {
    auto message = link_.receive(deadline);
    if (!message) kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    if (!message) return fail(ErrorKind::timed_out, "caches did not become ready");
    std::string problem = text_or(*message, "error");
    if (!problem.empty()) return fail(ErrorKind::refused, problem);
    return {};
  }

 private:
  pid_t pid_ = -1;
  JsonLines link_;
};

// What is still missing, in words; empty when all databases are as they should be.
std::string missing_in(const Plan& plan, const Json& status, bool standbys_too) {
  for (const auto& [name, service] : plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr) continue;
    const Json& view = member(member(status, "databases"), name);
    std::string holder = text_or(view, "holder");
    if (holder.empty() || !bool_or(view, "writable")) return fmt::format("{} has no writable server yet", name);
    if (!standbys_too) continue;
    size_t streaming = 0;
    if (const Json& members = member(view, "members"); members.is_array()) {
      for (const Json& each : members.get_array()) streaming += bool_or(each, "streaming") ? 1 : 0;
    }
    if (streaming + 1 < database->members.size()) {
      return fmt::format("{}: {} of {} standbys stream", name, streaming, database->members.size() - 1);
    }
  }
  return {};
}

Result<void> wait_for_databases(const LabWorld& world, bool standbys_too, int64_t deadline) {
  std::string missing = "the controller does not answer";
  while (boot_ns() < deadline) {
    if (auto status = controller_status(world)) {
      missing = missing_in(world.plan, *status, standbys_too);
      if (missing.empty()) return {};
    } else {
      missing = status.error().text();
    }
    pause_for(Duration{50});
  }
  return fail(ErrorKind::timed_out, missing, "the logs are in " + world.options.folder + "/logs");
}

// With synchronous replication its commits wait until the first standby has been copied.
constexpr Duration kSetUpWithin{60'000};

std::string in_quotes(std::string_view text, char quote) {
  std::string out(1, quote);
  for (char c : text) {
    out += c;
    if (c == quote) out += c;
  }
  return out + quote;
}

// The role that applications use, which the plan names, before the plan's own SQL.
std::string role_sql(const LabWorld& world, const PostgresService& service) {
  if (service.user == "postgres") return {};
  std::string password = service.password ? world.secret(service.password->name) : std::string();
  std::string user = in_quotes(service.user, '"');
  return fmt::format(
      "SELECT 'CREATE ROLE ' || {0} || ' LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {1}) \\gexec\n"
      "ALTER ROLE {2} LOGIN PASSWORD {3};\n"
      "ALTER DATABASE {4} OWNER TO {2};\n"
      "GRANT ALL ON SCHEMA public TO {2};\n",
      in_quotes(user, '\''), in_quotes(service.user, '\''), user, in_quotes(password, '\''),
      in_quotes(service.database, '"'));
}

Result<void> set_up_databases(const LabWorld& world) {
  TRY(LabFile file, read_lab_file(world.options.plan_file));
  TRY(Json status, controller_status(world));
  std::filesystem::path beside = std::filesystem::path(world.options.plan_file).parent_path();
  for (const auto& [name, service] : world.plan.services) {
    const auto* database = std::get_if<PostgresService>(&service);
    if (database == nullptr) continue;
    std::string sql = role_sql(world, *database);
    if (const std::string* script = file.setup.find(name)) {
      TRY(std::string text, read_file(beside / *script));
      TRY(std::string expanded, expand_secrets(text, world.secrets));
      sql += expanded;
    }
    std::string holder = text_or(member(member(status, "databases"), name), "holder");
    TRY(pid_t postmaster, postmaster_of(world, name, holder));
    auto done = run_sql(postmaster, database->database, sql, kSetUpWithin);
    if (!done) return std::unexpected(std::move(done.error()).with("setting up " + name));
  }
  return {};
}

// One journey as a user makes it: name, load balancer, service, database.
Result<void> try_journey(const LabWorld& world, const Journey& journey) {
  const auto* dns = service_as<DnsService>(world.plan, journey.entry.text);
  if (dns == nullptr) return fail(ErrorKind::invalid_input, "the journey's entry is not a dns service");
  std::string server = address_of(world.plan, dns->resolver ? dns->resolver->text : dns->server.text);
  TRY(std::string address, dns_address(server, dns->resolver ? 53 : dns->port, dns->name, Duration{1000}));
  HttpRequest request{.address = address, .port = journey.port, .host = dns->name, .path = journey.read};
  if (journey.token) request.token = world.secret(journey.token->name);
  TRY(HttpAnswer answer, http(request, Duration{2000}));
  if (answer.status != 200) {
    return fail(ErrorKind::refused, fmt::format("GET {} at {} answers {}: {}", journey.read, address, answer.status,
                                                answer.body.substr(0, 200)));
  }
  return {};
}

Result<void> wait_for_users(const LabWorld& world, int64_t deadline) {
  if (!world.plan.journey) return {};
  while (true) {
    auto done = try_journey(world, *world.plan.journey);
    if (done) return {};
    if (boot_ns() > deadline) return std::unexpected(std::move(done.error()).with("users are not served"));
    pause_for(Duration{50});
  }
}

}  // namespace

Result<LabFile> read_lab_file(const std::string& plan_file) {
  std::filesystem::path path = std::filesystem::path(plan_file).parent_path() / "lab.yaml";
  if (!std::filesystem::exists(path)) return LabFile{};
  TRY(std::string text, read_file(path));
  auto document = parse_yaml(text);
  if (!document) {
    return fail(ErrorKind::invalid_input, document.error().message, document.error().suggestion,
                fmt::format("{}:{}:{}", path.string(), document.error().at.line, document.error().at.column));
  }
  auto file = decode<LabFile>(document->value);
  if (!file) return std::unexpected(to_error(file.error(), path.string()));
  return std::move(*file);
}

Result<void> make_ready(LabWorld& world, const Progress& say, Duration within) {
  int64_t deadline = deadline_in(within);
  TRY_VOID(wait_for_ports(world, {}, within));
  say("servers answer");
  TRY(Worker caches, Worker::start([&world, within] { return set_up_redis(world.plan, world.secrets, within); }));
  if (world.options.daemons && !controller_hosts(world.plan).empty()) {
    TRY_VOID(wait_for_databases(world, false, deadline));
    say("databases take writes");
    TRY_VOID(set_up_databases(world));
    TRY_VOID(wait_for_databases(world, true, deadline));
    say("standbys stream");
  }
  TRY_VOID(caches.finish(deadline));
  say("caches replicate");
  if (world.options.daemons) {
    TRY_VOID(wait_for_users(world, deadline));
    say("users are served");
  }
  return {};
}

}  // namespace lifeboat::lab
