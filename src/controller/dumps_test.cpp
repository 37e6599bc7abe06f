// Logical backups by the clock, on a real journal and of a real server.
#include "controller/dumps.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/test_world.hpp"
#include "controller/open_store.hpp"
#include "io/test_postgres.hpp"

namespace lifeboat {
namespace {

using testing::Contains;
using testing::HasSubstr;
namespace fs = std::filesystem;

class DumpKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
    auto opened = open_sqlite_store((world.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store = std::move(*opened);
    server = std::make_unique<TestPostgres>(context);
    server->sql("postgres", "CREATE DATABASE shop");
    server->sql("shop", "CREATE TABLE users AS SELECT generate_series(1, 500) id");
    place = (world.folder() / "backups").string();
    world.add_host("db", "east", "127.0.0.1");
    service.database = "shop";
    service.user = "postgres";
    service.members.add("east-1", PostgresMember{.host = {"db"}, .port = server->port()});
    service.backups = Backups{.tool = "pg_dump", .dumps = Dumps{.to = place, .every = "1h", .keep = 2}};
    world.databases.views["database"] = {.service = "database", .term = 1, .holder = "east-1", .writable = true};
  }
  // Works until the condition holds; gives the status then.
  Json status_when(std::function<bool(const Json&)> condition) {
    world.plan.services.add("database", service);
    return TestWorld::run([](DumpKeeperTest& test, std::function<bool(const Json&)> holds) -> Task<Json> {
      auto executor = co_await asio::this_coro::executor;
      Scope scope(executor, [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
      DumpKeeper keeper(*test.store, test.world.world, scope);
      keeper.start();
      Deadline deadline = Deadline::after(Duration{30'000});
      while (!holds(keeper.status("database")) && !deadline.passed()) co_await sleep_for(Duration{20});
      Json status = keeper.status("database");
      auto stopping = scope.stop(Duration{1'000});
      co_await std::move(stopping);
      co_return status;
    }(*this, std::move(condition)));
  }
  std::vector<std::string> journal() {
    std::vector<std::string> out;
    auto events = TestWorld::run(store->read({}));
    for (const StoredEvent& event : events ? *events : std::vector<StoredEvent>{})
      out.push_back(event.kind + " " + text_or(event.body, "text"));
    return out;
  }

  asio::io_context context;
  TestWorld world;
  std::unique_ptr<Store> store;
  std::unique_ptr<TestPostgres> server;
  PostgresService service;
  std::string place;
};

TEST_F(DumpKeeperTest, OneIsTakenWhenThereIsNoneAndTheNextIsDueAfterTheTime) {
  Json status = status_when([](const Json& now) { return int_or(now, "count") == 1; });
  EXPECT_EQ(int_or(status, "count"), 1) << to_text(status);
  EXPECT_EQ(text_or(status, "trouble"), "");
  auto newest = parse_wall(text_or(status, "newest_at")), next = parse_wall(text_or(status, "next_at"));
  ASSERT_TRUE(newest && next) << to_text(status);
  EXPECT_EQ(*next - *newest, Duration(std::chrono::hours(1)));
  EXPECT_THAT(journal(), Contains(HasSubstr("dump-taken logical backup by the schedule: shop_full_")));
  size_t files = static_cast<size_t>(std::distance(fs::directory_iterator(place), fs::directory_iterator{}));
  EXPECT_EQ(files, 4u) << "one backup, though it went on looking";
}

TEST_F(DumpKeeperTest, OneThatFailsIsToldAndStandsInTheJournal) {
  service.database = "nothing";
  Json status = status_when([](const Json& now) { return !text_or(now, "trouble").empty(); });
  EXPECT_THAT(text_or(status, "trouble"), HasSubstr("the last logical backup failed: dump east-1 into " + place));
  EXPECT_THAT(journal(), Contains(HasSubstr("dump-failed logical backup by the schedule: ")));
}

TEST_F(DumpKeeperTest, APlaceThatCannotBeReadIsTold) {
  std::ofstream(place) << "a file where the folder should be";
  Json status = status_when([](const Json& now) { return !text_or(now, "trouble").empty(); });
  EXPECT_THAT(text_or(status, "trouble"), HasSubstr("list " + place));
  EXPECT_EQ(int_or(status, "count"), -1);
}

TEST_F(DumpKeeperTest, NothingIsTakenInADrillAndOfAServiceWithoutDumpsNothingIsSaid) {
  world.world.drill = true;
  EXPECT_TRUE(status_when([](const Json&) { return true; }).is_null());
  EXPECT_FALSE(fs::exists(place));
}

}  // namespace
}  // namespace lifeboat
