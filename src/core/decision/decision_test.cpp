#include "core/decision/decision.hpp"

#include <gtest/gtest.h>

namespace lifeboat::decision {
namespace {

MonoTime at(int64_t s) { return MonoTime{std::chrono::seconds(s)}; }

Plan small_plan() {
  Plan plan;
  Scenario failover{.title = "failover"};
  failover.applies_to = {"east"};
  plan.scenarios.add("region-failover", failover);
  plan.scenarios.add("rebuild", Scenario{.title = "rebuild"});
  plan.decision_matrix.add("region-failure",
                           {.automatic = Identifier{"region-failover"}, .manual = Identifier{"region-failover"}});
  plan.decision_matrix.add("data-corruption", {.manual = Identifier{"rebuild"}, .full = Identifier{"rebuild"}});
  plan.safety.automatic_runs = AutomaticLimit{2, std::chrono::hours(24)};
  return plan;
}

TEST(Decision, StartsWhatTheMatrixAllows) {
  Decided decided = decide(small_plan(), {"region-failure", "east", "vantage points"}, {}, at(0));
  EXPECT_EQ(decided.verdict, Verdict::start);
  EXPECT_EQ(decided.scenario, "region-failover");
}

TEST(Decision, NeverStartsByItselfForASubjectTheScenarioIsNotFor) {
  EXPECT_EQ(decide(small_plan(), {"region-failure", "west", "vantage points"}, {}, at(0)).verdict, Verdict::propose);
}

TEST(Decision, NeverStartsASecondRunForTheSameCause) {
  History history{.active = {{"R-1", "region-failover", "region-failure/east"}}};
  EXPECT_EQ(decide(small_plan(), {"region-failure", "east", "vantage points"}, history, at(0)).verdict,
            Verdict::nothing);
}

TEST(Decision, ARunThatOnlyRestoresBesideAndLooksIsInNobodysWay) {
  History history{.active = {{.id = "R-1", .scenario = "rebuild"}}};
  EXPECT_EQ(decide(small_plan(), {"region-failure", "east", "x"}, history, at(0)).verdict, Verdict::propose);
  history.active.front().only_looks = true;
  Decided decided = decide(small_plan(), {"region-failure", "east", "x"}, history, at(0));
  EXPECT_EQ(decided.verdict, Verdict::start);
  EXPECT_TRUE(decided.superseded.empty());
}

TEST(Decision, AsksAPersonWhenTheLimitOfAutomaticRunsIsReached) {
  History history{.automatic_starts = {at(10), at(20)}};
  EXPECT_EQ(decide(small_plan(), {"region-failure", "east", "x"}, history, at(30)).verdict, Verdict::propose);
  EXPECT_EQ(decide(small_plan(), {"region-failure", "east", "x"}, history, at(86'415)).verdict, Verdict::start);
}

TEST(Decision, ProposesWhereTheMatrixHasNoAutomaticColumn) {
  Decided decided = decide(small_plan(), {"data-corruption", "", "someone"}, {}, at(0));
  EXPECT_EQ(decided.verdict, Verdict::propose);
  EXPECT_EQ(decided.scenario, "rebuild");
}

TEST(Decision, ALostRegionSupersedesASmallerRunThatStartedByItself) {
  Plan plan = small_plan();
  plan.signals.add("region-failure", RegionLostSignal{});
  plan.signals.add("api-timeout", EndpointSignal{});
  History history{.active = {{"R-1", "api-failover", "api-timeout/api", true}}};
  Decided decided = decide(plan, {"region-failure", "east", "vantage points"}, history, at(0));
  EXPECT_EQ(decided.verdict, Verdict::start);
  EXPECT_EQ(decided.superseded, std::vector<std::string>{"R-1"});
  // What a person started is not taken out of their hands.
  history.active.front().by_itself = false;
  EXPECT_EQ(decide(plan, {"region-failure", "east", "vantage points"}, history, at(0)).verdict, Verdict::propose);
}

TEST(Decision, ARunGivesWayOnlyToOneThatIsStarted) {
  Plan plan = small_plan();
  plan.signals.add("region-failure", RegionLostSignal{});
  plan.signals.add("api-timeout", EndpointSignal{});
  History history{.active = {{"R-1", "api-failover", "api-timeout/api", true}}, .automatic_starts = {at(10), at(20)}};
  Decided decided = decide(plan, {"region-failure", "east", "vantage points"}, history, at(30));
  EXPECT_EQ(decided.verdict, Verdict::propose) << "the limit is reached";
  EXPECT_TRUE(decided.superseded.empty());
}

TEST(Decision, SaysSoWhenThereIsNoRow) {
  EXPECT_EQ(decide(small_plan(), {"unheard-of", "", "x"}, {}, at(0)).verdict, Verdict::nothing);
}

}  // namespace
}  // namespace lifeboat::decision
