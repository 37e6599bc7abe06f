#include "core/detection/detection.hpp"

#include <gtest/gtest.h>

namespace lifeboat::detection {
namespace {

MonoTime at(int64_t ms) { return MonoTime{std::chrono::milliseconds(ms)}; }
const Window kWindow{.for_ = Duration{1500}, .fresh = Duration{1000}, .quorum = 2};

State three_regions() {
  State state;
  state.targets = {{"east-lb", "east"}, {"east-db", "east"}, {"west-lb", "west"}, {"eu-page", "eu"}};
  state.vantages = {{"controller", "eu", ""}, {"agent-west", "west", "eu"}, {"agent-east", "east", "eu"}};
  return state;
}

// All vantage points see everything; those in `blind` see every target fail, and everybody sees `dead` fail.
void run(State& state, int64_t from, int64_t to, const std::string& dead, const std::string& blind = {}) {
  for (int64_t ms = from; ms <= to; ms += 250) {
    for (const VantagePoint& vantage : state.vantages) {
      if (vantage.region == dead) continue;
      for (const Target& target : state.targets)
        observe(state, vantage.name, target.id, target.region != dead && vantage.name != blind, "no answer", at(ms));
    }
  }
}

TEST(Detection, BelievesALostRegionWhenTwoOtherRegionsSeeItForLongEnough) {
  State state = three_regions();
  run(state, 0, 1000, "");
  run(state, 1250, 2500, "east");
  EXPECT_FALSE(judge_region(state, "east", kWindow, at(2500)).lost);
  EXPECT_TRUE(judge_region(state, "east", kWindow, at(2500)).suspected);
  run(state, 2750, 2750, "east");
  RegionVerdict verdict = judge_region(state, "east", kWindow, at(2750));
  EXPECT_TRUE(verdict.lost);
  EXPECT_EQ(verdict.regions_agreeing, 2);
}

// Case 4, repmgr#439: who was cut off took all others for dead and was promoted.
TEST(Detection, NeverBelievesAnObserverThatLostItsOwnNetwork) {
  State state = three_regions();
  run(state, 0, 5000, "", "controller");
  EXPECT_FALSE(judge_region(state, "east", kWindow, at(5000)).lost);
  EXPECT_EQ(judge_region(state, "east", kWindow, at(5000)).regions_agreeing, 0);
}

TEST(Detection, AnAgentThatReportsToAControllerElsewhereIsNotAlone) {
  State state = three_regions();
  std::erase_if(state.targets, [](const Target& target) { return target.region == "eu"; });
  run(state, 0, 3000, "east");
  EXPECT_TRUE(judge_region(state, "east", kWindow, at(3000)).lost);
}

TEST(Detection, OneTargetThatAnswersKeepsARegionAlive) {
  State state = three_regions();
  for (int64_t ms = 0; ms <= 5000; ms += 250) {
    for (const VantagePoint& vantage : state.vantages) {
      for (const Target& target : state.targets)
        observe(state, vantage.name, target.id, target.id != "east-lb", "no answer", at(ms));
    }
  }
  EXPECT_FALSE(judge_region(state, "east", kWindow, at(5000)).lost);
}

TEST(Detection, AStaleVantagePointHasNoVote) {
  State state = three_regions();
  run(state, 0, 3000, "east");
  // The west agent goes silent; the controller goes on seeing it.
  for (int64_t ms = 3250; ms <= 6000; ms += 250) {
    for (const Target& target : state.targets)
      observe(state, "controller", target.id, target.region != "east", "no answer", at(ms));
  }
  EXPECT_FALSE(judge_region(state, "east", kWindow, at(6000)).lost);
}

// Case 5, repmgr#821: something was taken for lost though another observer saw it well.
TEST(Detection, AnEndpointFailsOnlyWhenNobodyInTheQuorumSeesItWell) {
  State state = three_regions();
  state.targets.push_back({"entry", ""});
  for (int64_t ms = 0; ms <= 3000; ms += 250) {
    observe(state, "controller", "entry", false, "503", at(ms));
    observe(state, "agent-west", "entry", ms < 1000, "503", at(ms));
  }
  EXPECT_TRUE(judge_endpoint(state, "entry", kWindow, at(3000)).failing);
  observe(state, "agent-west", "entry", true, "", at(3100));
  EXPECT_FALSE(judge_endpoint(state, "entry", kWindow, at(3100)).failing);
}

}  // namespace
}  // namespace lifeboat::detection
