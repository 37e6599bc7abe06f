// Who may take over, and who is tried when the first one cannot.
#include "core/ownership/candidates.hpp"

#include <gtest/gtest.h>

#include "core/ownership/test_machine.hpp"

namespace lifeboat::ownership {
namespace {

// A steady cluster in which west-1 has more than east-2, and nobody is asked before somebody else takes over.
MachineWorld steady() {
  MachineWorld world(three_members(AutomaticFailover::any));
  world.settle();
  world.report("east-2", ServerState::standby, 900, 0, "east-1");
  return world;
}

MemberReport& of(MachineWorld& world, const char* member) { return world.state.find(member)->report; }

TEST(Candidates, OneWhoseReplayIsHeldBackOnPurposeIsNotChosenHoweverMuchItHas) {
  MachineWorld world = steady();
  ASSERT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "west-1");
  of(world, "west-1").replay_delay = "1h";
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "east-2");
  Choice there = choose(world.state, "west-1", {}, world.now);
  EXPECT_TRUE(there.member.empty());
  EXPECT_NE(there.reason.find("held back by 1h"), std::string::npos) << there.reason;
}

TEST(Candidates, OneWhoseReplayStandsStillIsNotWaitedForAndIsChosenAgainWhenItMoves) {
  MachineWorld world = steady();
  of(world, "west-1").replay_still_ms = 4'900;
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "west-1") << "a moment is no hindrance";
  of(world, "west-1").replay_still_ms = 5'000;
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "east-2");
  of(world, "west-1").replay_still_ms = 0;
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "west-1");
}

TEST(Candidates, WhoSaidThatItCannotTakeOverComesAfterTheOthers) {
  MachineWorld world = steady();
  world.feed(Released{"east-1", 1, "server died", true});
  ASSERT_EQ(world.state.holder, "west-1");
  world.feed(
      CommandDone{CommandDone::What::lead, "west-1", 2, false, false, "the term could not be kept", JsonObject{}});
  EXPECT_EQ(world.state.holder, "east-2") << "west-1 is still a standby, and it has more";
}

TEST(Candidates, WhoSaidThatItCannotTakeOverIsTriedAgainWhenThereIsNobodyElse) {
  MachineWorld world = steady();
  world.feed(AgentLost{"east-2"});
  world.feed(Released{"east-1", 1, "server died", true});
  ASSERT_EQ(world.state.term, 2u);
  world.feed(
      CommandDone{CommandDone::What::lead, "west-1", 2, false, false, "the term could not be kept", JsonObject{}});
  EXPECT_EQ(world.state.holder, "west-1");
  EXPECT_EQ(world.state.term, 3u);
}

}  // namespace
}  // namespace lifeboat::ownership
