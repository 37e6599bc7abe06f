// Copies on a host: which of them an order finds, gives up or leaves alone. No repository is there, so what is begun anew fails; that it
// was begun is what counts. Questions go to a real server that stands in for a copy's.
#include "agent/restores.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/data/encode.hpp"
#include "io/postgres_access.hpp"
#include "io/run_in_test.hpp"
#include "io/test_postgres.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RestoresOfAHost : public testing::Test {
 protected:
  std::string top;

  void SetUp() override {
    char made[] = "/tmp/lifeboat-restores-XXXXXX";
    ASSERT_NE(mkdtemp(made), nullptr);
    top = made;
    fs::permissions(top, fs::perms::all);
  }
  void TearDown() override { fs::remove_all(top); }

  static wire::RestoreBegin latest(const std::string& order, bool again = false) {
    return {
        .service = "shop", .name = "undo", .target = JsonObject{{"kind", "latest"}}, .order = order, .again = again};
  }
  std::string at(const std::string& path) const { return top + "/restores/" + path; }
  static void put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
  }
  // A copy as an agent before this one left it.
  void had(const wire::RestoreBegin& order, const std::string& name, bool with_data) {
    wire::RestoreBegin wish = order;
    wish.again = false;
    put(at(name + ".json"), to_text(JsonObject{{"service", "shop"},
                                               {"name", name},
                                               {"state", "done"},
                                               {"wish", encode(wish)},
                                               {"restored", JsonObject{{"seconds", 4}}}}));
    put(at(name + "/tablespaces/16385/1259"), "rows");
    if (with_data) put(at(name + "/data/PG_VERSION"), "15");
  }
  Result<Json> tell(std::string method, Json params) {
    return run_in_test(
        context_, [](asio::io_context& context, std::string folder, std::string how, Json what) -> Task<Result<Json>> {
          Scope scope(context.get_executor(), [](std::string_view, std::string_view said) { ADD_FAILURE() << said; });
          Restores restores(scope, "db-1", folder, "postgres", [](const std::string&) {});
          wire::Configure configuration;
          configuration.repositories.add("shop", {.stanza = "shop"});
          restores.configure(configuration);
          auto doing = restores.carry_out(how, what, Deadline::after(Duration{15'000}), [](std::string) {});
          auto done = co_await std::move(doing);
          auto stopping = scope.stop(Duration{2'000});
          co_await std::move(stopping);
          co_return done;
        }(context_, top, std::move(method), std::move(params)));
  }
  Result<Json> begin(const wire::RestoreBegin& order) {
    return tell(std::string(wire::RestoreBegin::kMethod), encode(order));
  }

  // A server that stands where the copy's would.
  void stand_in(const TestPostgres& server) {
    had(latest("R-1"), "undo", true);
    fs::remove_all(at("undo"));
    fs::create_directory_symlink(server.folder(), at("undo"));
    fs::create_directory(server.folder() + "/socket");
    fs::create_symlink(fmt::format("{}/.s.PGSQL.{}", server.folder(), server.port()),
                       server.folder() + "/socket/.s.PGSQL.5432");
  }
  static Task<Result<PgRows>> ask(Restores* restores, std::string database, std::string sql, Deadline deadline) {
    wire::RestoreQuery order{.service = "shop",
                             .name = "undo",
                             .database = database.empty() ? "postgres" : database,
                             .sql = sql,
                             .as = "postgres",
                             .rows = 20'000,
                             .system_names = true};
    auto asking = restores->carry_out(std::string(order.kMethod), encode(order), deadline, [](std::string) {});
    CO_TRY(Json answer, co_await std::move(asking));
    PgRows rows;
    for (const Json& column : member(answer, "columns").as_array()) rows.columns.emplace_back(column.as_string());
    for (const Json& row : member(answer, "rows").as_array()) {
      auto& values = rows.rows.emplace_back();
      for (const Json& value : row.as_array())
        values.push_back(value.is_null() ? std::nullopt : std::optional(std::string(value.as_string())));
    }
    co_return rows;
  }
  static Task<Result<PgAsk>> open(Restores* restores, std::string database) {
    co_return PgAsk([restores, database](std::string sql, Deadline deadline) {
      return ask(restores, database, std::move(sql), deadline);
    });
  }
  Result<AccessProfile> look() {
    return run_in_test(context_, [](asio::io_context& context, std::string folder) -> Task<Result<AccessProfile>> {
      Scope scope(context.get_executor(), [](std::string_view, std::string_view said) { ADD_FAILURE() << said; });
      Restores restores(scope, "db-1", folder, "postgres", [](const std::string&) {});
      wire::Configure configuration;
      configuration.repositories.add("shop", {.stanza = "shop"});
      restores.configure(configuration);
      PgAskOf databases = [&restores](std::string database, Deadline) { return open(&restores, database); };
      auto looking = take_access(databases, Deadline::after(Duration{15'000}));
      auto seen = co_await std::move(looking);
      auto stopping = scope.stop(Duration{2'000});
      co_await std::move(stopping);
      co_return seen;
    }(context_, top));
  }

  asio::io_context context_{1};
};

TEST_F(RestoresOfAHost, TheSameOrderFindsTheCopyThatItMade) {
  had(latest("R-2"), "undo", true);
  auto found = begin(latest("R-2", true));
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(text_or(*found, "name"), "undo");
  EXPECT_TRUE(fs::exists(at("undo/data/PG_VERSION")));
}

TEST_F(RestoresOfAHost, HowLongItMayTakeAndWhatOfTheLogIsThereMakesNoOtherOrder) {
  had(latest("R-2"), "undo", true);
  wire::RestoreBegin again = latest("R-2");
  again.within_ms = 5'000;
  again.log_not_closed = "one may write";
  again.unfinished = "000000010000000000000007";
  EXPECT_TRUE(begin(again));
  again.repository = 2;
  EXPECT_FALSE(begin(again)) << "that is another";
}

TEST_F(RestoresOfAHost, WhatIsNotDoneWithinItsTimeIsGivenUpAndSaysSo) {
  if (access("/usr/bin/pgbackrest", X_OK) != 0) GTEST_SKIP() << "pgbackrest is not installed";
  wire::RestoreBegin order = latest("ada at noon");
  order.within_ms = 1;
  auto done = begin(order);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::cancelled) << "nobody needs to wonder how it ends";
  EXPECT_THAT(done.error().text(), HasSubstr("given up after"));
}

TEST_F(RestoresOfAHost, WhatALookLeftThatWasCutOffIsRemovedByTheNextAgent) {
  put(at("clean-point.1/data/PG_VERSION"), "15");
  put(at("clean-point.1/lifeboat-restore.json"), "{}");
  had(latest("R-1"), "clean-point", true);
  auto listed = tell(std::string(wire::RestoreList::kMethod), encode(wire::RestoreList{"shop"}));
  ASSERT_TRUE(listed) << listed.error().text();
  for (Deadline end = Deadline::after(Duration{5'000}); fs::exists(at("clean-point.1")) && !end.passed();)
    (void)tell(std::string(wire::RestoreList::kMethod), encode(wire::RestoreList{"shop"}));
  EXPECT_FALSE(fs::exists(at("clean-point.1")));
  EXPECT_TRUE(fs::exists(at("clean-point/data/PG_VERSION"))) << "somebody ordered a copy by that name";
}

TEST_F(RestoresOfAHost, AFinishedCopyOfAnOlderRunIsGivenUpAndNeverHandedBack) {
  had(latest("R-1"), "undo", true);
  auto refused = begin(latest("ada at noon"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
  EXPECT_TRUE(fs::exists(at("undo/data/PG_VERSION"))) << "nobody said that it may go";
  auto anew = begin(latest("R-2", true));
  EXPECT_FALSE(anew) << "it was made for another run: " << to_text(*anew);
  EXPECT_FALSE(fs::exists(at("undo/data/PG_VERSION")));
  EXPECT_FALSE(fs::exists(at("undo/tablespaces/16385")));
  EXPECT_FALSE(fs::exists(at("undo.going")));
}

TEST_F(RestoresOfAHost, OneWhoseDataAMemberHasIsLeftAndTheNextStandsBesideIt) {
  had(latest("R-1"), "undo", false);
  auto anew = begin(latest("R-2", true));
  ASSERT_FALSE(anew) << "there is no repository";
  EXPECT_NE(anew.error().kind, ErrorKind::conflict) << anew.error().text();
  EXPECT_TRUE(fs::exists(at("undo/tablespaces/16385/1259"))) << "the member's rows are in it";
  EXPECT_TRUE(fs::exists(at("undo-2.json")));
  // By its name the newest is meant; what is removed is the one that is named.
  had(latest("R-2"), "undo-2", true);
  auto kept = tell(std::string(wire::RestoreStop::kMethod), encode(wire::RestoreStop{"shop", "undo", true}));
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().text(), HasSubstr("tablespaces of the member's data"));
  auto removed = tell(std::string(wire::RestoreStop::kMethod), encode(wire::RestoreStop{"shop", "undo-2", true}));
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_FALSE(fs::exists(at("undo-2")));
  EXPECT_FALSE(fs::exists(at("undo-2.json")));
  EXPECT_TRUE(fs::exists(at("undo/tablespaces/16385/1259")));
}

TEST_F(RestoresOfAHost, ALongAnswerIsGivenInPartsThatFitIntoAMessage) {
  if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
  TestPostgres server(context_);
  stand_in(server);
  wire::RestoreQuery order{.service = "shop",
                           .name = "undo",
                           .database = "postgres",
                           .sql = "SELECT n, repeat('x', 90) FROM generate_series(1, 12000) n ORDER BY n",
                           .as = "postgres",
                           .rows = 20'000};
  int64_t parts = 0;
  for (bool more = true; more; ++parts) {
    auto part = tell(std::string(wire::RestoreQuery::kMethod), encode(order));
    ASSERT_TRUE(part) << part.error().text();
    const JsonArray& rows = member(*part, "rows").get_array();
    ASSERT_FALSE(rows.empty());
    EXPECT_LT(to_text(*part).size(), 1024U * 1024) << "it must fit into a message of the link";
    for (const Json& row : rows) ASSERT_EQ(row.get_array()[0], Json(std::to_string(++order.skip)));
    more = bool_or(*part, "more");
  }
  EXPECT_EQ(order.skip, 12'000);
  EXPECT_GT(parts, 1);
  // No row more than was asked for.
  order.skip = 11'990;
  order.rows = 10;
  EXPECT_FALSE(bool_or(*tell(std::string(wire::RestoreQuery::kMethod), encode(order)), "more"));
  order.rows = 9;
  EXPECT_TRUE(bool_or(*tell(std::string(wire::RestoreQuery::kMethod), encode(order)), "more"));
}

TEST_F(RestoresOfAHost, SettingsThatCameBackWithTheDataDoNotBendAnAnswer) {
  if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
  TestPostgres server(context_);
  stand_in(server);
  // A view of the attacker's that hides him, in front of the server's own.
  server.sql("postgres", "CREATE SCHEMA evil");
  server.sql("postgres", "CREATE VIEW evil.pg_roles AS SELECT 'nobody'::name AS rolname");
  server.sql("postgres", "ALTER ROLE postgres SET search_path = evil, pg_catalog");
  server.sql("postgres", "ALTER ROLE postgres SET session_preload_libraries = 'of-the-attacker'");
  wire::RestoreQuery order{.service = "shop",
                           .name = "undo",
                           .database = "postgres",
                           .sql = "SELECT count(*) > 1, current_setting('session_preload_libraries') FROM pg_roles",
                           .as = "postgres"};
  auto bent = tell(std::string(wire::RestoreQuery::kMethod), encode(order));
  ASSERT_TRUE(bent) << bent.error().text();
  EXPECT_EQ(to_text(member(*bent, "rows")), R"([["f",""]])")
      << "a check of the plan's sees what the database's users see";
  order.system_names = true;
  auto straight = tell(std::string(wire::RestoreQuery::kMethod), encode(order));
  ASSERT_TRUE(straight) << straight.error().text();
  EXPECT_EQ(to_text(member(*straight, "rows")), R"([["t",""]])");
}

TEST_F(RestoresOfAHost, WhoMayDoWhatIsSeenInEveryDatabaseOfACopy) {
  if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
  TestPostgres server(context_);
  stand_in(server);
  server.sql("postgres", "CREATE ROLE mallory SUPERUSER");
  server.sql("postgres", "CREATE DATABASE other");
  server.sql("other", "CREATE FUNCTION grip() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
  server.sql("other", "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION grip()");
  // They hide, for whoever asks as postgres and takes the settings that came with the data.
  server.sql("postgres", "CREATE SCHEMA evil");
  server.sql("postgres", "CREATE VIEW evil.pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE rolname <> 'mallory'");
  server.sql("postgres", "ALTER ROLE postgres SET search_path = evil, pg_catalog");
  auto seen = look();
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_TRUE(seen->unseen.empty()) << seen->unseen[0].why;
  auto mallory = std::ranges::find(seen->roles, "mallory", &RoleProfile::name);
  ASSERT_NE(mallory, seen->roles.end());
  EXPECT_EQ(mallory->rights, std::vector<std::string>{"superuser"});
  ASSERT_EQ(seen->actors.size(), 1U);
  EXPECT_EQ(seen->actors[0].database + " " + seen->actors[0].name, "other watch");
  ASSERT_EQ(seen->settings.size(), 1U);
  EXPECT_EQ(seen->settings[0].value, "evil, pg_catalog");
}

}  // namespace
}  // namespace lifeboat
