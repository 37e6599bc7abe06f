#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/test_world.hpp"
#include "io/crypto.hpp"

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

TEST_F(Rotating, ALookBeforehandFailsWhenOneCouldNotBeRenewedAndChangesNothing) {
  const char* look = R"({"secrets":["orders-password","copies-password"],"look":true})";
  auto missing = world.apply(secrets_rotate_action(), look);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().text(), HasSubstr("copies-password"));
  EXPECT_THAT(missing.error().text(), Not(HasSubstr("'orders-password'"))) << "that one could be";
  auto seen = world.observe(secrets_rotate_action(), look);
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->holds);
  EXPECT_THAT(seen->state, HasSubstr("copies-password"));
  world.add_secret("copies-password.2", "short");
  EXPECT_THAT(world.apply(secrets_rotate_action(), look).error().text(), HasSubstr("too weak"));
  world.add_secret("copies-password.2", "the-copies-password-2");
  ASSERT_TRUE(world.apply(secrets_rotate_action(), look));
  auto well = world.observe(secrets_rotate_action(), look);
  ASSERT_TRUE(well);
  EXPECT_TRUE(well->holds);
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(world.secrets.generation("orders-password"), 1);
}

TEST_F(Rotating, WhatWillNotDoIsSeenBeforeTheRunComesToIt) {
  world.add_secret("orders-password.2", "short");
  auto seen = world.observe(secrets_rotate_action(), R"({"secrets":["orders-password"]})");
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->holds);
  EXPECT_THAT(seen->state, HasSubstr("CANNOT BE RENEWED"));
  EXPECT_THAT(seen->state, HasSubstr("too weak"));
}

TEST_F(Rotating, WhatItCannotRenewIsRefusedWhenThePlanIsChecked) {
  auto problems = [&](const char* with) {
    return to_error(secrets_rotate_action().validate(*parse_json(with), world.plan), "step").text();
  };
  EXPECT_THAT(problems(R"({"secrets":["elsewhere"]})"), HasSubstr("by a manual step"));
  EXPECT_TRUE(secrets_rotate_action().validate(*parse_json(R"({"secrets":["orders-password"]})"), world.plan).empty());
  EXPECT_TRUE(secrets_rotate_action().validate(*parse_json(R"({"secrets":["copies-password"]})"), world.plan).empty());
}

// The password of standbys, with two members: "one" takes writes, "two" streams from it. What their agents do is in
// agent/role_password_test.cpp.
class RotatingCopies : public Rotating {
 protected:
  struct Told {
    bool cut_off = false;
    bool away = false;       // its link is lost when it is asked
    bool takes_over = true;  // when it has been told
    bool streams_again = true;
    bool follows = true;
  };

  RotatingCopies() {
    world.add_host("db-2", "north", "127.0.0.2");
    auto* orders = std::get_if<PostgresService>(world.plan.services.find("orders"));
    orders->members.add("two", PostgresMember{.host = {"db-2"}});
    world.add_secret("copies-password.2", "the-copies-password-2");
    view().members = {{.member = "one", .connected = true}, {.member = "two", .connected = true}};
    world.agents.on_call = [this](std::string host, std::string method, Json params) {
      return answer(std::move(host), std::move(method), std::move(params));
    };
  }

