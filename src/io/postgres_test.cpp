// The adapter against a real server on a socket of its own, and against peers that do what no server does.
#include "io/postgres.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "io/process.hpp"
#include "io/run_in_test.hpp"
#include "io/test_peers.hpp"

namespace lifeboat {
namespace {

constexpr auto kBin = "/usr/lib/postgresql/15/bin";

class Postgres : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!std::filesystem::exists(kBin)) return;
    char name[] = "/tmp/lifeboat-postgres-XXXXXX";
    folder_ = mkdtemp(name);
    ProcessSpec spec;
    spec.user = "postgres";
    spec.directory = "/";
    if (geteuid() == 0) {
      spec.argv = {"chown", "postgres", folder_};
      ProcessSpec owner = spec;
      owner.user.clear();
      run(owner);
    }
    spec.argv = {std::string(kBin) + "/initdb", "-D", folder_ + "/data", "-U", "postgres", "-N", "--auth=trust"};
    run(spec);
    spec.argv = {std::string(kBin) + "/postgres",
                 "-D",
                 folder_ + "/data",
                 "-k",
                 folder_,
                 "-c",
                 "listen_addresses=",
                 "-c",
                 "fsync=off"};
    spec.ends_with_us = true;
    auto started = start_process(spec);
    server_ = started ? *started : -1;
    for (int look = 0; look < 500 && !ask("SELECT 1", {}); ++look) usleep(20'000);
  }
  static void TearDownTestSuite() {
    if (server_ > 0) {
      kill(server_, SIGQUIT);
      waitpid(server_, nullptr, 0);
    }
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  void SetUp() override {
    if (server_ <= 0) GTEST_SKIP() << "PostgreSQL 15 is not installed";
  }

  static void run(ProcessSpec spec) {
    asio::io_context context(1);
    auto done = run_in_test(context, run_process(std::move(spec), Deadline::after(Duration{60'000})), Duration{60'000});
    ASSERT_TRUE(done && done->exit_code == 0) << (done ? done->err : done.error().text());
  }
  static PgParams params() { return {{"host", folder_}, {"dbname", "postgres"}, {"user", "postgres"}}; }
  static Result<PgRows> ask(std::string sql, std::vector<std::string> values, Duration patience = Duration{5'000}) {
    asio::io_context context(1);
    return run_in_test(context, pg_query_once(params(), std::move(sql), std::move(values), Deadline::after(patience)));
  }

  static inline std::string folder_;
  static inline pid_t server_ = -1;
};

TEST_F(Postgres, GivesRowsByColumnAndTellsNullFromEmpty) {
  auto rows = ask("SELECT $1::text AS word, NULL::text AS nothing, '' AS empty", {"it's; DROP"});
  ASSERT_TRUE(rows) << rows.error().text();
  EXPECT_EQ(rows->columns, (std::vector<std::string>{"word", "nothing", "empty"}));
  EXPECT_EQ(rows->text(0, "word"), "it's; DROP");
  EXPECT_TRUE(rows->is_null(0, "nothing"));
  EXPECT_FALSE(rows->is_null(0, "empty"));
  EXPECT_EQ(rows->text(7, "word"), "");
}

TEST_F(Postgres, ARefusalCarriesItsSqlstate) {
  auto rows = ask("SELECT * FROM no_such_table", {});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().kind, ErrorKind::refused);
  EXPECT_EQ(sqlstate_of(rows.error()), "42P01");
  EXPECT_EQ(sqlstate_of(Error{.what = "db-1: " + rows.error().text()}), "42P01") << "also when it came as text";
}

Task<bool> goes_on_after_a_refusal(PgParams params) {
  auto connecting = PgConnection::connect(std::move(params), Deadline::after(Duration{5'000}));
  auto connection = co_await std::move(connecting);
  EXPECT_TRUE(connection.has_value());
  if (!connection) co_return false;
  auto refused = (*connection)->query("SELECT 1/0", {}, Deadline::after(Duration{5'000}));
  EXPECT_FALSE((co_await std::move(refused)).has_value());
  EXPECT_TRUE((*connection)->usable());
  auto fine = (*connection)->query("SELECT 1", {}, Deadline::after(Duration{5'000}));
  co_return (co_await std::move(fine)).has_value();
}
TEST_F(Postgres, AConnectionIsGoodAfterARefusal) {
  asio::io_context context(1);
  EXPECT_TRUE(run_in_test(context, goes_on_after_a_refusal(params())));
}

Task<bool> closes_after_a_cut(PgParams params) {
  auto connecting = PgConnection::connect(std::move(params), Deadline::after(Duration{5'000}));
  auto connection = co_await std::move(connecting);
  EXPECT_TRUE(connection.has_value());
  if (!connection) co_return false;
  MonoTime begun = boot_now();
  auto asking = (*connection)->query("SELECT pg_sleep(30)", {}, Deadline::after(Duration{200}));
  auto answer = co_await std::move(asking);
  EXPECT_LT(boot_now() - begun, std::chrono::seconds(5));
  EXPECT_FALSE(answer.has_value());
  if (answer) co_return false;
  EXPECT_EQ(answer.error().kind, ErrorKind::unknown_outcome);
  EXPECT_FALSE((*connection)->usable());
  auto again = (*connection)->query("SELECT 1", {}, Deadline::after(Duration{5'000}));
  co_return !(co_await std::move(again)).has_value();
}
TEST_F(Postgres, AStatementThatIsCutShortHasAnUnknownOutcomeAndEndsTheConnection) {
  asio::io_context context(1);
  EXPECT_TRUE(run_in_test(context, closes_after_a_cut(params())));
}

TEST_F(Postgres, ALostConnectionInTheMiddleIsAnUnknownOutcome) {
  auto rows = ask("SELECT pg_terminate_backend(pg_backend_pid())", {});
  ASSERT_FALSE(rows);
  EXPECT_TRUE(rows.error().kind == ErrorKind::unknown_outcome || sqlstate_of(rows.error()) == "57P01")
      << rows.error().text();
}

Task<> says_nothing(tcp::socket& socket) {
  auto text = read_request(socket);
  co_await std::move(text);
}
TEST(PostgresPeer, ASilentServerTimesOutBeforeAnythingWasAsked) {
  asio::io_context context(1);
  RawServer server(context, says_nothing);
  PgParams params{{"host", "127.0.0.1"}, {"port", std::to_string(server.port())}, {"dbname", "x"}, {"user", "x"}};
  MonoTime begun = boot_now();
  auto rows = run_in_test(context, pg_query_once(params, "SELECT 1", {}, Deadline::after(Duration{300})));
  EXPECT_LT(boot_now() - begun, std::chrono::seconds(5));
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().kind, ErrorKind::timed_out);
}

Task<> talks_nonsense(tcp::socket& socket) {
  auto text = say(socket, "HTTP/1.1 400 Bad Request\r\n\r\n");
  co_await std::move(text);
}
TEST(PostgresPeer, SomethingElseOnThePortIsUnreachable) {
  asio::io_context context(1);
  RawServer server(context, talks_nonsense);
  PgParams params{{"host", "127.0.0.1"},
                  {"port", std::to_string(server.port())},
                  {"dbname", "x"},
                  {"user", "x"},
                  {"password", "geheim-123"}};
  auto rows = run_in_test(context, pg_query_once(params, "SELECT 1", {}, Deadline::after(Duration{3'000})));
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().kind, ErrorKind::unreachable) << rows.error().text();
  EXPECT_EQ(rows.error().text().find("geheim-123"), std::string::npos);
}

TEST(PostgresPeer, AClosedPortIsUnreachable) {
  asio::io_context context(1);
  PgParams params{{"host", "127.0.0.1"}, {"port", "1"}, {"dbname", "x"}, {"user", "x"}};
  auto rows = run_in_test(context, pg_query_once(params, "SELECT 1", {}, Deadline::after(Duration{3'000})));
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().kind, ErrorKind::unreachable);
}

}  // namespace
}  // namespace lifeboat
