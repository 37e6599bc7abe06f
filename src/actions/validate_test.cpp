// Validation of data against a real server, and of an application against one that answers what the test says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "actions/registry.hpp"
#include "actions/test_world.hpp"
#include "io/http_server.hpp"
#include "io/test_postgres.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::Not;

class ValidateDatabase : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
    server = std::make_unique<TestPostgres>(context);
    world.add_host("db", "east", "127.0.0.1");
    PostgresService database;
    database.database = "shop";
    database.members.add("east-1", PostgresMember{.host = {"db"}, .port = server->port()});
    world.plan.services.add("database", database);
    world.databases.views["database"] = {.service = "database", .term = 1, .holder = "east-1", .writable = true};
    server->sql("postgres", "CREATE DATABASE shop");
    server->sql("shop", "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL)");
    server->sql("shop", "CREATE TABLE \"Orders\" (id serial PRIMARY KEY, user_id bigint REFERENCES users)");
    server->sql("shop", "INSERT INTO users (name) SELECT 'user-' || n FROM generate_series(1, 500) n");
    server->sql("shop", "INSERT INTO \"Orders\" (user_id) SELECT 1 + n % 500 FROM generate_series(1, 2000) n");
    server->sql("shop", "CREATE INDEX orders_user ON \"Orders\" (user_id)");
    profile = (world.folder() / "profile.json").string();
  }
  Result<Outcome> take() {
    return world.apply(validate_profile_action(), fmt::format(R"({{"service":"database","file":"{}"}})", profile));
  }
  Result<Outcome> check(const std::string& more = {}) {
    return world.apply(validate_database_action(),
                       fmt::format(R"({{"service":"database","profile":"{}"{}}})", profile, more), Duration{30'000});
  }
  std::string failure(const std::string& more = {}) {
    auto outcome = check(more);
    return outcome ? "it holds: " + outcome->summary : outcome.error().text();
  }

  // As pg_cron keeps them. Here is only the table, as after a restore.
  void add_job() {
    server->sql("postgres", "CREATE SCHEMA cron");
    server->sql(
        "postgres",
        "CREATE TABLE cron.job (jobid bigserial, schedule text, command text, nodename text, nodeport int, database "
        "text, username text, active boolean, jobname name)");
    server->sql("postgres",
                "INSERT INTO cron.job VALUES (7, '* * * * *', 'SELECT steal(''token-in-a-job'')', 'localhost', 5432, "
                "'shop', 'app', true, 'tick')");
    server->sql(
        "postgres",
        "INSERT INTO pg_extension SELECT 99999, 'pg_cron', 10, oid, false, '1.6' FROM pg_namespace WHERE nspname = "
        "'cron'");
  }
  void ask_as(const std::string& user) { std::get<PostgresService>(*world.plan.services.find("database")).user = user; }

  asio::io_context context;
  TestWorld world;
  std::unique_ptr<TestPostgres> server;
  std::string profile;
};

TEST_F(ValidateDatabase, HoldsForWhatItWasTakenOf) {
  auto taken = take();
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_THAT(taken->summary, HasSubstr("2 tables, 2500 rows"));
  auto held = check(R"(,"not_empty":["users","public.\"Orders\""])");
  ASSERT_TRUE(held.has_value()) << held.error().text();
  const Json& checks = member(held->data, "checks");
  ASSERT_TRUE(checks.is_array());
  EXPECT_GT(checks.get_array().size(), 8u);
  EXPECT_THAT(held->summary, HasSubstr("checks hold"));
  // Counters of activity are 0 after a restore, as they are after this, and nothing depends on them.
  server->sql("shop", "SELECT pg_stat_reset()");
  EXPECT_TRUE(check().has_value());
}

TEST_F(ValidateDatabase, FindsWhatIsMissingOrChanged) {
  ASSERT_TRUE(take().has_value());
  server->sql("shop", "DELETE FROM \"Orders\" WHERE id > 1990");
  EXPECT_THAT(failure(), HasSubstr("rows of public.\"Orders\": 1,990 rows, 2,000 were known"));
  EXPECT_TRUE(check(R"(,"fewer":"1%")").has_value());
  server->sql("shop", "DROP INDEX orders_user");
  EXPECT_THAT(failure(R"(,"fewer":"1%")"), HasSubstr("index public.orders_user: is missing"));
  server->sql("shop", "ALTER TABLE users DROP COLUMN name");
  EXPECT_THAT(failure(R"(,"fewer":"1%")"), HasSubstr("without 'name text not null'"));
  server->sql("shop", "DROP TABLE \"Orders\"");
  EXPECT_THAT(failure(R"(,"fewer":"100%")"), HasSubstr("table public.\"Orders\": is missing; it held 2,000 rows"));
  EXPECT_THAT(world.lines, testing::Contains(HasSubstr("is missing")));
}

