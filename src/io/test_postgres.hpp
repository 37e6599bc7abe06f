// For tests: a real PostgreSQL server of its own, with page checksums, on a free port of loopback; ended and removed with the
// object.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "io/postgres.hpp"
#include "io/process.hpp"
#include "io/run_in_test.hpp"
#include "io/test_ports.hpp"

namespace lifeboat {

class TestPostgres {
 public:
  static constexpr std::string_view kBin = "/usr/lib/postgresql/15/bin";

  // Why there can be none here; empty: there can.
  static std::string missing() {
    if (::access(fmt::format("{}/initdb", kBin).c_str(), X_OK) != 0) return "PostgreSQL 15 is not installed";
    return {};
  }

  explicit TestPostgres(asio::io_context& context) : context_(context), port_(free_port()) {
    char name[] = "/tmp/lifeboat-pg-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("no folder for the test's server");
    folder_ = name;
    std::filesystem::permissions(folder_, std::filesystem::perms::all);
    program({"initdb", "-D", folder_ + "/data", "-U", "postgres", "-A", "trust", "--no-sync", "--data-checksums",
             "--encoding=UTF8", "--locale=C.UTF-8"});
    start();
  }
  ~TestPostgres() {
    stop();
    std::error_code ignored;  // a folder left in /tmp is no reason to fail a test
    std::filesystem::remove_all(folder_, ignored);
  }
  TestPostgres(const TestPostgres&) = delete;
  TestPostgres& operator=(const TestPostgres&) = delete;

  void start() {
    ProcessSpec spec = spec_of({"postgres", "-D", folder_ + "/data", "-p", std::to_string(port_), "-k", folder_, "-c",
                                "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "autovacuum=off"});
    spec.output_file = folder_ + "/log";
    auto started = start_process(spec);
    if (!started) throw std::runtime_error(started.error().text());
    pid_ = *started;
    Deadline deadline = Deadline::after(Duration{20'000});
    while (
        !run_in_test(context_, pg_query_once(params("postgres"), "SELECT 1", {}, Deadline::after(Duration{1'000})))) {
      if (deadline.passed()) throw std::runtime_error("the test's server does not answer");
      ::usleep(20'000);
    }
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGINT);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  PgParams params(const std::string& database) const {
    return {{"host", "127.0.0.1"}, {"port", std::to_string(port_)}, {"dbname", database}, {"user", "postgres"}};
  }
  // The first value of the first row; throws what the server said.
  std::string sql(const std::string& database, const std::string& statement) {
    auto rows = run_in_test(context_, pg_query_once(params(database), statement, {}, Deadline::after(Duration{60'000})),
                            Duration{60'000});
    if (!rows) throw std::runtime_error(rows.error().text());
    return rows->rows.empty() || rows->rows[0].empty() ? std::string() : rows->rows[0][0].value_or("NULL");
  }
  // Runs a program of PostgreSQL to its end, as the server's user.
  std::string program(std::vector<std::string> argv) {
    auto ran = run_in_test(context_, run_process(spec_of(std::move(argv)), Deadline::after(Duration{60'000})),
                           Duration{60'000});
    if (!ran) throw std::runtime_error(ran.error().text());
    if (ran->exit_code != 0) throw std::runtime_error(ran->err + ran->out);
    return ran->out;
  }

  int port() const { return port_; }
  const std::string& folder() const { return folder_; }

 private:
  static ProcessSpec spec_of(std::vector<std::string> argv) {
    ProcessSpec spec;
    argv.front() = fmt::format("{}/{}", kBin, argv.front());
    spec.argv = std::move(argv);
    spec.user = "postgres";
    spec.directory = "/";
    spec.ends_with_us = true;
    return spec;
  }

  asio::io_context& context_;
  int port_;
  std::string folder_;
  pid_t pid_ = 0;
};

}  // namespace lifeboat
