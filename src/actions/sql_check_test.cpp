// sql.check against a real PostgreSQL server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/test_servers.hpp"
#include "actions/test_world.hpp"
#include "io/process.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kBin = "/usr/lib/postgresql/15/bin";

class SqlCheck : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_program(kBin + "/initdb")) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    if (geteuid() == 0 && !have_program("/usr/sbin/runuser")) GTEST_SKIP() << "root cannot become the user postgres";
    char name[] = "/tmp/lifeboat-sql-XXXXXX";
    folder = ::mkdtemp(name);
    fs::permissions(folder, fs::perms::all);
    port = free_port();
    auto made = world.run(run_process(
        {.argv = as_postgres({kBin + "/initdb", "-D", folder + "/data", "-U", "notes", "-A", "trust", "--no-sync"})},
        Deadline::after(Duration{60'000})));
    ASSERT_TRUE(made.has_value()) << made.error().text();
    ASSERT_EQ(made->exit_code, 0) << made->err;
    auto argv = as_postgres({kBin + "/postgres", "-D", folder + "/data", "-p", std::to_string(port), "-k", folder, "-c",
                             "listen_addresses=127.0.0.1", "-c", "fsync=off"});
    server = TestProcess(find_program(argv[0]), argv, folder + "/log");
    world.add_host("db", "east", "127.0.0.1");
    PostgresService database;
    database.database = "postgres";
    database.user = "notes";
    database.members.add("east-1", PostgresMember{.host = {"db"}, .port = port});
    world.plan.services.add("database", database);
    world.databases.views["database"] = {.service = "database", .term = 1, .holder = "east-1", .writable = true};
    ASSERT_TRUE(eventually([&] { return check("select 1", R"("expect":1)").has_value(); }));
  }
  void TearDown() override {
    // runuser passes SIGTERM on; the server then ends at once (an immediate stop would be SIGQUIT).
    if (server.pid() > 0) kill_tree(server.pid(), SIGKILL);
    server.kill_now();
    if (!folder.empty()) fs::remove_all(folder);
  }
  static std::vector<std::string> as_postgres(std::vector<std::string> argv) {
    if (geteuid() == 0) argv.insert(argv.begin(), {"/usr/sbin/runuser", "-u", "postgres", "--"});
    return argv;
  }
  Result<Outcome> check(const std::string& query, const std::string& expectation) {
    return world.apply(sql_check_action(), fmt::format(R"({{"service":"database","query":{},"within":"2s",{}}})",
                                                       to_text(Json(query)), expectation));
  }

  TestWorld world;
  std::string folder;
  int port = 0;
  TestProcess server;
};

TEST_F(SqlCheck, ComparesWhatTheHolderAnswers) {
  EXPECT_TRUE(check("select count(*) > 0 from pg_class", R"("expect":true)").has_value());
  EXPECT_TRUE(check("select 2.50", R"("expect":2.5)").has_value());
  EXPECT_TRUE(check("select 'a b'", R"("expect":"a b")").has_value());
  EXPECT_TRUE(check("select 7", R"("at_least":7,"at_most":7)").has_value());
  auto few = check("select 6", R"("at_least":7)");
  ASSERT_FALSE(few.has_value());
  EXPECT_EQ(few.error().kind, ErrorKind::conflict);
  EXPECT_THAT(few.error().what, HasSubstr("at least 7"));
  EXPECT_FALSE(check("select false", R"("expect":true)").has_value());
  EXPECT_FALSE(check("select 'x'", R"("at_most":7)").has_value());
  EXPECT_FALSE(check("select null", R"("expect":true)").has_value());
  EXPECT_FALSE(check("select 1 where false", R"("expect":1)").has_value());

  // Whatever the query says, nothing is changed and nothing runs for long.
  auto wrote = check("create table t(x int)", R"("expect":1)");
  ASSERT_FALSE(wrote.has_value());
  EXPECT_THAT(wrote.error().text(), HasSubstr("read-only"));
  EXPECT_FALSE(check("commit; create table t(x int)", R"("expect":1)").has_value());
  EXPECT_FALSE(check("select count(*) from t", R"("at_least":0)").has_value()) << "the table is there";
  MonoTime begin = boot_now();
  EXPECT_FALSE(check("select pg_sleep(60)", R"("expect":"")").has_value());
  EXPECT_LT(boot_now() - begin, std::chrono::seconds{10});

  world.databases.views["database"].holder.clear();
  EXPECT_THAT(check("select 1", R"("expect":1)").error().what, HasSubstr("nobody takes writes"));
}

}  // namespace
}  // namespace lifeboat