TEST_F(ValidateDatabase, FindsOrphansSequencesBehindAndInvalidIndexes) {
  // A child without its parent, as a restore with triggers off leaves it.
  server->sql("shop", "ALTER TABLE \"Orders\" DISABLE TRIGGER ALL");
  server->sql("shop", "UPDATE \"Orders\" SET user_id = 9999 WHERE id <= 3");
  server->sql("shop", "SELECT setval('users_id_seq', 10)");
  server->sql("shop", "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_user'::regclass");
  auto outcome = world.apply(validate_database_action(), R"({"service":"database"})");
  ASSERT_FALSE(outcome.has_value());
  std::string text = outcome.error().text();
  EXPECT_THAT(text, HasSubstr("3 rows of public.\"Orders\" point at nothing in public.users"));
  EXPECT_THAT(text, HasSubstr("sequence public.users_id_seq: gives 11 next, but public.users.id holds 500 already"));
  EXPECT_THAT(text, HasSubstr("index public.orders_user: is not valid"));
}

TEST_F(ValidateDatabase, FindsDamagedPages) {
  server->sql("shop", "CREATE EXTENSION IF NOT EXISTS amcheck");
  auto sound = world.apply(validate_database_action(), R"({"service":"database"})");
  ASSERT_TRUE(sound.has_value()) << sound.error().text();
  EXPECT_THAT(to_text(sound->data), HasSubstr("amcheck finds nothing"));
  std::string file = server->folder() + "/data/" + server->sql("shop", "SELECT pg_relation_filepath('users_pkey')");
  server->stop();
  {
    std::fstream page(file, std::ios::in | std::ios::out | std::ios::binary);
    page.seekp(8'192 + 4'000);
    page.write("damage", 6);
  }
  server->start();
  auto outcome = world.apply(validate_database_action(), R"({"service":"database"})");
  ASSERT_FALSE(outcome.has_value());
  EXPECT_THAT(outcome.error().text(), HasSubstr("users_pkey"));
}

