// What postgres.restore-drill makes of backups that can and cannot be restored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/test_restores.hpp"
#include "core/backup/messages.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/messages.hpp"
#include "io/postgres_profile.hpp"
#include "io/test_postgres.hpp"

namespace lifeboat {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

recovery::BackupSet backup_set(const std::string& label, uint64_t bytes) {
  recovery::BackupSet out;
  out.label = label;
  out.bytes = bytes;
  return out;
}

// Copies exist on db-2 alone; a copy holds one table, public.orders, with as many rows as the test says.
class RestoreDrill : public RestoresTest {
 protected:
  RestoreDrill() {
    world.agents.on_call = [this](std::string host, std::string method, Json params) {
      return answer(host, method, params);
    };
  }

  Result<Json> answer(const std::string& host, const std::string& method, const Json& params) {
    if (method == wire::BackupInfo::kMethod) return Json(JsonObject{{"sets", encode(sets)}});
    if (method == wire::LogClose::kMethod) return Json(JsonObject{{"segment", "000000010000000000000007"}});
    std::string name = text_or(params, "name");
    if (method == wire::RestoreList::kMethod) {
      JsonArray restores;
      for (const std::string& copy : copies)
        restores.push_back(JsonObject{{"name", copy}, {"state", "done"}, {"restored", restored}});
      return Json(JsonObject{{"restores", host == "db-2" ? restores : JsonArray{}}, {"evidence", JsonArray{}}});
    }
    if (method == wire::RestoreBegin::kMethod) {
      EXPECT_EQ(host, "db-2");
      begun.push_back(text_or(params, "set") + " " + text_or(member(params, "target"), "kind"));
      copies.insert(name);
      if (damaged.contains(text_or(params, "set"))) return fail(ErrorKind::refused, "base/1/1259 is damaged");
      return Json(JsonObject{{"backup", text_or(params, "set")},
                             {"target", member(params, "target")},
                             {"bytes", 1000},
                             {"seconds", 4.0},
                             {"copy_seconds", 2.0},
                             {"replay_seconds", 1.0}});
    }
    if (method == wire::RestoreStop::kMethod) {
      EXPECT_TRUE(bool_or(params, "remove"));
      copies.erase(name);
      return Json(JsonObject{{"name", name}, {"removed", true}});
    }
    if (method == wire::RestoreQuery::kMethod) {
      asked.push_back(text_or(params, "sql"));
      if (asked.back() == "SELECT no_row") return rows({"wrong"}, JsonArray{});
      if (asked.back() == "SELECT a_row") return rows({"wrong"}, JsonArray{JsonArray{"7"}});
      return fail(asked_in_vain, "it went away");
    }
    return fail(ErrorKind::unsupported, method);
  }
  static Json rows(JsonArray columns, JsonArray found) {
    return JsonObject{{"columns", std::move(columns)}, {"rows", std::move(found)}, {"more", false}};
  }

  std::vector<recovery::RestoreTiming> kept() { return world.restore_times.of("orders"); }

  std::vector<recovery::BackupSet> sets{backup_set("20260101-000000F", 900), backup_set("20260102-000000F", 1000)};
  std::set<std::string> copies, damaged;
  Json restored;  // what the list of copies says came of each
  std::vector<std::string> begun, asked;
  ErrorKind asked_in_vain = ErrorKind::unreachable;
};

TEST_F(RestoreDrill, WithoutABackupThereIsNothingToRelyOn) {
  sets.clear();
  auto outcome = world.apply(postgres_restore_drill_action(), R"({"service":"orders"})");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::conflict);
  EXPECT_TRUE(begun.empty());
}

TEST_F(RestoreDrill, TheNewestIsRestoredToTheEndOfTheLogAndOlderOnesToWhereTheyAreWhole) {
  damaged = {"20260101-000000F", "20260102-000000F"};
  (void)world.apply(postgres_restore_drill_action(), R"({"service":"orders","backups":"every"})");
  EXPECT_THAT(begun, ElementsAre("20260102-000000F latest", "20260101-000000F immediate"));
}

