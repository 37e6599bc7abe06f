#include "agent/postgres_server.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "agent/backup_files.hpp"
#include "agent/handicaps.hpp"
#include "io/file.hpp"
#include "io/priority.hpp"
#include "io/process.hpp"
#include "recovery/corruption.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr Duration kSweep{3'000};

constexpr std::string_view kLook =
    "SELECT r.rec, s.system_identifier::text AS system_id,"
    " CASE WHEN r.rec THEN coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')::text"
    "      ELSE pg_current_wal_flush_lsn()::text END AS written,"
    " coalesce(pg_last_wal_replay_lsn(), '0/0')::text AS replayed,"
    " CASE WHEN r.rec THEN coalesce(w.received_tli, c.timeline_id)"
    "      ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,"
    // A receiver says "streaming" from before it has asked for anything, also when it will be turned away. What counts is a
    // message of the sender (until then both times are the same), or that it has not been turned away for a while.
    " coalesce(w.status = 'streaming' AND w.last_msg_receipt_time > now() - interval '5 s' AND"
    "          (w.last_msg_send_time <> w.last_msg_receipt_time OR a.backend_start < now() - interval '500 ms'), "
    "false) AS streaming,"
    " coalesce(CASE WHEN w.flushed_lsn >= w.latest_end_lsn"
    "               THEN (extract(epoch FROM now() - w.last_msg_receipt_time) * 1000)::bigint END, -1) AS current_ms,"
    " coalesce(w.sender_host, '') AS sender_host, coalesce(w.sender_port, 0) AS sender_port,"
    " current_setting('synchronous_standby_names') AS sync,"
    // A standby that was just started has more than it says until it has replayed all that it has; then it asks for more.
    " r.rec AND pg_last_wal_receive_lsn() IS NULL AND NOT EXISTS (SELECT FROM pg_stat_activity x WHERE x.backend_type "
    "= "
    "'startup' AND x.wait_event IN ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream')) AS replaying,"
    " CASE WHEN r.rec THEN pg_get_wal_replay_pause_state() <> 'not paused' ELSE false END AS paused,"
    " r.rec AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM "
    "pg_stat_activity x WHERE x.backend_type = 'startup' AND x.wait_event IN ('RecoveryRetrieveRetryInterval', "
    "'RecoveryWalStream')) AS waits_for_log,"
    " CASE WHEN r.rec THEN nullif(current_setting('recovery_min_apply_delay'), '0') END AS delay,"
    " CASE WHEN r.rec AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()"
    "      THEN (extract(epoch FROM now() - pg_last_xact_replay_timestamp()) * 1000)::bigint ELSE 0 END AS lag_ms"
    " FROM (SELECT pg_is_in_recovery() AS rec) r CROSS JOIN pg_control_system() s CROSS JOIN pg_control_checkpoint() c"
    " LEFT JOIN pg_stat_wal_receiver w ON true LEFT JOIN pg_stat_activity a ON a.pid = w.pid";

constexpr std::string_view kStandbys =
    "SELECT application_name, flush_lsn::text FROM pg_stat_replication WHERE state = 'streaming' AND flush_lsn IS NOT "
    "NULL";

// As many as ask at the same time.
constexpr size_t kMostKept = 3;

constexpr std::string_view kClaim = "1\t0/1\tleft to others\n";

// Debian keeps each major version's programs apart; the newest is taken.
std::string bin_folder() {
  std::string best;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    std::string bin = entry.path().string() + "/bin";
    if (access((bin + "/postgres").c_str(), X_OK) == 0 && (best.size() < bin.size() || best < bin)) best = bin;
  }
  return best;
}

uint64_t number(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Lsn position(const std::string& text) { return ScalarText<Lsn>::parse(text).value_or(Lsn{}); }

}  // namespace

PostgresServer::PostgresServer(asio::any_io_executor executor, const std::string& folder, std::string run_as,
                               wire::ServerConfig config)
    : executor_(std::move(executor)), run_as_(std::move(run_as)), config_(std::move(config)) {
  paths_ = server_paths(folder, config_);
}

std::string postgres_program(const std::string& name) {
  std::string bin = bin_folder();
  return bin.empty() || access((bin + "/" + name).c_str(), X_OK) != 0 ? std::string() : bin + "/" + name;
}