TEST_F(ValidateDatabase, NamesWhatAnAttackerPlanted) {
  server->sql("postgres", "CREATE ROLE app LOGIN");
  server->sql("postgres", "CREATE ROLE helper");
  ASSERT_TRUE(take().has_value());
  server->sql("postgres", "CREATE ROLE mallory SUPERUSER LOGIN PASSWORD 'known-to-mallory'");
  server->sql("postgres", "GRANT pg_execute_server_program TO helper");
  server->sql("postgres", "GRANT helper TO app");
  server->sql("postgres", "ALTER ROLE app IN DATABASE shop SET search_path = evil, public");
  server->sql("postgres", "ALTER DATABASE shop SET shop.signing_key = 'a-secret-of-the-shop'");
  server->sql("shop", "CREATE FUNCTION grip() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
  server->sql("shop", "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION grip()");
  server->sql("shop", "CREATE FUNCTION back() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'");
  server->sql("shop",
              "CREATE SUBSCRIPTION leak CONNECTION 'password=''p host=no'' host=203.0.113.7' PUBLICATION everything"
              " WITH (connect = false)");
  server->sql("shop", "CREATE FOREIGN DATA WRAPPER w");
  server->sql("shop", "CREATE SERVER far FOREIGN DATA WRAPPER w OPTIONS (host '203.0.113.8', password 'of-far')");
  server->sql("shop", "CREATE USER MAPPING FOR app SERVER far OPTIONS (password 'of-app')");
  // Jobs stand in another database than the data, as they usually do.
  add_job();
  server->sql("postgres", "CREATE SCHEMA pgagent");
  server->sql("postgres", "CREATE TABLE pgagent.pga_job (jobid int, jobname text, jobenabled boolean)");
  server->sql(
      "postgres",
      "CREATE TABLE pgagent.pga_jobstep (jstid int, jstjobid int, jstname text, jstenabled boolean, jstkind char, "
      "jstcode text, jstconnstr text, jstdbname name)");
  server->sql("postgres", "INSERT INTO pgagent.pga_job VALUES (3, 'sweep', true)");
  server->sql("postgres", "INSERT INTO pgagent.pga_jobstep VALUES (1, 3, 'one', true, 's', 'SELECT 1', '', 'shop')");
  server->sql("shop", "CREATE FOREIGN TABLE told (line text) SERVER far OPTIONS (program 'curl 203.0.113.9')");
  server->sql("shop", "CREATE FUNCTION odd(int) RETURNS int LANGUAGE internal AS 'int4abs'");
  std::string text = failure();
  EXPECT_THAT(text, HasSubstr("role mallory: is new, with superuser, login"));
  EXPECT_THAT(text, HasSubstr("say access: false in this step"));
  EXPECT_THAT(text, HasSubstr("role app: was given member of pg_execute_server_program; it had login"));
  EXPECT_THAT(text, HasSubstr("role helper: was given member of pg_execute_server_program"));
  EXPECT_THAT(text, HasSubstr("setting search_path of role app in database shop: is new: 'evil, public'"));
  EXPECT_THAT(text, HasSubstr("setting shop.signing_key in database shop: is new"));
  EXPECT_THAT(text, HasSubstr("event trigger watch in database shop: is new: on ddl_command_end, runs public.grip"));
  EXPECT_THAT(text, HasSubstr("definer function public.back() in database shop: is new: acts as superuser postgres"));
  EXPECT_THAT(text,
              HasSubstr("subscription leak in database shop: is new: of everything, not enabled, reaches 203.0.113.7"));
  EXPECT_THAT(text, HasSubstr("foreign server far in database shop: is new: of w, reaches 203.0.113.8"));
  EXPECT_THAT(text, HasSubstr("user mapping app at far in database shop: is new"));
  EXPECT_THAT(text, HasSubstr("job tick of app in database postgres: is new: at * * * * * in database shop"));
  EXPECT_THAT(text, HasSubstr("job sweep, number 3 of pgagent in database postgres: is new: enabled"));
  EXPECT_THAT(text, HasSubstr("foreign table public.told in database shop: is new: runs a program"));
  EXPECT_THAT(text, HasSubstr("untrusted function public.odd(integer) in database shop: is new: in internal"));
  // The plan may say that all of this is told and fails nothing; without a profile it is told in any case.
  auto told = check(R"(,"access":false)");
  ASSERT_TRUE(told.has_value()) << told.error().text();
  EXPECT_THAT(told->summary, HasSubstr("role mallory: is new"));
  auto alone = world.apply(validate_database_action(), R"({"service":"database"})");
  ASSERT_TRUE(alone.has_value()) << alone.error().text();
  EXPECT_THAT(alone->summary, HasSubstr("superusers: mallory, postgres"));
  EXPECT_THAT(alone->summary, HasSubstr("jobs: tick of app in postgres"));
  // Taken anew it is the good day, and nothing of it is a secret.
  ASSERT_TRUE(take().has_value());
  EXPECT_TRUE(check().has_value()) << failure();
  std::ifstream file(profile);
  std::string kept{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(kept, HasSubstr("tick of app"));
  for (const char* secret :
       {"known-to-mallory", "SCRAM", "a-secret-of-the-shop", "host=no", "of-far", "of-app", "token-in-a-job"})
    EXPECT_THAT(kept + text + alone->summary + to_text(alone->data), Not(HasSubstr(secret)));
  // An older profile knows none of it, and nothing is said against it.
  std::string older = kept.substr(0, kept.find("\"access\""));
  older.erase(older.rfind(','));
  std::ofstream(profile) << older << "}";
  auto held = check();
  ASSERT_TRUE(held.has_value()) << held.error().text();
  EXPECT_THAT(held->summary, HasSubstr("superusers: mallory, postgres"));
}

TEST_F(ValidateDatabase, CallsNoJobNewThatTheRoleOfAGoodDayCouldNotSee) {
  add_job();
  server->sql("postgres", "CREATE ROLE app LOGIN");
  server->sql("postgres", "GRANT pg_read_all_data TO app");
  server->sql("postgres", "ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY");
  ask_as("app");
  auto taken = take();
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  auto again = check();
  ASSERT_TRUE(again.has_value()) << again.error().text();
  EXPECT_THAT(again->summary, HasSubstr("every job in database postgres: could not be looked at"));
  // A copy is asked as superuser.
  ask_as("postgres");
  auto more = check();
  ASSERT_TRUE(more.has_value()) << more.error().text();
  EXPECT_THAT(more->summary, HasSubstr("job tick of app in database postgres: could not be looked at then"));
  // The other way round something is hidden that was seen.
  ASSERT_TRUE(take().has_value());
  ask_as("app");
  EXPECT_THAT(failure(), HasSubstr("every job in database postgres: could not be looked at"));
}

TEST_F(ValidateDatabase, SaysWhatIsWrongWithItsParametersAndItsProfile) {
  EXPECT_THROW(check(R"(,"service":"other")"), std::exception);
  EXPECT_THROW(world.apply(validate_database_action(), R"({"service":"database","fewer":"1%"})"), std::exception);
  auto none = check();
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().text(), HasSubstr("profile.json"));
  std::ofstream(profile) << "{\"half\":";
  EXPECT_FALSE(check().has_value());
  auto seen = world.observe(validate_database_action(), R"({"service":"database"})");
  ASSERT_TRUE(seen.has_value());
  EXPECT_FALSE(seen->holds);
  world.databases.views["database"].holder.clear();
  EXPECT_THAT(world.apply(validate_database_action(), R"({"service":"database"})").error().text(),
              HasSubstr("nobody takes writes"));
  // A copy on another server is named by its address.
  auto copy = world.apply(validate_database_action(),
                          fmt::format(R"({{"service":"database","host":"127.0.0.1","port":{}}})", server->port()));
  EXPECT_TRUE(copy.has_value()) << copy.error().text();
}

// The profile that the journal has, wherever it was taken.
class ValidateAgainstTheLast : public ValidateDatabase {
 protected:
  Result<Outcome> take_last() { return world.apply(validate_profile_action(), R"({"service":"database"})"); }
  Result<Outcome> check_last(const std::string& more = {}) {
    return world.apply(validate_database_action(), R"({"service":"database","profile":"last")" + more + "}",
                       Duration{30'000});
  }
  void set_password(const std::string& value) {
    world.add_secret("db-password", value);
    std::get<PostgresService>(*world.plan.services.find("database")).password = SecretRef{"db-password"};
  }
};

TEST_F(ValidateAgainstTheLast, NothingFailsForWantOfAProfileAndThatIsSaid) {
  auto alone = check_last(R"(,"fewer":"1%")");
  ASSERT_TRUE(alone.has_value()) << alone.error().text();
  EXPECT_THAT(alone->summary, HasSubstr("profile: no profile is known from before these data"));
  EXPECT_THAT(alone->summary, HasSubstr("superusers: postgres"));
  EXPECT_TRUE(member(alone->data, "against").is_null());
  auto seen = world.observe(validate_database_action(), R"({"service":"database","profile":"last"})");
  ASSERT_TRUE(seen.has_value());
  EXPECT_THAT(seen->change, HasSubstr("without a profile"));
}

TEST_F(ValidateAgainstTheLast, HoldsForWhatItWasTakenOfAndFindsWhatIsMissingOrNew) {
  set_password("of-the-database");
  ASSERT_TRUE(take_last().has_value());
  auto held = check_last();
  ASSERT_TRUE(held.has_value()) << held.error().text();
  EXPECT_THAT(held->summary, Not(HasSubstr("profile: ")));
  EXPECT_EQ(text_or(held->data, "against"), world.profiles.by_service["database"].back()->profile.taken);
  server->sql("shop", "DELETE FROM \"Orders\" WHERE id > 1990");
  server->sql("postgres", "CREATE ROLE mallory SUPERUSER");
  std::string text = check_last().error().text();
  EXPECT_THAT(text, HasSubstr("rows of public.\"Orders\": 1,990 rows, 2,000 were known"));
  EXPECT_THAT(text, HasSubstr("role mallory: is new, with superuser"));
  // The next good day is another one.
  ASSERT_TRUE(take_last().has_value());
  EXPECT_TRUE(check_last().has_value());
}

TEST_F(ValidateAgainstTheLast, AnotherDatabaseOfTheServiceHasAProfileOfItsOwn) {
  ASSERT_TRUE(take_last().has_value());
  server->sql("postgres", "CREATE TABLE here (id int)");
  server->sql("postgres", "INSERT INTO here VALUES (1)");
  auto other = check_last(R"(,"database":"postgres")");
  ASSERT_TRUE(other.has_value()) << other.error().text();
  EXPECT_THAT(other->summary, HasSubstr("no profile is known"));
}

TEST_F(ValidateAgainstTheLast, AHashInTheJournalIsGuessedByNobody) {
  set_password("of-the-database");
  server->sql("postgres", "ALTER DATABASE shop SET shop.signing_key = 'weak'");
  std::string guess = server->sql("postgres", "SELECT md5('shop.signing_key=weak')");
  auto taken = take_last();
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  std::string kept = profile_text(world.profiles.by_service["database"].back()->profile);
  EXPECT_THAT(kept, HasSubstr("shop.signing_key"));
  EXPECT_THAT(kept + to_text(taken->data), Not(HasSubstr(guess)));
  server->sql("postgres", "ALTER DATABASE shop SET shop.signing_key = 'other'");
  EXPECT_THAT(check_last().error().text(), HasSubstr("setting shop.signing_key in database shop: has another value"));
  // Nobody can make the same hashes again once the password was renewed.
  set_password("renewed");
  auto renewed = check_last();
  ASSERT_TRUE(renewed.has_value()) << renewed.error().text();
  EXPECT_THAT(renewed->summary, HasSubstr("the service's password is another than then"));
}

TEST_F(ValidateAgainstTheLast, TheProfileOfAnotherServerIsNotTheServices) {
  std::string where = fmt::format(R"("service":"database","host":"127.0.0.1","port":{})", server->port());
  EXPECT_THROW(world.make(validate_profile_action(), "{" + where + "}"), std::runtime_error);
  auto taken = world.apply(validate_profile_action(), fmt::format(R"({{{},"file":"{}"}})", where, profile));
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_TRUE(world.profiles.by_service["database"].empty());
  EXPECT_TRUE(check().has_value()) << failure();
}

class ValidateApplication : public testing::Test {
 protected:
  Result<Outcome> check(const std::string& more) {
    asio::io_context loop;
    HttpServer server(
        loop.get_executor(),
        [this](HttpIncoming in) -> Task<HttpReply> {
          if (in.path == "/api/health/detailed") co_return json_reply(health_status, health);
          if (in.header("authorization") != "Bearer token-of-the-test") co_return json_reply(401, "{}");
          co_return json_reply(200, sample);
        },
        [](std::string_view) {});
    EXPECT_TRUE(server.listen("127.0.0.1", 0).has_value());
    auto action = world.make(
        validate_application_action(),
        fmt::format(R"({{"url":"http://127.0.0.1:{}","health":"/api/health/detailed"{}}})", server.port(), more));
    auto outcome = run_in_test(loop, action->apply(world.context()));
    return outcome;
  }
  TestWorld world;
  int health_status = 200;
  std::string health = R"({"database":"ok","cache":{"status":"ok"},"users":1000})";
  std::string sample = R"({"user":"test","bio":"The profile of test","plan":"free"})";
};

constexpr const char* kSample =
    R"(,"healthy":{"database":"ok","users":">= 1"},"sample":"/api/user/profile/test","token":"test-token","expect":{"user":"test","bio":"*"})";

TEST_F(ValidateApplication, HoldsWhenEveryPartIsWellAndTheSampleIsThere) {
  world.add_secret("test-token", "token-of-the-test");
  auto outcome = check(kSample);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().text();
  EXPECT_THAT(outcome->summary, HasSubstr("all 7 checks hold"));
  EXPECT_THAT(to_text(outcome->data), Not(HasSubstr("token-of-the-test")));
}

TEST_F(ValidateApplication, NamesTheFieldOrPartThatIsNotAsItShouldBe) {
  world.add_secret("test-token", "token-of-the-test");
  sample = R"({"user":"test","bio":""})";
  EXPECT_THAT(check(kSample).error().text(), HasSubstr("sample.bio: it is empty"));
  health = R"({"database":"ok","cache":{"status":"down"},"users":0})";
  std::string text = check(kSample).error().text();
  EXPECT_THAT(text, HasSubstr("health cache.status"));
  EXPECT_THAT(text, HasSubstr("health.users: it is 0"));
  health_status = 503;
  EXPECT_THAT(check("").error().text(), HasSubstr("it answers 503"));
}

TEST_F(ValidateApplication, NeedsTheTokenAndSaysSo) {
  EXPECT_FALSE(check(kSample).has_value()) << "there is no such secret";
  world.add_secret("test-token", "token-of-another");
  std::string text = check(kSample).error().text();
  EXPECT_THAT(text, HasSubstr("it answers 401"));
  EXPECT_THAT(text, Not(HasSubstr("token-of-another")));
}

}  // namespace
}  // namespace lifeboat
