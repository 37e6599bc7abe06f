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

// Case 35, patroni#2551: a replica that is delayed on purpose stood among the candidates.
TEST(Candidates, OneWhoseReplayIsHeldBackOnPurposeIsNotChosenHoweverMuchItHas) {
  MachineWorld world = steady();
  ASSERT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "west-1");
  of(world, "west-1").replay_delay = "1h";
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "east-2");
  Choice there = choose(world.state, "west-1", {}, world.now);
  EXPECT_TRUE(there.member.empty());
  EXPECT_NE(there.reason.find("held back by 1h"), std::string::npos) << there.reason;
}

// Case 24, cloudnative-pg#11134: a replica that was stuck in its replay counted as well.
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

// Case 19, stolon#783: replicas had stopped following without a word, and one of them was promoted: six days were gone.
TEST(Candidates, OneThatHasReceivedNothingForLongIsNotPromotedByItselfAndThatIsSaid) {
  MachineWorld world(three_members(AutomaticFailover::any));
  world.state.config.loss_without_approval = Duration{5'000};
  world.settle();
  for (uint64_t written = 1000; written < 1600; ++written) {
    world.feed(RenewAsked{"east-1", 1, 0});
    world.report("east-1", ServerState::primary, written, 1);
    // They say that they stream, and lack nothing that they know of.
    for (const char* member : {"east-2", "west-1"}) world.report(member, ServerState::standby, 1000, 0, "east-1");
    world.pass(100);
  }
  world.last.clear();
  world.feed(Released{"east-1", 1, "server died", true});
  EXPECT_EQ(world.find<MakeGrant>(), nullptr);
  EXPECT_NE(world.state.automatic_refused.find("would set aside"), std::string::npos) << world.state.automatic_refused;
  world.report("west-1", ServerState::standby, 1598, 0, "east-1");
  EXPECT_EQ(world.state.holder, "west-1") << "that one lacks little";
}

// Case 20, stolon#917: a replica was promoted in the middle of a copy.
TEST(Candidates, OneWhoseServerIsNoRunningStandbyIsNotChosen) {
  MachineWorld world = steady();
  for (ServerState state : {ServerState::absent, ServerState::starting, ServerState::changing, ServerState::parked,
                            ServerState::hung, ServerState::stopped}) {
    of(world, "west-1").state = state;
    EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "east-2") << enum_name(state);
  }
}

// Case 22, cloudnative-pg#2513: an old primary that came back with an older history became the primary.
TEST(Candidates, AnOlderHistoryIsNotChosenHoweverLongItsLogIs) {
  MachineWorld world = steady();
  of(world, "east-2").timeline = 2;
  of(world, "west-1").written = Lsn{9000};
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "east-2");
  of(world, "west-1").state = ServerState::stopped;
  of(world, "west-1").primary_data = true;
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "east-2") << "also when it led once";
}

// Case 30, pg_auto_failover#1060: the primary and the most advanced standby were lost together, and the one that was left was to fetch
// what it lacked from itself.
TEST(Candidates, WithThePrimaryAndTheMostAdvancedLostTheOneThatIsLeftLeadsWithWhatItHas) {
  MachineWorld world = steady();
  world.feed(AgentLost{"west-1"});
  world.feed(Released{"east-1", 1, "server died", true});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-2");
  EXPECT_EQ(world.find<SendLead>()->at_least.value, 0u) << "nobody is there whom it could get more from";
}

// Case 34, repmgr#540: a promotion had no effect, because replay was paused.
TEST(Candidates, OneWhoseReplayIsPausedIsNotChosenAndThatIsSaid) {
  MachineWorld world = steady();
  of(world, "west-1").replay_paused = true;
  EXPECT_EQ(choose(world.state, {}, {"east-1"}, world.now).member, "east-2");
  Choice there = choose(world.state, "west-1", {}, world.now);
  EXPECT_TRUE(there.member.empty());
  EXPECT_NE(there.reason.find("its replay is paused"), std::string::npos) << there.reason;
}

// Case 39, cloudnative-pg#7393: each candidate died right after it was chosen, and for days nobody led.
TEST(Candidates, OneThatDiesRightAfterItWasChosenIsFollowedByTheNextAndComesAgainItself) {
  MachineWorld world = steady();
  world.state.config.automatic_at_most = 10;
  world.feed(Released{"east-1", 1, "server died", true});
  std::string chosen = world.state.holder, other = "east-2";
  ASSERT_EQ(chosen, "west-1");
  for (int round = 0; round < 4; ++round) {
    world.feed(AgentLost{chosen});
    world.feed(CommandDone{CommandDone::What::lead, chosen, world.state.term, false, true, "its link was lost", {}});
    // Its right may be held, so it has to run out.
    for (int tenth = 0; tenth < 60 && world.state.holder == chosen; ++tenth) {
      world.report(other, ServerState::standby, 1000, 0, "east-1");
      world.pass(100);
    }
    ASSERT_EQ(world.state.holder, other) << "round " << round;
    world.feed(AgentConnected{chosen});
    std::swap(chosen, other);
  }
}

// Case 40, cloudnative-pg#9591: a write of the new state lost a race, and the failover was forgotten.
TEST(Candidates, AGrantThatTheStoreRefusedIsAskedForAgain) {
  MachineWorld world = steady();
  world.store_answers = false;
  world.feed(Released{"east-1", 1, "server died", true});
  ASSERT_NE(world.find<MakeGrant>(), nullptr);
  EXPECT_EQ(world.find<SendLead>(), nullptr) << "nothing is ordered before it is recorded";
  world.store_answers = true;
  world.feed(GrantFailed{"somebody wrote meanwhile"});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "west-1");
}

}  // namespace
}  // namespace lifeboat::ownership