std::string PostgresServer::tool(const std::string& name) const { return bin_folder() + "/" + name; }

PgParams PostgresServer::socket_params(const std::string& database) const {
  return {
      {"host", paths_.socket},
      {"port", std::to_string(config_.port)},
      {"dbname", database},
      {"user", "postgres"},
      // Statements that hold a password must not get into the server's log, whatever its settings and also when they fail.
      // What is written for the server itself must not wait for a standby that is made by it.
      {"options",
       "-c synchronous_commit=local -c log_statement=none -c log_min_error_statement=panic -c "
       "log_min_duration_statement=-1"}};
}

bool PostgresServer::has_data() const { return access((paths_.data + "/PG_VERSION").c_str(), F_OK) == 0; }
bool PostgresServer::spoiled() const { return access(spoiled_file().c_str(), F_OK) == 0; }
bool PostgresServer::marked_standby() const { return access(standby_marker().c_str(), F_OK) == 0; }

void PostgresServer::give_to_server(const std::string& path) const {
  if (geteuid() != 0) return;
  const passwd* account = getpwnam(run_as_.c_str());
  if (account != nullptr && lchown(path.c_str(), account->pw_uid, account->pw_gid) != 0) return;
}

Result<> PostgresServer::make_folders() const {
  for (const std::string& path : {paths_.folder, paths_.socket}) {
    std::error_code problem;
    fs::create_directories(path, problem);
    if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", path, problem.message()));
    give_to_server(path);
    if (chmod(path.c_str(), 0700) != 0)
      return fail(ErrorKind::refused, fmt::format("{}: its mode cannot be set", path));
  }
  return {};
}

Result<> PostgresServer::write_owned(const std::string& path, const std::string& text) const {
  // It may be read the moment it has its name.
  const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr;
  if (account == nullptr) return write_file_atomic(path, text, 0600);
  return write_file_atomic(path, text, 0600, FileOwner{account->pw_uid, account->pw_gid});
}

Task<Result<std::string>> PostgresServer::run_tool(std::vector<std::string> argv, Deadline deadline,
                                                   std::string output_file, bool behind_others) {
  std::string name = argv.front();
  if (bin_folder().empty())
    co_return fail(ErrorKind::unsupported, "PostgreSQL is not installed here", "apt install postgresql-15");
  ProcessSpec spec;
  argv.front() = tool(name);
  spec.argv = std::move(argv);
  spec.user = run_as_;
  spec.directory = paths_.folder;
  spec.ends_with_us = true;
  spec.output_file = std::move(output_file);
  spec.behind_others = behind_others;
  // pg_waldump prints local times.
  spec.environment = {{"PGPASSFILE", paths_.passfile}, {"LC_ALL", "C"}, {"TZ", "UTC"}};
  auto running = run_process(std::move(spec), deadline);
  CO_TRY(ProcessResult result, co_await std::move(running));
  if (result.exit_code != 0) {
    std::string said = result.err.empty() ? result.out : result.err;
    co_return fail(ErrorKind::refused, fmt::format("{} ended with {}: {}", name, result.exit_code,
                                                   said.substr(said.size() > 600 ? said.size() - 600 : 0)));
  }
  co_return result.out + result.err;
}

Result<> PostgresServer::clear_up() {
  TRY_VOID(clear_up_swap());
  if (!has_data() && access((paths_.data + ".old/PG_VERSION").c_str(), F_OK) == 0) {
    std::error_code problem;
    fs::rename(paths_.data + ".old", paths_.data, problem);
    if (problem)
      return fail(ErrorKind::refused, fmt::format("{}.old could not be put back: {}", paths_.data, problem.message()));
  }
  if (!end_processes_at(paths_.data, tool("postgres"), kSweep))
    return fail(ErrorKind::refused, "processes of an earlier server cannot be killed",
                "look for processes in state D and what they wait for");
  return {};
}

