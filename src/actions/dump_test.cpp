// Logical backups that a plan has taken, of a real server, to a folder and to a store that checks signatures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/dump_common.hpp"
#include "actions/registry.hpp"
#include "actions/test_world.hpp"
#include "core/data/decode.hpp"
#include "io/test_postgres.hpp"
#include "io/test_s3.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

TEST(PostgresDumpStep, NeedsAPlaceThatIsSaidOrThePlans) {
  TestWorld world;
  PostgresService database;
  world.plan.services.add("database", database);
  auto problem = [&](const std::string& with) {
    auto problems = postgres_dump_action().validate(*parse_json(with), world.plan);
    return problems.empty() ? std::string() : problems.front().path + " " + problems.front().message;
  };
  EXPECT_THAT(problem(R"({"service":"database"})"), HasSubstr("/to nothing says where"));
  EXPECT_THAT(problem(R"({"service":"database","to":"backups"})"), HasSubstr("/to 'backups' is no place"));
  EXPECT_THAT(problem(R"({"service":"database","to":"/b","store":{}})"), HasSubstr("/store"));
  EXPECT_THAT(problem(R"({"service":"database","to":"/b","keep":-1})"), HasSubstr("/keep"));
  EXPECT_EQ(problem(R"({"service":"database","to":"s3://b/p/","keep":3,"store":{"region":"eu"}})"), "");
  database.backups = Backups{.dumps = Dumps{.to = "/b"}};
  TestWorld other;
  other.plan.services.add("database", database);
  EXPECT_TRUE(postgres_dump_action().validate(*parse_json(R"({"service":"database"})"), other.plan).empty());
}

class PostgresDumpTaken : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
    server = std::make_unique<TestPostgres>(context);
    server->sql("postgres", "CREATE DATABASE shop");
    server->sql("postgres", "CREATE ROLE app LOGIN SUPERUSER PASSWORD 'no-word-of-it'");
    server->sql("shop", "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)");
    server->sql("shop", "INSERT INTO users SELECT n, 'user-' || n FROM generate_series(1, 500) n");
    world.plan.plan = {"shop-plan"};
    world.add_host("db", "east", "127.0.0.1");
    PostgresService database;
    database.database = "shop";
    database.user = "app";
    database.password = SecretRef{"app-password"};
    database.members.add("east-1", PostgresMember{.host = {"db"}, .port = server->port()});
    world.plan.services.add("database", database);
    world.add_secret("app-password", "no-word-of-it");
    world.databases.views["database"] = {.service = "database", .term = 1, .holder = "east-1", .writable = true};
    place = (world.folder() / "backups").string();
  }
  std::string with(const std::string& more = {}) {
    return fmt::format(R"({{"service":"database","to":"{}"{}}})", place, more);
  }
  // As another run would, a while later: names are of a second.
  Result<Outcome> dump(const std::string& run, const std::string& more = {}) {
    auto action = world.make(postgres_dump_action(), with(more));
    ActionContext at = world.context(Duration{60'000});
    at.run = run;
    return TestWorld::run(action->apply(at));
  }
  std::vector<std::string> files() {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(place)) out.push_back(entry.path().filename().string());
    std::ranges::sort(out);
    return out;
  }
  // Renames a backup with all that is beside it, so that it is of that day.
  void make_old(const std::string& name, const std::string& stamp) {
    std::string old = "shop_full_" + stamp + ".backup";
    for (const std::string end : {"", ".sha256", ".profile.json", ".made.json"}) {
      if (fs::exists(place + "/" + name + end)) fs::rename(place + "/" + name + end, place + "/" + old + end);
    }
  }

  asio::io_context context;
  std::unique_ptr<TestPostgres> server;
  TestWorld world;
  std::string place;
};

TEST_F(PostgresDumpTaken, IsTakenOnceForAStepHoweverOftenItIsTried) {
  auto before = world.observe(postgres_dump_action(), with());
  ASSERT_TRUE(before.has_value()) << before.error().text();
  EXPECT_FALSE(before->holds);
  EXPECT_THAT(before->change, HasSubstr("dump shop from east-1 to " + place));
  auto taken = world.apply(postgres_dump_action(), with(), Duration{60'000});
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_EQ(text_or(taken->data, "place"), place);
  EXPECT_EQ(text_or(taken->data, "format"), "custom");
  EXPECT_EQ(text_or(taken->data, "from"), "east-1");
  EXPECT_EQ(int_or(taken->data, "rows"), 500);
  EXPECT_GT(number_or(taken->data, "seconds"), 0);
  EXPECT_EQ(fs::file_size(place + "/" + text_or(taken->data, "name")),
            static_cast<uint64_t>(int_or(taken->data, "bytes")));
  EXPECT_EQ(files().size(), 4u) << "the dump, its checksum, profile and note";
  EXPECT_THAT(to_text(taken->data) + taken->summary, Not(HasSubstr("no-word-of-it")));

  auto after = world.observe(postgres_dump_action(), with());
  ASSERT_TRUE(after.has_value()) << after.error().text();
  EXPECT_TRUE(after->holds);
  EXPECT_EQ(text_or(after->data, "name"), text_or(taken->data, "name"));
  auto again = world.apply(postgres_dump_action(), with(), Duration{60'000});
  ASSERT_TRUE(again.has_value()) << again.error().text();
  EXPECT_EQ(files().size(), 4u);
  // The number of the run comes again when the store was lost; what it took then is not what it takes now.
  world.run_opened = wall_now() + std::chrono::hours(1);
  EXPECT_FALSE(world.observe(postgres_dump_action(), with())->holds);
}

TEST_F(PostgresDumpTaken, OnlyWhatThePlanHadTakenForTheServiceGoes) {
  auto first = dump("R-1");
  ASSERT_TRUE(first.has_value()) << first.error().text();
  make_old(text_or(first->data, "name"), "20240101_020000");
  // What a person took has no note; what another service had taken says so.
  fs::copy(place + "/shop_full_20240101_020000.backup", place + "/shop_full_20240102_020000.backup");
  fs::copy(place + "/shop_full_20240101_020000.backup.sha256", place + "/shop_full_20240102_020000.backup.sha256");
  for (const std::string end : {"", ".sha256"})
    fs::copy(place + "/shop_full_20240101_020000.backup" + end, place + "/shop_full_20240103_020000.backup" + end);
  std::ofstream(place + "/shop_full_20240103_020000.backup.made.json")
      << R"({"plan":"shop-plan","service":"other","order":"R-1"})";
  auto second = dump("R-2", R"(,"keep":1)");
  ASSERT_TRUE(second.has_value()) << second.error().text();
  EXPECT_EQ(to_text(member(second->data, "removed")), R"(["shop_full_20240101_020000.backup"])");
  EXPECT_FALSE(fs::exists(place + "/shop_full_20240101_020000.backup.made.json"));
  EXPECT_TRUE(fs::exists(place + "/shop_full_20240102_020000.backup"));
  EXPECT_TRUE(fs::exists(place + "/shop_full_20240103_020000.backup"));
}

TEST_F(PostgresDumpTaken, NothingGoesWhenTheNewOneFailsOrIsMuchSmaller) {
  for (int day = 1; day <= 3; ++day) {
    auto taken = dump(fmt::format("R-{}", day));
    ASSERT_TRUE(taken.has_value()) << taken.error().text();
    make_old(text_or(taken->data, "name"), fmt::format("2024010{}_020000", day));
  }
  size_t before = files().size();
  auto failed = dump("R-4", R"(,"keep":1,"database":"nothing")");
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().text(), HasSubstr("dump east-1 into " + place));
  EXPECT_EQ(files().size(), before);
  server->sql("shop", "DELETE FROM users");
  server->sql("shop", "ALTER TABLE users DROP COLUMN name");
  // Sizes of so little data are of the dump's own list; what was there is made larger.
  for (int day = 1; day <= 3; ++day)
    fs::resize_file(fmt::format("{}/shop_full_2024010{}_020000.backup", place, day), 1'000'000);
  auto small = dump("R-5", R"(,"keep":1)");
  ASSERT_TRUE(small.has_value()) << small.error().text();
  EXPECT_THAT(small->summary, HasSubstr("OLDER ONES STAY: nothing goes: the newest one has"));
  EXPECT_EQ(files().size(), before + 4);
}

TEST_F(PostgresDumpTaken, AStandbyWhoseReplayEndsItIsFollowedByThePrimary) {
  auto into = open_folder(place);
  auto from = [&](const std::string& database) { return server->params(database); };
  PlannedDump wish{.servers = {{"east-2", from("conflict with recovery")}, {"east-1", from("shop")}},
                   .note = {.plan = "p", .service = "s", .order = "o"}};
  auto taken = TestWorld::run(take_planned(wish, {}, into.get(), Deadline::after(Duration{60'000}), {}));
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_EQ(taken->note.from, "east-1");
  wish.note.order = "another";
  wish.servers[0].server = from("nothing");  // any other failure is one
  auto failed = TestWorld::run(take_planned(wish, {}, into.get(), Deadline::after(Duration{60'000}), {}));
  EXPECT_FALSE(failed.has_value());
}

TEST_F(PostgresDumpTaken, GoesToABucketWithTheKeysOfTheSecrets) {
  TestS3 store(context);
  place = "s3://" + store.config().bucket + "/database/";
  S3Config config = store.config();
  std::string keys = fmt::format(R"(,"store":{{"endpoint":"{}","region":"{}"}})", config.endpoint, config.region);
  auto missing = dump("R-1", keys);
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().text(), HasSubstr("s3-access-key"));
  world.add_secret("s3-access-key", config.credentials.access_key);
  world.add_secret("s3-secret-key", config.credentials.secret_key);
  auto action = world.make(postgres_dump_action(), with(keys));
  // On the loop that the store answers on.
  auto taken = run_in_test(context, action->apply(world.context(Duration{60'000})), Duration{60'000});
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_EQ(store.objects.size(), 4u);
  EXPECT_TRUE(store.objects.contains("database/" + text_or(taken->data, "name")));
  auto seen = run_in_test(context, action->observe(world.context(Duration{60'000})), Duration{60'000});
  ASSERT_TRUE(seen.has_value()) << seen.error().text();
  EXPECT_TRUE(seen->holds);
}

TEST_F(PostgresDumpTaken, NoneIsTakenInADrill) {
  world.world.drill = true;
  auto seen = world.observe(postgres_dump_action(), with());
  ASSERT_TRUE(seen.has_value());
  EXPECT_TRUE(seen->holds);
  ASSERT_TRUE(world.apply(postgres_dump_action(), with()).has_value());
  EXPECT_FALSE(fs::exists(place));
}

}  // namespace
}  // namespace lifeboat