TEST_F(RestoreDrill, ACopyGoesAlsoWhenItIsNotSound) {
  damaged = {"20260101-000000F", "20260102-000000F"};
  auto outcome = world.apply(postgres_restore_drill_action(), R"({"service":"orders","backups":"every"})");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::conflict);
  EXPECT_THAT(outcome.error().text(), HasSubstr("2 of 2 backups"));
  EXPECT_THAT(outcome.error().text(), HasSubstr("base/1/1259 is damaged"));
  EXPECT_THAT(copies, testing::IsEmpty());
}

TEST_F(RestoreDrill, OneThatWasLeftBehindIsRemovedFirst) {
  copies = {"drill-20260102-000000f"};
  auto outcome = world.apply(postgres_restore_drill_action(), R"({"service":"orders"})");
  EXPECT_THAT(begun, ElementsAre("20260102-000000F latest"));
  EXPECT_THAT(copies, testing::IsEmpty());
}

TEST_F(RestoreDrill, WhatCameOutIsKeptWithItsProblem) {
  damaged = {"20260102-000000F"};
  (void)world.apply(postgres_restore_drill_action(), R"({"service":"orders"})");
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_EQ(kept()[0].backup, "20260102-000000F");
  EXPECT_EQ(kept()[0].host, "db-2");
  EXPECT_TRUE(kept()[0].drill);
  EXPECT_EQ(kept()[0].bytes, 0u);
  EXPECT_THAT(kept()[0].problem, HasSubstr("damaged"));
}

TEST_F(RestoreDrill, WithoutAnAnswerNothingIsSaidOfTheBackupAndTheCopyGoes) {
  for (ErrorKind silent : {ErrorKind::unreachable, ErrorKind::timed_out, ErrorKind::unknown_outcome}) {
    world.agents.on_call = [this, silent](std::string host, std::string method, Json params) -> Result<Json> {
      auto answered = answer(host, method, params);
      if (method == wire::RestoreBegin::kMethod) return fail(silent, "db-2 went away");
      return answered;
    };
    auto outcome = world.apply(postgres_restore_drill_action(), R"({"service":"orders"})");
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, silent);
    EXPECT_TRUE(kept().empty());
    EXPECT_THAT(copies, testing::IsEmpty());
  }
}

TEST_F(RestoreDrill, ACopyThatCannotBeAskedSaysNothingOfTheBackup) {
  auto outcome = world.apply(postgres_restore_drill_action(), R"({"service":"orders"})");
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().text(), HasSubstr("it went away"));
  EXPECT_TRUE(kept().empty());
  EXPECT_THAT(copies, testing::IsEmpty());
}

TEST_F(RestoreDrill, ACopyWhoseRowsCannotBeReadIsNotProven) {
  asked_in_vain = ErrorKind::refused;
  auto outcome = world.apply(postgres_restore_drill_action(), R"({"service":"orders"})");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::conflict);
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_EQ(kept()[0].bytes, 1000u);
  EXPECT_THAT(kept()[0].problem, HasSubstr("it went away"));
}

TEST_F(RestoreDrill, APreviewTellsHowLongItTook) {
  auto before = world.observe(postgres_restore_drill_action(), R"({"service":"orders"})");
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_FALSE(before->holds);
  EXPECT_EQ(before->state, "no restore was measured yet");
  EXPECT_EQ(before->change, "restore and check 1 of 2 backups");
  world.restore_times.by_service["orders"] = {{.target = "latest", .bytes = 500, .seconds = 5, .copy_seconds = 2}};
  auto after = world.observe(postgres_restore_drill_action(), R"({"service":"orders","backups":"every"})");
  EXPECT_THAT(after->state, HasSubstr("about 7.00 s"));
  EXPECT_EQ(after->change, "restore and check 2 of 2 backups");
}

TEST_F(RestoreDrill, AServiceWithoutBackupsOfItsOwnIsNoParameter) {
  world.plan.services.add("plain", PostgresService{});
  EXPECT_THROW(world.make(postgres_restore_drill_action(), R"({"service":"plain"})"), std::runtime_error);
}

