// postgres.restore and what uses its copies by name: which copy is meant when a name is used again, and on which host it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/restore_common.hpp"
#include "actions/test_restores.hpp"
#include "actions/validate_common.hpp"
#include "core/backup/messages.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/messages.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kLatest = R"({"service":"orders","to":"latest","name":"undo","member":"two"})";

// Each host has the copies that the test says; orders are kept.
class RestoreAction : public RestoresTest {
 protected:
  RestoreAction() {
    world.agents.on_call = [this](std::string host, std::string method, Json params) {
      return answer(host, method, params);
    };
  }

  Result<Json> answer(const std::string& host, const std::string& method, const Json& params) {
    if (method == wire::LogClose::kMethod) return Json(JsonObject{{"segment", "000000010000000000000007"}});
    if (method == wire::RestoreList::kMethod)
      return Json(JsonObject{{"restores", copies[host]}, {"evidence", JsonArray{}}});
    if (method == wire::RestoreBegin::kMethod) {
      begun.push_back(params);
      return Json(JsonObject{{"name", "undo"},
                             {"host", host},
                             {"target", member(params, "target")},
                             {"log_not_closed", text_or(params, "log_not_closed")}});
    }
    if (method == wire::RestoreQuery::kMethod) {
      asked.push_back(host + " " + text_or(params, "name") + " " + text_or(params, "database"));
      return part(int_or(params, "skip"));
    }
    return fail(ErrorKind::unsupported, method);
  }
  // An answer of 25,000 rows in messages of 10,000.
  static Json part(int64_t skip) {
    constexpr int64_t kAll = 25'000, kMessage = 10'000;
    JsonArray rows;
    for (int64_t row = skip; row < std::min(kAll, skip + kMessage); ++row)
      rows.push_back(JsonArray{std::to_string(row)});
    return JsonObject{{"columns", JsonArray{"n"}}, {"rows", rows}, {"more", skip + kMessage < kAll}};
  }
  // As the agent tells of what was made for `order`.
  static Json done(const std::string& name, const Json& order, const std::string& state = "done") {
    return JsonObject{{"name", name}, {"state", state}, {"wish", order}, {"restored", JsonObject{{"seconds", 4}}}};
  }
  Json order_now() {
    EXPECT_TRUE(world.apply(postgres_restore_action(), kLatest).has_value());
    Json order = begun.back();
    return order;
  }
  Result<PgRows> ask(const std::string& restored) {
    return TestWorld::run([](ActionContext context, DatabaseAsked what) -> Task<Result<PgRows>> {
      auto finding = ask_of_copy(context, what);
      CO_TRY(PgAsk ask, co_await std::move(finding));
      auto asking = ask("SELECT n FROM many ORDER BY n", context.deadline);
      co_return co_await std::move(asking);
    }(world.context(), {.service = {"orders"}, .restored = restored}));
  }

  std::map<std::string, JsonArray> copies;
  std::vector<Json> begun;
  std::vector<std::string> asked;
};

TEST_F(RestoreAction, EveryAttemptOfAStepOrdersTheSameAndFindsWhatItOrdered) {
  Json first = order_now(), second = order_now();
  EXPECT_EQ(text_or(first, "order"), text_or(second, "order"));
  EXPECT_THAT(text_or(first, "order"), StartsWith("R-1 of "));
  copies["db-2"] = {done("undo", first)};
  auto seen = world.observe(postgres_restore_action(), kLatest);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_TRUE(seen->holds);
  EXPECT_EQ(text_or(seen->data, "name"), "undo");
}

TEST_F(RestoreAction, ACopyOfAnOlderRunIsNotWhatIsAskedForNow) {
  copies["db-2"] = {done("undo", order_now())};
  // The controllers' memory was lost, and runs are counted from one again.
  world.run_opened += std::chrono::hours(24 * 21);
  auto seen = world.observe(postgres_restore_action(), kLatest);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_FALSE(seen->holds) << "three weeks ago the log ended elsewhere";
  EXPECT_THAT(seen->change, HasSubstr("the copy of the other order goes"));
  Json second = order_now();
  EXPECT_NE(text_or(begun.front(), "order"), text_or(second, "order"));
  EXPECT_TRUE(bool_or(second, "again")) << "a run does not stop at what an older one left";
}

TEST_F(RestoreAction, TheNewestOfANameIsPutInPlaceAndRememberedByItsOwn) {
  Json order = order_now();
  copies["db-2"] = {done("undo", order, "adopted"), done("undo-2", order)};
  std::string moved;
  world.databases.on_call = [&](std::string verb, std::string, std::string) -> Result<Json> {
    moved = verb;
    return Json(JsonObject{{"timeline", 3}});
  };
  constexpr const char* kAdopt = R"({"service":"orders","restored":"undo","member":"two"})";
  // It leads with the data of the first one, from an earlier day.
  DatabaseView& view = world.databases.views["orders"];
  view.holder = "two";
  view.members[1].report.restored = "undo";
  EXPECT_FALSE(world.observe(postgres_adopt_action(), kAdopt)->holds);
  ASSERT_TRUE(world.apply(postgres_adopt_action(), kAdopt).has_value());
  EXPECT_EQ(moved, "put-back undo-2");
  view.members[1].report.restored = "undo-2";
  EXPECT_TRUE(world.observe(postgres_adopt_action(), kAdopt)->holds);
}