  DatabaseView& view() { return world.databases.views["orders"]; }
  Result<Outcome> rotate_copies(Duration within = Duration{10'000}) {
    return world.apply(secrets_rotate_action(), R"({"secrets":["copies-password"]})", within);
  }
  bool counts() { return world.secrets.generation("copies-password") == 2; }

  std::map<std::string, Told> told;

 private:
  Result<Json> answer(std::string host, std::string method, Json params) {
    asked.push_back({host, method, to_text(params)});
    EXPECT_EQ(method, "postgres.replication-password");
    const Told& agent = told[host];
    if (agent.away) return fail(ErrorKind::unreachable, "no agent of " + host);
    if (agent.cut_off) return Json(JsonObject{{"cut_off", true}});
    std::string now = *world.secrets.get("copies-password");
    bool knows = scram_fits(text_or(params, "verifier"), now);
    bool holds = view().holder == (host == "db-1" ? "one" : "two");
    JsonArray streaming;
    const Told& other = told[host == "db-1" ? "db-2" : "db-1"];
    if (holds && other.follows && (!counts() || other.streams_again))
      streaming.push_back(Json(host == "db-1" ? "two" : "one"));
    return Json(JsonObject{{"knows", knows},
                           {"running", true},
                           {"in_force", counts() ? agent.takes_over : true},
                           {"ended", counts() ? 2 : 0},
                           {"streaming", std::move(streaming)}});
  }
};

TEST_F(RotatingCopies, TheNewOneCountsAndIsWaitedForUntilStandbysStreamAgain) {
  auto done = rotate_copies();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_TRUE(counts());
  EXPECT_THAT(done->summary, HasSubstr("4 sessions of the former password ended"));
  for (const Order& order : asked) EXPECT_THAT(order.params, Not(HasSubstr("the-copies-password-2")));
  auto seen = world.observe(secrets_rotate_action(), R"({"secrets":["copies-password"]})");
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->holds);
}

TEST_F(RotatingCopies, WhatWasCutOffInTheMiddleIsNotTakenForDone) {
  told["db-1"].takes_over = false;
  auto cut = rotate_copies(Duration{400});
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().text(), HasSubstr("one does not have it yet"));
  EXPECT_TRUE(counts());
  auto seen = world.observe(secrets_rotate_action(), R"({"secrets":["copies-password"]})");
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->holds);
  EXPECT_THAT(seen->state, HasSubstr("copies-password not yet in force"));
  told["db-1"].takes_over = true;
  ASSERT_TRUE(rotate_copies()) << "there is no third value, and none is needed";
  EXPECT_EQ(world.secrets.generation("copies-password"), 2);
}

TEST_F(RotatingCopies, AfterAFailoverInTheMiddleTheNewHolderIsTheOneThatCounts) {
  told["db-1"].takes_over = false;
  ASSERT_FALSE(rotate_copies(Duration{300}));
  view().holder = "two";
  told["db-1"].follows = false;  // it has to be made a standby first
  auto done = rotate_copies();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_THAT(done->summary, HasSubstr("one get it when they are back"));
}

TEST_F(RotatingCopies, AStandbyThatDoesNotStreamAgainIsNamed) {
  told["db-2"].streams_again = false;
  auto done = rotate_copies(Duration{400});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  EXPECT_THAT(done.error().text(), HasSubstr("two does not stream again"));
}

TEST_F(RotatingCopies, MembersThatAreCutOffOrFollowAnotherHistoryGetItLater) {
  told["db-2"] = {.cut_off = true};
  auto done = rotate_copies();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_THAT(done->summary, HasSubstr("two get it when they are back"));
  EXPECT_EQ(to_text(done->data).find("\"later\":[\"two\"]") == std::string::npos, false);
}

TEST_F(RotatingCopies, AStandbyOfAnotherHistoryHoldsNothingUp) {
  told["db-2"] = {.takes_over = false, .follows = false};
  auto done = rotate_copies();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_THAT(done->summary, HasSubstr("two get it when they are back"));
}

TEST_F(RotatingCopies, IsRefusedBeforeAnythingIsChangedWhereItWouldBreakTheCluster) {
  told["db-1"].cut_off = true;
  auto cut_off = rotate_copies();
  ASSERT_FALSE(cut_off);
  EXPECT_EQ(cut_off.error().kind, ErrorKind::refused);
  EXPECT_THAT(cut_off.error().text(), HasSubstr("network.rejoin"));
  told["db-1"].cut_off = false;
  view().members[1].report.state = ServerState::changing;
  auto copied = rotate_copies(Duration{300});
  ASSERT_FALSE(copied);
  EXPECT_THAT(copied.error().text(), HasSubstr("two of orders is being made a standby"));
  view().members[1].report.state = ServerState::standby;
  view().writable = false;
  auto nobody = rotate_copies();
  ASSERT_FALSE(nobody);
  EXPECT_THAT(nobody.error().text(), HasSubstr("nobody takes writes for orders"));
  told["db-1"].away = true;
  view().writable = true;
  ASSERT_FALSE(rotate_copies());
  EXPECT_FALSE(counts());
}

}  // namespace
}  // namespace lifeboat