Task<Result<>> PostgresServer::create(Deadline deadline) {
  CO_TRY_VOID(make_folders());
  // Made beside its place: a half-made cluster is never taken for a whole one, and nothing that is there is overwritten.
  std::string fresh = paths_.data + ".new";
  std::error_code problem;
  fs::remove_all(fresh, problem);
  std::vector<std::string> argv{"initdb",
                                "-D",
                                fresh,
                                "-U",
                                "postgres",
                                "--data-checksums",
                                "--encoding=UTF8",
                                "--locale=C.UTF-8",
                                "--auth-local=trust",
                                "--auth-host=scram-sha-256"};
  auto making = run_tool(std::move(argv), deadline);
  CO_TRY_VOID(co_await std::move(making));
  fs::rename(fresh, paths_.data, problem);
  if (problem)
    co_return fail(ErrorKind::refused, fmt::format("{}: {}", paths_.data, problem.message()),
                   "it is not empty and holds no cluster: look what it is");
  co_return write_settings({}, false);
}

Result<> PostgresServer::write_settings(const std::string& upstream, bool standby) {
  TRY_VOID(make_folders());
  TRY_VOID(write_owned(paths_.passfile, passfile_text(config_)));
  TRY_VOID(write_owned(paths_.data + "/lifeboat.conf",
                       settings_text(config_, paths_, upstream, sync_.value_or(config_.sync))));
  TRY_VOID(write_owned(paths_.data + "/pg_hba.conf", access_text(config_)));
  TRY_VOID(write_archive_settings(true));
  TRY(std::string main_file, read_file(paths_.data + "/postgresql.conf"));
  constexpr std::string_view kInclude = "include 'lifeboat.conf'";
  if (main_file.find(kInclude) == std::string::npos)
    TRY_VOID(write_owned(paths_.data + "/postgresql.conf", main_file + "\n" + std::string(kInclude) + "\n"));
  if (standby) return write_owned(standby_marker(), "");
  unlink(standby_marker().c_str());
  return {};
}

// Also when it was left off by a server that stopped.
Result<> PostgresServer::write_archive_settings(bool on) const {
  if (config_.archive.stanza.empty()) return {};
  std::string agent_folder = fs::path(paths_.folder).parent_path().string();
  std::string program = find_program("pgbackrest");
  std::string text = archive_settings(config_.archive, program.empty() ? "pgbackrest" : program,
                                      BackupPaths{agent_folder + "/" + std::string(kBackupFolder)}, on);
  // A promotion does not wait for a disk that has nothing to learn.
  if (auto there = read_file(paths_.archive_settings); there && *there == text) return {};
  return write_owned(paths_.archive_settings, text);
}

// A server that stops waits for its archiver, and the archiver for a repository that may not answer.
void PostgresServer::end_archiving() const {
  if (config_.archive.stanza.empty()) return;
  if (!write_archive_settings(false)) return;
  guard_->signal_server(SIGHUP);
}

Result<> PostgresServer::start(MonoTime fence, Guard::OnEnd on_end) {
  if (bin_folder().empty())
    return fail(ErrorKind::unsupported, "PostgreSQL is not installed here", "apt install postgresql-15");
  TRY_VOID(make_folders());
  TRY_VOID(clear_up());
  forget_claims();
  TRY_VOID(write_archive_settings(true));
  // Lock files of a server that is gone would keep the new one from starting when its process number was given again.
  unlink((paths_.data + "/postmaster.pid").c_str());
  unlink(fmt::format("{}/.s.PGSQL.{}.lock", paths_.socket, config_.port).c_str());
  GuardedProgram program;
  program.argv = {tool("postgres"), "-D", paths_.data, "-c", "listen_addresses=" + config_.listen};
  program.user = run_as_;
  program.output_file = paths_.log;
  program.directory = paths_.data;
  program.fence = fence;
  kept_.clear();
  slot_trouble_.clear();
  password_ = {};
  count_waits_anew();
  TRY(guard_, Guard::start(executor_, program, std::move(on_end)));
  return {};
}

PgParams PostgresServer::isolated_params(const std::string& database) const {
  PgParams params = socket_params(database);
  params["host"] = isolated_folder();
  // Texts that do not depend on anybody's settings, and nothing written by mistake.
  params["options"] +=
      " -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex"
      " -c client_encoding=UTF8 -c default_transaction_read_only=on -c statement_timeout=0";
  return params;
}

