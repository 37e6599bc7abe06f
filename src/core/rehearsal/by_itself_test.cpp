#include "core/rehearsal/by_itself.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::rehearsal {
namespace {

using testing::HasSubstr;

Step step_of(std::string id, std::string uses) { return {.id = {std::move(id)}, .uses = std::move(uses)}; }

Plan plan_with(std::vector<Step> steps) {
  Plan plan;
  Scenario scenario{.title = "Prove"};
  scenario.phases.add("recover", std::move(steps));
  plan.scenarios.add("prove", std::move(scenario));
  return plan;
}
Drill monthly() {
  return {.name = {"d"}, .run = Identifier{"prove"}, .every = "monthly", .in = "production", .automatic = true};
}
Plan harmless() {
  return plan_with({step_of("prove", "postgres.restore-drill"), step_of("profile", "validate.profile")});
}

TEST(ByItself, OnlyInProductionAndOnlyWhatRestoresBesideAndLooks) {
  EXPECT_EQ(why_not_by_itself(harmless(), monthly()), "");
  Drill drill = monthly();
  drill.in = "lab";
  EXPECT_THAT(why_not_by_itself(harmless(), drill), HasSubstr("in production"));
  drill = monthly();
  drill.run.reset();
  EXPECT_THAT(why_not_by_itself(harmless(), drill), HasSubstr("needs a scenario"));
  for (const char* uses : {"postgres.failover", "postgres.adopt", "postgres.restore", "traffic.weights", "dns.switch",
                           "shell", "sql.check", "approval", "manual", "network.isolate"}) {
    Plan plan = plan_with({step_of("prove", "postgres.restore-drill"), step_of("more", uses)});
    EXPECT_THAT(why_not_by_itself(plan, monthly()), HasSubstr("its step more uses " + std::string(uses)));
  }
  Step asks = step_of("prove", "postgres.restore-drill");
  asks.approval = Approval{.of = {{"boss"}}};
  EXPECT_THAT(why_not_by_itself(plan_with({asks}), monthly()), HasSubstr("asks people"));
}

TEST(ByItself, ARunOnlyLooksWhenAllOfItsStepsDo) {
  std::vector<run::ResolvedStep> steps(2);
  steps[0].uses = "postgres.restore-drill";
  steps[1].uses = "validate.profile";
  EXPECT_TRUE(only_looks(steps));
  steps[1].uses = "postgres.failover";
  EXPECT_FALSE(only_looks(steps));
}

TEST(ByItself, StartsWhenItIsDueAndNotAgainSoonAfterAFailure) {
  Plan plan = harmless();
  WallTime now{std::chrono::days(20'000)};
  Row row{.due = now, .standing = Standing::due};
  EXPECT_TRUE(wants_to_start(plan, monthly(), row, now));
  row.standing = Standing::current;
  EXPECT_FALSE(wants_to_start(plan, monthly(), row, now));
  row.standing = Standing::overdue;
  row.last = Held{.at = now - std::chrono::days(6), .passed = false};
  EXPECT_FALSE(wants_to_start(plan, monthly(), row, now));
  row.last->at = now - std::chrono::days(7);
  EXPECT_TRUE(wants_to_start(plan, monthly(), row, now));
  row.last = Held{.at = now - std::chrono::days(1), .passed = true};
  EXPECT_TRUE(wants_to_start(plan, monthly(), row, now));
}

TEST(ByItself, OnlyWhereThePlanSaysSo) {
  Row row{.standing = Standing::overdue};
  Drill drill = monthly();
  drill.automatic = false;
  EXPECT_FALSE(wants_to_start(harmless(), drill, row, WallTime{}));
  EXPECT_FALSE(wants_to_start(plan_with({step_of("a", "postgres.failover")}), monthly(), row, WallTime{}));
}

TEST(ByItself, NothingStartsUnlessAllHasBeenCalmForAWhile) {
  Around around{.calm = std::chrono::minutes(15)};
  EXPECT_EQ(in_the_way(around), "");
  around.runs = 1;
  EXPECT_EQ(in_the_way(around), "a run is under way");
  around = {.incidents = 1, .calm = std::chrono::hours(1)};
  EXPECT_EQ(in_the_way(around), "an incident is open");
  around = {.signals = 1, .calm = std::chrono::hours(1)};
  EXPECT_EQ(in_the_way(around), "a signal is raised");
  around = {.writable = false, .calm = std::chrono::hours(1)};
  EXPECT_EQ(in_the_way(around), "a database takes no writes");
  around = {.calm = std::chrono::minutes(14)};
  EXPECT_EQ(in_the_way(around), "it has not been calm for long enough");
}

}  // namespace
}  // namespace lifeboat::rehearsal