// The copy is a server of this machine.
class RestoreDrillOfAServer : public RestoreDrill {
 protected:
  void SetUp() override {
    if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
    server = std::make_unique<TestPostgres>(context);
    server->sql("postgres", "CREATE TABLE orders (id int PRIMARY KEY)");
    server->sql("postgres", "INSERT INTO orders SELECT generate_series(1, 7)");
    world.agents.on_call = [this](std::string host, std::string method, Json params) {
      return method == wire::RestoreQuery::kMethod ? ask(params) : answer(host, method, params);
    };
  }
  Result<Json> ask(const Json& params) {
    PgParams where = server->params(text_or(params, "database", "postgres"));
    if (where["dbname"].empty()) where["dbname"] = "postgres";
    where["options"] = profile_options(Duration{10'000});
    TRY(PgRows found,
        TestWorld::run(pg_query_once(where, text_or(params, "sql"), {}, Deadline::after(Duration{10'000}))));
    JsonArray columns, all;
    for (const std::string& column : found.columns) columns.push_back(Json(column));
    for (const auto& row : found.rows) {
      JsonArray values;
      for (const auto& value : row) values.push_back(value ? Json(*value) : Json(nullptr));
      all.push_back(std::move(values));
    }
    return rows(std::move(columns), std::move(all));
  }
  std::string proven() {
    auto outcome = world.apply(postgres_restore_drill_action(), R"({"service":"orders"})", Duration{60'000});
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().text());
    return outcome ? outcome->summary : "";
  }

  asio::io_context context;
  std::unique_ptr<TestPostgres> server;
};

TEST_F(RestoreDrillOfAServer, TellsWhoMayDoWhatAndWhatIsNewSinceTheLastProfile) {
  std::string first = proven();
  EXPECT_THAT(first, HasSubstr("the newest, 7 rows in 1 tables"));
  EXPECT_THAT(first, HasSubstr("Who may do what there: no profile is known from before it: superusers: postgres"));
  std::get<PostgresService>(*world.plan.services.find("orders")).members.find("one")->port = server->port();
  ASSERT_TRUE(world.apply(validate_profile_action(), R"({"service":"orders"})"));
  EXPECT_THAT(proven(), HasSubstr(": nothing is new"));
  // It is nothing that a backup could be unsound for.
  server->sql("postgres", "CREATE ROLE mallory SUPERUSER");
  EXPECT_THAT(proven(), HasSubstr("role mallory: is new, with superuser"));
  EXPECT_EQ(kept().back().problem, "");
  EXPECT_THAT(copies, testing::IsEmpty());
}

TEST_F(RestoreDrillOfAServer, ACopyIsNotHeldAgainstWhatWasCountedAfterItsData) {
  std::get<PostgresService>(*world.plan.services.find("orders")).members.find("one")->port = server->port();
  auto taken = world.apply(validate_profile_action(), R"({"service":"orders"})");
  ASSERT_TRUE(taken) << taken.error().text();
  copies = {"undo"};
  auto judged = [&] {
    return world.apply(validate_database_action(), R"({"service":"orders","restored":"undo","profile":"last"})",
                       Duration{30'000});
  };
  restored = JsonObject{{"reached", JsonObject{{"next_time", "2020-01-01 00:00:00Z"}}}};
  auto older = judged();
  ASSERT_TRUE(older) << older.error().text();
  EXPECT_THAT(older->summary, HasSubstr("no profile is known from before these data"));
  restored = JsonObject{{"reached", JsonObject{{"next_time", "2999-01-01 00:00:00Z"}}}};
  auto newer = judged();
  ASSERT_TRUE(newer) << newer.error().text();
  EXPECT_EQ(text_or(newer->data, "against"), text_or(taken->data, "taken"));
  server->sql("postgres", "DELETE FROM orders WHERE id > 5");
  EXPECT_THAT(judged().error().text(), HasSubstr("rows of public.orders: 5 rows, 7 were known"));
}

}  // namespace
}  // namespace lifeboat