Result<std::unique_ptr<Guard>> PostgresServer::start_isolated(Guard::OnEnd on_end) {
  std::error_code problem;
  fs::create_directories(isolated_folder(), problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", isolated_folder(), problem.message()));
  give_to_server(isolated_folder());
  if (chmod(isolated_folder().c_str(), 0700) != 0)
    return fail(ErrorKind::refused, isolated_folder() + ": its mode cannot be set");
  std::string access = isolated_folder() + "/pg_hba.conf";
  TRY_VOID(write_owned(access, "local all postgres trust\n"));
  TRY_VOID(clear_up());
  unlink((paths_.data + "/postmaster.pid").c_str());
  unlink(standby_marker().c_str());
  unlink(fmt::format("{}/.s.PGSQL.{}.lock", isolated_folder(), config_.port).c_str());
  GuardedProgram program;
  program.argv = {tool("postgres"), "-D", paths_.data};
  for (const std::string& setting : isolated_settings(isolated_folder(), access)) {
    program.argv.push_back("-c");
    program.argv.push_back(setting);
  }
  program.user = run_as_;
  program.output_file = paths_.log;
  program.directory = paths_.data;
  return Guard::start(executor_, program, std::move(on_end));
}

void PostgresServer::set_fence(MonoTime at) {
  if (guard_ == nullptr) return;
  if (at == MonoTime::max()) {
    guard_->clear_fence();
  } else {
    guard_->set_fence(at);
  }
}

void PostgresServer::reload() {
  if (guard_ != nullptr) guard_->signal_server(SIGHUP);
}

Task<Result<>> PostgresServer::ping(Deadline deadline) {
  auto asking = pg_query_once(socket_params("postgres"), "SELECT 1", {}, deadline);
  auto answer = co_await std::move(asking);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return Result<>{};
}

Task<Result<>> PostgresServer::knock(Deadline deadline) {
  auto knocking = pg_knock(paths_.socket, static_cast<int>(config_.port), deadline);
  co_return co_await std::move(knocking);
}

int64_t PostgresServer::work() const { return guard_ == nullptr ? 0 : processor_time_of(guard_->server()); }

Task<Result<PgRows>> PostgresServer::ask(std::string sql, Deadline deadline) {
  // A connection is taken out while it is used, so that two callers never share one.
  std::unique_ptr<PgConnection> connection;
  while (!kept_.empty() && (!connection || !connection->usable())) {
    connection = std::move(kept_.back());
    kept_.pop_back();
  }
  if (!connection || !connection->usable()) {
    auto connecting = PgConnection::connect(socket_params("postgres"), deadline);
    CO_TRY(connection, co_await std::move(connecting));
    // Leases and promotions wait for what it says, and it says it in milliseconds.
    let_go_first(connection->backend(), true);
  }
  auto asking = connection->query(std::move(sql), {}, deadline);
  auto answer = co_await std::move(asking);
  if (connection->usable() && kept_.size() < kMostKept) kept_.push_back(std::move(connection));
  // What ended this one ended the others.
  if (!answer && answer.error().kind == ErrorKind::unreachable) kept_.clear();
  co_return answer;
}

Task<Result<ServerLook>> PostgresServer::look(Deadline deadline) {
  int64_t cancelled = waits_.is().count;
  auto asking = ask(std::string(kLook), deadline);
  CO_TRY(PgRows rows, co_await std::move(asking));
  if (rows.empty()) co_return fail(ErrorKind::internal, "the server said nothing of itself");
  ServerLook seen;
  seen.in_recovery = rows.text(0, "rec") == "t";
  seen.system_id = number(rows.text(0, "system_id"));
  seen.timeline = number(rows.text(0, "timeline"));
  seen.written = position(rows.text(0, "written"));
  seen.replayed = position(rows.text(0, "replayed"));
  seen.streaming = rows.text(0, "streaming") == "t";
  seen.sync = rows.text(0, "sync");
  seen.disk_full = is_full();
  seen.replaying = rows.text(0, "replaying") == "t";
  seen.upstream_host = rows.text(0, "sender_host");
  seen.upstream_port = static_cast<int>(number(rows.text(0, "sender_port")));
  seen.replay_paused = rows.text(0, "paused") == "t";
  seen.waits_for_log = rows.text(0, "waits_for_log") == "t";
  if (!rows.is_null(0, "delay")) seen.replay_delay = rows.text(0, "delay");
  seen.current_ms = std::atoll(rows.text(0, "current_ms").c_str());
  seen.lag_ms = rows.is_null(0, "lag_ms") ? -1 : static_cast<int64_t>(number(rows.text(0, "lag_ms")));
  if (!seen.in_recovery) {
    auto more = ask(std::string(kStandbys), deadline);
    CO_TRY(PgRows standbys, co_await std::move(more));
    for (size_t row = 0; row < standbys.rows.size(); ++row) {
      std::string name = standbys.text(row, "application_name");
      if (config_.members.contains(name) && !seen.standbys.contains(name))
        seen.standbys.add(name, position(standbys.text(row, "flush_lsn")));
    }
  }
  waits_.saw(cancelled, seen, sync_ && sync_->copies > 0 ? *sync_ : config_.sync);
  co_await look_for_handicaps(deadline);
  co_await look_after_password(deadline);
  seen.handicaps = handicaps_;
  co_return seen;
}

// They change when somebody changes rights or settings. What is known stays while the question has no answer; a hindrance that somebody
// mends is gone soon.
Task<> PostgresServer::look_for_handicaps(Deadline deadline) {
  constexpr Duration kEvery{30'000}, kWhileHindered{2'000};
  Duration pause = handicaps_.empty() ? kEvery : kWhileHindered;
  if (looked_for_handicaps_ != MonoTime{} && boot_now() < looked_for_handicaps_ + pause) co_return;
  looked_for_handicaps_ = boot_now();
  auto asking = ask(handicaps_sql(config_.replication_user), deadline);
  auto rows = co_await std::move(asking);
  if (!rows) co_return;
  handicaps_ = handicaps_in(*rows);
  if (!slot_trouble_.empty()) handicaps_.push_back(slot_trouble_);
  co_await ask_whether_waits_are_told(deadline);
}

Task<Result<>> PostgresServer::wait_until_answers(Deadline deadline) {
  while (running()) {
    MonoTime begun = boot_now();
    auto pinging = ping(deadline.at_most(Duration{2'000}));
    auto alive = co_await std::move(pinging);
    if (alive) co_return Result<>{};
    if (deadline.passed())
      co_return fail(ErrorKind::timed_out, "the server did not answer in time: " + alive.error().what);
    // Every answer, also "starting up", costs a process that the server could use itself.
    co_await sleep_for(std::max(Duration{10}, to_duration(boot_now() - begun) * 3));
  }
  auto log = read_file(paths_.log);
  std::string end = log ? log->substr(log->size() > 500 ? log->size() - 500 : 0) : std::string();
  co_return fail(ErrorKind::refused, "the server ended while it started: " + end);
}

Task<Result<>> PostgresServer::furnish(Deadline deadline) {
  auto role = ask("SELECT 1 FROM pg_roles WHERE rolname = " + sql_literal(config_.replication_user), deadline);
  CO_TRY(PgRows there, co_await std::move(role));
  if (there.empty()) {
    // One block, so that the role is there with all its rights or not at all.
    auto creating = ask("DO " + sql_literal("BEGIN " + replication_role_sql(config_) + " END"), deadline);
    auto created = co_await std::move(creating);
    if (!created)
      co_return fail(created.error().kind,
                     "the replication role could not be created: SQLSTATE " + sqlstate_of(created.error()));
  }
  auto database = ask("SELECT 1 FROM pg_database WHERE datname = " + sql_literal(config_.database), deadline);
  CO_TRY(PgRows exists, co_await std::move(database));
  if (!exists.empty()) co_return Result<>{};
  auto creating = ask("CREATE DATABASE " + sql_name(config_.database), deadline);
  auto created = co_await std::move(creating);
  if (!created) co_return std::unexpected(std::move(created).error());
  co_return Result<>{};
}

// The server takes the first number above its own for which it finds no history. Two servers that know nothing of each other
// would take the same one, and whatever compares timelines, pg_rewind first of all, would take both histories for one. The files
// made here say that those numbers are others'; their position is the very beginning, so nobody can be on them. They matter only
// while the server promotes itself, so they need not outlive a crash: a standby that is started with them would look for its
// upstream on the highest of them.
Result<> PostgresServer::claim_timelines(uint64_t own, uint64_t next) const {
  std::string beside = paths_.data + "/pg_wal/claim.tmp";
  for (uint64_t number = own + 1; number < next; ++number) {
    std::string file = history_file(number);
    if (access(file.c_str(), F_OK) == 0) continue;
    std::ofstream(beside) << kClaim;
    give_to_server(beside);
    std::error_code failed;
    fs::rename(beside, file, failed);
    if (failed) return fail(ErrorKind::refused, fmt::format("{}: {}", file, failed.message()));
  }
  return {};
}

std::string PostgresServer::history_file(uint64_t timeline) const {
  return fmt::format("{}/pg_wal/{:08X}.history", paths_.data, timeline);
}

void PostgresServer::forget_claims() const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(paths_.data + "/pg_wal", ignored)) {
    if (entry.path().extension() != ".history") continue;
    auto text = read_file(entry.path().string());
    if (text && *text == kClaim) fs::remove(entry.path(), ignored);
  }
}

Task<Result<>> PostgresServer::promote(uint64_t timeline, Deadline deadline) {
  auto looking = look(deadline.at_most(Duration{1'000}));
  CO_TRY(ServerLook before, co_await std::move(looking));
  if (before.in_recovery) CO_TRY_VOID(claim_timelines(before.timeline, timeline));
  // Nobody is served until it leads.
  struct First {
    pid_t server;
    explicit First(pid_t pid) : server(pid) { let_go_first(server, true); }
    ~First() { let_go_first(server, false); }
    First(const First&) = delete;
  } first(guard_ ? guard_->server() : -1);
  auto asking = ask("SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(false) END", deadline);
  auto asked = co_await std::move(asking);
  if (!asked) co_return std::unexpected(std::move(asked).error().with("promote"));
  while (true) {
    auto checking = ask("SELECT pg_is_in_recovery() AS rec", deadline);
    auto seen = co_await std::move(checking);
    if (seen && seen->text(0, "rec") == "f") co_return Result<>{};
    if (deadline.passed() || !running())
      co_return fail(ErrorKind::unknown_outcome, "the promotion was asked for and did not end in time");
    co_await sleep_for(Duration{3});
  }
}

Task<Result<ControlData>> PostgresServer::control_data(Deadline deadline) {
  auto running_tool = run_tool({"pg_controldata", "-D", paths_.data}, deadline);
  CO_TRY(std::string text, co_await std::move(running_tool));
  auto value = [&](std::string_view name) -> std::string {
    size_t at = text.find(name);
    if (at == std::string::npos) return {};
    size_t begin = text.find_first_not_of(' ', at + name.size());
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  ControlData out;
  out.clean = value("Database cluster state:").starts_with("shut down");
  out.checkpoint = position(value("Latest checkpoint location:"));
  out.timeline = number(value("Latest checkpoint's TimeLineID:"));
  out.system_id = number(value("Database system identifier:"));
  co_return out;
}

namespace {

// Users, whose commits may wait for this very member, may have taken all connections but those for replication.
Task<Result<std::unique_ptr<PgConnection>>> connect_to_source(wire::ServerConfig config, wire::Peer peer,
                                                              Deadline deadline) {
  PgParams params{{"host", peer.address},
                  {"port", std::to_string(peer.port)},
                  {"dbname", "postgres"},
                  {"user", config.replication_user},
                  {"password", config.replication_password}};
  auto connecting = PgConnection::connect(params, deadline.at_most(Duration{5'000}));
  auto connected = co_await std::move(connecting);
  if (connected) co_return connected;
  params["replication"] = "database";
  auto trying_again = PgConnection::connect(std::move(params), deadline.at_most(Duration{5'000}));
  auto again = co_await std::move(trying_again);
  if (again) co_return again;
  co_return connected;
}

// Up to version 15 a freshly promoted source may still show its old timeline until its next checkpoint, and pg_rewind would find
// nothing to do. Where the disk is so slow that a checkpoint takes longer than is waited here, it goes on without us, and the next
// attempt finds that it has ended: only one that is needed is asked for.
Task<Result<>> ensure_timeline_shows(PgConnection& connection, Deadline deadline) {
  auto asking = connection.query(
      "SELECT timeline_id = ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS shows "
      "FROM pg_control_checkpoint()",
      {}, deadline.at_most(Duration{5'000}));
  CO_TRY(PgRows answer, co_await std::move(asking));
  if (answer.text(0, "shows") == "t") co_return Result<>{};
  auto checkpointing = connection.query("CHECKPOINT", {}, deadline.at_most(Duration{60'000}));
  CO_TRY_VOID(co_await std::move(checkpointing));
  co_return Result<>{};
}

}  // namespace

Task<Result<>> PostgresServer::prepare_source(const std::string& source, uint64_t system_id, Deadline deadline) {
  keep_as_.reset();
  source_history_ = {};
  const wire::Peer* peer = config_.members.find(source);
  if (peer == nullptr) co_return fail(ErrorKind::not_found, fmt::format("there is no member '{}'", source));
  auto connecting = connect_to_source(config_, *peer, deadline);
  auto connected = co_await std::move(connecting);
  if (!connected) co_return std::unexpected(std::move(connected).error().with(source));
  std::unique_ptr<PgConnection> connection = std::move(*connected);
  auto asking = connection->query(
      "SELECT system_identifier::text AS system_id, pg_is_in_recovery() AS rec FROM pg_control_system()", {},
      deadline.at_most(Duration{5'000}));
  auto answer = co_await std::move(asking);
  if (!answer) co_return std::unexpected(std::move(answer).error().with(source));
  if (answer->text(0, "rec") != "f") co_return fail(ErrorKind::refused, source + " takes no writes");
  if (system_id != 0 && number(answer->text(0, "system_id")) != system_id) {
    co_return fail(ErrorKind::refused,
                   fmt::format("the data here belong to another cluster ({}) than those of {} ({})", system_id, source,
                               answer->text(0, "system_id")),
                   fmt::format("move {} away if nobody needs it", paths_.data));
  }
  auto ending = ensure_timeline_shows(*connection, deadline);
  auto ended = co_await std::move(ending);
  if (!ended) co_return std::unexpected(std::move(ended).error().with("checkpoint on " + source));
  auto reading = connection->query(
      "SELECT timeline_id, CASE WHEN timeline_id > 1 THEN encode(pg_read_binary_file('pg_wal/' || "
      "lpad(upper(to_hex(timeline_id)), 8, '0') || '.history'), 'escape') END AS history FROM pg_control_checkpoint()",
      {}, deadline.at_most(Duration{5'000}));
  auto read = co_await std::move(reading);
  if (!read) co_return std::unexpected(std::move(read).error().with("history of " + source));
  source_history_ = {number(read->text(0, "timeline_id")), read->text(0, "history")};
  co_return Result<>{};
}

Task<Result<std::string>> PostgresServer::may_give_up(Deadline deadline) {
  // Data that an earlier rewind has begun to overwrite were asked about before that.
  bool nothing_to_ask = !has_data() || spoiled() || !before_giving_up_;
  if (nothing_to_ask) co_return keep_as_.value_or("");
  if (!keep_as_) {
    if (source_history_.timeline == 0)
      co_return fail(ErrorKind::internal, "data are to be given up for a source that was not prepared");
    auto asking = before_giving_up_(source_history_, deadline);
    CO_TRY(keep_as_, co_await std::move(asking));
  }
  co_return *keep_as_;
}

Task<Result<>> PostgresServer::rewind(const std::string& source, Deadline deadline) {
  auto asking = may_give_up(deadline);
  CO_TRY(std::string keep_as, co_await std::move(asking));
  if (!keep_as.empty())
    co_return fail(ErrorKind::refused, "not all writes that only it has could be read back, so its data are kept");
  CO_TRY_VOID(write_owned(paths_.passfile, passfile_text(config_)));
  CO_TRY_VOID(clear_up());
  unlink((paths_.data + "/postmaster.pid").c_str());
  // From its first copied block until its end the data are of no history at all; a crash in between must not hide that.
  CO_TRY_VOID(write_file_atomic(spoiled_file(), "a rewind was begun and has not ended\n", 0600));
  // The server alone, as which pg_rewind starts data that were not shut down, refuses to be a standby.
  bool was_standby = marked_standby();
  unlink(standby_marker().c_str());
  std::vector<std::string> argv{"pg_rewind", "-D", paths_.data,
                                "--source-server=" + connection_info(config_, source, paths_) + " dbname=postgres"};
  auto rewinding = run_tool(std::move(argv), deadline, {}, true);
  auto rewound = co_await std::move(rewinding);
  if (!rewound) {
    // It says where it rewinds to before it changes anything; a refusal before that leaves the data as they were.
    const Error& error = rewound.error();
    // What was a standby and was started alone has records of its own since.
    bool untouched = error.kind == ErrorKind::refused && error.what.size() < 500 &&
                     error.what.find("rewinding from") == std::string::npos && !(was_standby && log_has_ended());
    if (untouched && was_standby) CO_TRY_VOID(write_owned(standby_marker(), ""));
    if (untouched) unlink(spoiled_file().c_str());
    co_return std::unexpected(std::move(rewound).error());
  }
  // It goes by the numbers of timelines. Two promotions that knew nothing of each other took the same one, and it has done
  // nothing: the data would be started on a history that is not the source's.
  if (rewound->find("on the same timeline") != std::string::npos) {
    if (was_standby) CO_TRY_VOID(write_owned(standby_marker(), ""));
    unlink(spoiled_file().c_str());
    co_return fail(ErrorKind::refused, "both are on a timeline of the same number, so where they parted is not known");
  }
  // It has copied the source's own settings over ours.
  CO_TRY_VOID(write_settings(source, true));
  unlink(spoiled_file().c_str());
  co_return Result<>{};
}

Task<Result<>> PostgresServer::copy(const std::string& source, Deadline deadline) {
  auto asking = may_give_up(deadline);
  CO_TRY(std::string keep_as, co_await std::move(asking));
  if (keep_as.empty() && !damage_.empty()) keep_as = aside("damaged");
  CO_TRY_VOID(make_folders());
  CO_TRY_VOID(write_owned(paths_.passfile, passfile_text(config_)));
  CO_TRY_VOID(clear_up());
  const wire::Peer* peer = config_.members.find(source);
  if (peer == nullptr) co_return fail(ErrorKind::not_found, fmt::format("there is no member '{}'", source));
  std::string fresh = paths_.data + ".new", old = paths_.data + ".old";
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  std::vector<std::string> argv{
      "pg_basebackup",          "-D", fresh,    "-h", peer->address, "-p",           std::to_string(peer->port), "-U",
      config_.replication_user, "-X", "stream", "-c", "fast",        "--no-password"};
  auto copying = run_tool(std::move(argv), deadline, {}, true);
  CO_TRY_VOID(co_await std::move(copying));
  fs::remove_all(old, ignored);
  std::error_code problem;
  if (fs::exists(paths_.data)) fs::rename(paths_.data, keep_as.empty() ? old : keep_as, problem);
  // What is kept is to be read, never to be started.
  if (!problem && !keep_as.empty()) fs::permissions(keep_as, fs::perms::owner_read | fs::perms::owner_exec, ignored);
  if (!problem) fs::rename(fresh, paths_.data, problem);
  if (problem)
    co_return fail(ErrorKind::refused, fmt::format("the fresh copy could not be put in place: {}", problem.message()));
  fs::remove_all(old, ignored);
  damage_.clear();
  CO_TRY_VOID(write_settings(source, true));
  unlink(spoiled_file().c_str());
  co_return Result<>{};
}

Task<Result<>> PostgresServer::read_pages(Deadline deadline) {
  (void)deadline;  // whoever waits may go; reading changes nothing
  damage_.clear();
  auto reading = blocking([data = paths_.data] { return recovery::verify_pages(data); });
  auto read = co_await std::move(reading);
  // Without checksums nobody can tell that they are whole.
  if (!read && read.error().kind != ErrorKind::unsupported) co_return std::unexpected(std::move(read).error());
  if (!read) damage_ = "whether its pages are whole cannot be told: " + read.error().what;
  if (read && read->damaged_pages > 0) damage_ = recovery::in_a_line(*read);
  co_return Result<>{};
}

}  // namespace lifeboat