TEST_F(RestoreAction, ACopyOnTheHostOfTheRepositoryIsAskedThereInTheDatabaseOfTheService) {
  std::get<PostgresService>(*world.plan.services.find("orders")).database = "shop";
  copies["vault"] = {done("undo", order_now())};
  auto rows = ask("undo");
  ASSERT_TRUE(rows) << rows.error().text();
  EXPECT_EQ(asked.front(), "vault undo shop");
}

TEST_F(RestoreAction, ALongAnswerComesInParts) {
  copies["db-2"] = {done("undo", order_now())};
  auto rows = ask("undo");
  ASSERT_TRUE(rows) << rows.error().text();
  EXPECT_EQ(rows->rows.size(), 25'000u);
  EXPECT_EQ(rows->text(24'999, "n"), "24999");
  EXPECT_EQ(asked.size(), 3u);
}

TEST_F(RestoreAction, OfTwoWithOneNameThisRunsOwnIsAskedAndNoneIfItHasNone) {
  Json order = order_now();
  copies["db-2"] = {done("undo", JsonObject{{"name", "undo"}, {"order", "ada at noon"}})};
  copies["vault"] = {done("undo", order)};
  ASSERT_TRUE(ask("undo"));
  EXPECT_THAT(asked.front(), StartsWith("vault "));
  copies["vault"] = copies["db-2"];
  auto unclear = ask("undo");
  ASSERT_FALSE(unclear);
  EXPECT_EQ(unclear.error().kind, ErrorKind::conflict);
}

TEST_F(RestoreAction, ThatTheEndOfTheLogCouldNotBeArchivedStandsInWhatTheStepFound) {
  auto closed = world.apply(postgres_restore_action(), kLatest);
  ASSERT_TRUE(closed);
  EXPECT_THAT(closed->summary, testing::Not(HasSubstr("NOT KNOWN")));
  // The primary is lost and unheard: nobody knows what it wrote last.
  world.databases.views["orders"].writable = false;
  world.databases.views["orders"].members[0].connected = false;
  auto open = world.apply(postgres_restore_action(), kLatest);
  ASSERT_TRUE(open) << open.error().text();
  EXPECT_THAT(open->summary, HasSubstr("NOT KNOWN to be the latest"));
  EXPECT_THAT(text_or(open->data, "log_not_closed"), HasSubstr("one may"));
  constexpr const char* kMoment = R"({"service":"orders","to":"2026-01-01 14:30:00+00","name":"undo","member":"two"})";
  auto moment = world.apply(postgres_restore_action(), kMoment);
  ASSERT_TRUE(moment) << moment.error().text();
  EXPECT_EQ(text_or(moment->data, "log_not_closed"), "") << "a moment that was reached is read back from the log";
}

TEST_F(RestoreAction, TheBackupAndTheRepositoryThatAStepNamesAreTaken) {
  constexpr const char* kNamed =
      R"({"service":"orders","to":"latest","name":"undo","member":"two","set":"20260101-020000F","repository":2})";
  auto with = parse_json(kNamed);
  EXPECT_EQ(postgres_restore_action().validate(*with, world.plan).size(), 1u) << "the plan has one";
  std::get<PostgresService>(*world.plan.services.find("orders")).backups->second = SecondRepository{.path = "more"};
  ASSERT_TRUE(world.apply(postgres_restore_action(), kNamed).has_value());
  EXPECT_EQ(text_or(begun.back(), "set"), "20260101-020000F");
  EXPECT_EQ(int_or(begun.back(), "repository"), 2);
}

TEST_F(RestoreAction, ForensicsNamesAFloodOfSmallUpdates) {
  world.agents.on_call = [this](std::string host, std::string method, Json params) -> Result<Json> {
    if (method != wire::RestoreForensics::kMethod) return answer(host, method, params);
    return parse_json(R"({"findings":[],"left_out":0,"most_unusual":null,"surges":[{"table":"orders.public.users",
      "what":"updated","first_time":"2026-01-01T00:00:00Z","rows":12000,"transactions":9000,
      "restore_to":{"xid":"before:757"}}]})");
  };
  auto outcome = world.apply(postgres_forensics_action(), R"({"service":"orders","since":"1h"})");
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_THAT(outcome->summary, HasSubstr("12000 rows of orders.public.users"));
  EXPECT_EQ(text_or(outcome->data, "target"), "before:757");
}

}  // namespace
}  // namespace lifeboat
