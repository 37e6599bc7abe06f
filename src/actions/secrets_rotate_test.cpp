#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/test_world.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::Not;

class Rotating : public testing::Test {
 protected:
  Rotating() {
    world.add_region("north");
    world.add_host("db-1", "north", "127.0.0.1");
    PostgresService orders;
    orders.user = "shop";
    orders.password = SecretRef{"orders-password"};
    orders.replication_password = SecretRef{"copies-password"};
    orders.members.add("one", PostgresMember{.host = {"db-1"}});
    world.plan.services.add("orders", orders);
    HttpService shop;
    shop.environment.add("url", "postgresql://shop:${secret.orders-password}@db/orders");
    world.plan.services.add("shop", shop);
    world.databases.views["orders"] = {.service = "orders", .term = 1, .holder = "one", .writable = true};
    world.add_secret("orders-password", "the-present-password");
    world.add_secret("orders-password.2", "the-password-that-comes");
    world.add_secret("copies-password", "another-password");
    world.agents.on_call = [this](std::string host, std::string method, Json params) -> Result<Json> {
      asked.push_back({host, method, to_text(params)});
      if (!answers) return fail(ErrorKind::unreachable, "no agent");
      return Json(JsonObject{{"ended", 3}});
    };
  }

  Result<Outcome> rotate() { return world.apply(secrets_rotate_action(), R"({"secrets":["orders-password"]})"); }

  struct Order {
    std::string host, method, params;
  };
  std::vector<Order> asked;
  bool answers = true;
  TestWorld world;
};

TEST_F(Rotating, TheRoleGetsAVerifierAndTheNextValueCounts) {
  auto done = rotate();
  ASSERT_TRUE(done) << done.error().text();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].host, "db-1");
  EXPECT_EQ(asked[0].method, "postgres.set-password");
  EXPECT_THAT(asked[0].params, HasSubstr("SCRAM-SHA-256$4096:"));
  EXPECT_THAT(asked[0].params, Not(HasSubstr("the-password-that-comes")));
  EXPECT_EQ(world.secrets.get("orders-password"), "the-password-that-comes");
  EXPECT_THAT(done->summary, HasSubstr("shop start anew"));
  EXPECT_THAT(to_text(done->data), Not(HasSubstr("password-that-comes")));
}

TEST_F(Rotating, AnAttemptThatFailedIsTakenUpAndADoneOneIsNotRepeated) {
  answers = false;
  ASSERT_FALSE(rotate());
  EXPECT_EQ(world.secrets.get("orders-password"), "the-present-password");
  answers = true;
  ASSERT_TRUE(rotate());
  ASSERT_TRUE(rotate()) << "there is no third value, and none is needed";
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(Rotating, NothingIsChangedWithoutANewValueThatCanBeUsed) {
  world.add_secret("orders-password.2", "short");
  auto weak = rotate();
  ASSERT_FALSE(weak);
  EXPECT_THAT(weak.error().text(), Not(HasSubstr("short")));
  world.add_secret("orders-password.2", "the-present-password");
  ASSERT_FALSE(rotate());
  std::filesystem::remove(world.folder() / "secrets" / "orders-password.2");
  auto missing = rotate();
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().text(), HasSubstr("on the host of every controller"));
  EXPECT_TRUE(asked.empty());
}

TEST_F(Rotating, WhatItCannotRenewIsRefusedWhenThePlanIsChecked) {
  auto problems = [&](const char* with) {
    return to_error(secrets_rotate_action().validate(*parse_json(with), world.plan), "step").text();
  };
  EXPECT_THAT(problems(R"({"secrets":["copies-password"]})"), HasSubstr("the standbys of orders"));
  EXPECT_THAT(problems(R"({"secrets":["elsewhere"]})"), HasSubstr("by a manual step"));
  EXPECT_TRUE(secrets_rotate_action().validate(*parse_json(R"({"secrets":["orders-password"]})"), world.plan).empty());
}

}  // namespace
}  // namespace lifeboat
