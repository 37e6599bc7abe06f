// PostgresServer's part in the password of replication. The configuration says which one counts; the role in the database follows
// it, after a failover that lost the change and in a copy that was restored from before it as well.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "agent/postgres_server.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAgain{2'000};
constexpr Duration kWithin{500};
constexpr Duration kLogInMost{600'000};  // the most that a server can be told to wait for somebody to log in

// PostgreSQL brings other characters into a form of its own first (SASLprep), which is not done here.
bool can_be_judged(const std::string& password) {
  return !password.empty() && std::ranges::all_of(password, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

void PostgresServer::reconfigure(wire::ServerConfig config) {
  bool renewed = config.replication_password != config_.replication_password;
  config_ = std::move(config);
  if (!renewed) return;
  password_ = {};
  password_.old_sessions = true;
  // What cannot be written now is written, and told, with the settings.
  if (access(paths_.passfile.c_str(), F_OK) == 0) (void)write_owned(paths_.passfile, passfile_text(config_));
}

Task<Result<PasswordInForce>> PostgresServer::keep_password(bool look, Deadline deadline) {
  if (!look) {
    std::string wanted = passfile_text(config_);
    if (auto there = read_file(paths_.passfile); !there || *there != wanted)
      CO_TRY_VOID(write_owned(paths_.passfile, wanted));
    auto setting = set_password(deadline);
    CO_TRY_VOID(co_await std::move(setting));
  }
  auto asking = ask(
      fmt::format(
          "SELECT pg_is_in_recovery() AS standby, r.application_name AS name FROM (SELECT) here LEFT JOIN "
          "pg_stat_replication r ON r.state = 'streaming' AND r.usename = {} AND r.backend_start > to_timestamp({})",
          sql_literal(config_.replication_user), password_.since.empty() ? "0" : password_.since),
      deadline);
  CO_TRY(PgRows rows, co_await std::move(asking));
  PasswordInForce out{
      .in_force = password_.in_force, .standby = rows.text(0, "standby") == "t", .ended = password_.ended};
  for (size_t row = 0; row < rows.rows.size(); ++row) {
    if (!rows.is_null(row, "name")) out.streaming.push_back(rows.text(row, "name"));
  }
  co_return out;
}

Task<Result<>> PostgresServer::set_password(Deadline deadline) {
  while (keeps_password_) {
    if (deadline.passed()) co_return fail(ErrorKind::timed_out, "the password of replication is being set already");
    co_await sleep_for(Duration{5});
  }
  struct Alone {
    bool& busy;
    explicit Alone(bool& flag) : busy(flag) { busy = true; }
    ~Alone() { busy = false; }
    Alone(const Alone&) = delete;
  } alone(keeps_password_);
  std::string role = config_.replication_user, password = config_.replication_password;
  if (!can_be_judged(password)) {
    password_.in_force = true;
    co_return Result<>{};
  }
  auto reading =
      ask("SELECT pg_is_in_recovery() AS standby, coalesce(rolpassword, '') AS kept FROM pg_authid WHERE rolname = " +
              sql_literal(role),
          deadline);
  CO_TRY(PgRows kept, co_await std::move(reading));
  if (kept.empty()) co_return fail(ErrorKind::not_found, fmt::format("there is no role {}", role));
  if (!scram_fits(kept.text(0, "kept"), password)) {
    password_.in_force = false;
    password_.old_sessions = true;
    if (kept.text(0, "standby") != "f") co_return Result<>{};
    std::string verifier = scram_verifier(password, random_bytes(16));
    auto setting = ask(fmt::format("ALTER ROLE {} PASSWORD {}", sql_name(role), sql_literal(verifier)), deadline);
    auto set = co_await std::move(setting);
    if (!set) co_return std::unexpected(std::move(set).error().with("set the password of " + role));
  }
  if (password_.old_sessions) {
    auto asking =
        ask("SELECT extract(epoch FROM clock_timestamp())::text AS now, (SELECT setting FROM pg_settings WHERE "
            "name = 'authentication_timeout') AS patience",
            deadline);
    CO_TRY(PgRows clock, co_await std::move(asking));
    password_.since = clock.text(0, "now");
    Duration patience = std::chrono::seconds(std::atoll(clock.text(0, "patience").c_str()) + 1);
    password_.late_until = boot_now() + std::clamp(patience, kAgain, kLogInMost);
    auto ending = end_old_sessions(deadline);
    CO_TRY_VOID(co_await std::move(ending));
  }
  // Of what came meanwhile, nothing was looked at.
  if (password != config_.replication_password)
    co_return fail(ErrorKind::conflict, "another password of replication came meanwhile", "try again");
  password_.old_sessions = false;
  password_.in_force = true;
  co_return Result<>{};
}

Task<Result<>> PostgresServer::end_old_sessions(Deadline deadline) {
  auto ending =
      ask(fmt::format("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::text AS ended FROM pg_stat_activity "
                      "WHERE usename = {} AND backend_start <= to_timestamp({})",
                      sql_literal(config_.replication_user), password_.since),
          deadline);
  CO_TRY(PgRows ended, co_await std::move(ending));
  password_.ended += std::atoll(ended.text(0, "ended").c_str());
  co_return Result<>{};
}

// Whoever began to log in with the former password before it was renewed is let in after it, and is ended then.
Task<> PostgresServer::look_after_password(Deadline deadline) {
  MonoTime now = boot_now();
  bool somebody_late = password_.in_force && now < password_.late_until;
  if ((password_.in_force && !somebody_late) || keeps_password_ || now < password_.next) co_return;
  password_.next = now + kAgain;
  auto doing = somebody_late ? end_old_sessions(deadline.at_most(kWithin)) : set_password(deadline.at_most(kWithin));
  auto done = co_await std::move(doing);
  (void)done;  // it is tried again; who waits for it asks keep_password(), and hears why
}

}  // namespace lifeboat
