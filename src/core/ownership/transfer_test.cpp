#include "core/ownership/transfer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ownership/candidates.hpp"
#include "core/ownership/test_machine.hpp"

namespace lifeboat::ownership {
namespace {

using testing::HasSubstr;
using World = MachineWorld;

// What happened: a server had died, its agent had not noticed yet, and the last that was heard of it had been held up on its way; the
// switchover that a person asked for was told to be done, and nobody took writes.
TEST(Transfers, WhoIsThereAlreadyIsLookedAtBeforeThatIsSaid) {
  World world;
  world.settle();
  uint64_t before = world.state.mark;
  world.ask(TransferKind::switchover, "east-1");
  ASSERT_NE(world.find<AskLook>(), nullptr);
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr);
  world.report("east-1", ServerState::primary, 1000, 1, {}, 0, false, before);
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr) << "said before it was asked";
  world.report("east-1", ServerState::primary, 1000, 1);
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_FALSE(world.find<FinishTransfer>()->error);
}

TEST(Transfers, OneThatDoesNotAnswerTheLookIsNotThere) {
  World world;
  world.settle();
  world.ask(TransferKind::switchover, "east-1");
  world.pass(2'100);
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  ASSERT_TRUE(world.find<FinishTransfer>()->error);
  EXPECT_THAT(world.find<FinishTransfer>()->error->what, HasSubstr("has no primary that takes writes"));
}

// What happened: the reports of a holder were held up, and what it had said as a standby came when its lease was over; it was chosen
// by that, and the renewals right behind, of a primary that went on by the others' promises, were answered no.
TEST(Transfers, AHolderIsNotChosenByWhatItSaidBeforeItLed) {
  World world;
  world.settle();
  world.agents_hear = false;
  uint64_t before = world.state.mark;
  world.pass(2'100);
  ASSERT_EQ(world.state.vacancy, Vacancy::lease_ended);
  world.last.clear();
  world.report("east-1", ServerState::standby, 1000, 0, {}, 0, false, before);
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  Choice choice = choose(world.state, "east-1", {}, world.now);
  EXPECT_THAT(choice.reason, HasSubstr("it is asked how it is now"));
  world.report("east-1", ServerState::standby, 1000);
  EXPECT_EQ(choose(world.state, "east-1", {}, world.now).member, "east-1");
}

// What happened: the database moved by itself, as its plan allows, to another region than the one a scenario names; the failover
// that the scenario asked for waited for a vacancy until its time was over, and nobody was told that all was well.
TEST(Transfers, AFailoverIsToldThatSomebodyElsewhereTakesWrites) {
  World world;
  world.settle();
  world.ask(TransferKind::failover, "west");
  world.hold(7'900);
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr)
      << "it may be that the server hangs, and that nobody has noticed yet";
  world.hold(300);
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  ASSERT_TRUE(world.find<FinishTransfer>()->error);
  EXPECT_EQ(world.find<FinishTransfer>()->error->what, "east-1 takes writes");
  EXPECT_THAT(world.find<FinishTransfer>()->error->hint, HasSubstr("switchover"));
  EXPECT_EQ(world.find<MakeGrant>(), nullptr);
}

// A holder that is not heard is not known to take writes, and its lease ends.
TEST(Transfers, AFailoverWaitsForAHolderThatIsNotHeard) {
  World world;
  world.settle();
  world.ask(TransferKind::failover, "west");
  for (int i = 0; i < 100; ++i) {
    world.pass(100);
    world.feed(RenewAsked{"east-1", 1, 0});
  }
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr);
}

// What happened: a synchronous database had moved by itself, and the failover that a scenario asked for at the same time, into another
// region, waited whether the new primary hangs. Until it had ended nobody was made to follow, and each commit waited for a standby: eight seconds.
TEST(Transfers, AFailoverThatWaitsHoldsNoStandbyUp) {
  World world;
  world.settle();
  world.ask(TransferKind::failover, "west");
  world.report("east-2", ServerState::standby, 1000);
  world.hold(2'100);
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_EQ(world.find<SendFollow>()->order.member, "east-2");
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr) << "it goes on waiting";
}

TEST(Transfers, NobodyIsMadeToFollowAPrimaryThatIsToStop) {
  World world;
  world.settle();
  world.ask(TransferKind::switchover, "west");
  ASSERT_NE(world.find<SendStepDown>(), nullptr);
  for (int i = 0; i < 21; ++i) {
    world.pass(100);
    world.feed(RenewAsked{"east-1", 1, 0});
    world.report("east-2", ServerState::standby, 1000);
  }
  EXPECT_EQ(world.find<SendFollow>(), nullptr);
}

// Case 71, repmgr#367: a switchover that failed half way left the demoted primary spoiled.
// What happened: a switchover granted the right to a target whose host had gone while the old primary stopped, and waited half a minute for
// its answer, while nobody wrote. True now: who has not been heard of for a second is passed over, and the old primary goes on.
TEST(Transfers, ASwitchoverWhoseTargetIsGoneWhenTheOldPrimaryHasStoppedGoesBackAtOnce) {
  World world;
  world.settle();
  world.ask(TransferKind::switchover, "west");
  world.feed(AgentLost{"west-1"});
  world.last.clear();
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 1, true, false, {}, {{"lsn", "0/500"}}});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1");
}

// Case 23, cloudnative-pg#11293: who had been chosen lacked the last writes of the old primary, and led.
TEST(Transfers, UndoesASwitchoverWhoseTargetCannotLead) {
  World world;
  world.settle();
  world.ask(TransferKind::switchover, "west");
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 1, true, false, {}, {{"lsn", "0/500"}}});
  world.last.clear();
  world.feed(CommandDone{CommandDone::What::lead, "west-1", 2, false, false, "has not received 0/500", {}});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1");
  world.feed(CommandDone{CommandDone::What::lead, "east-1", 3, true, false, {}, {{"timeline", 1}}});
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_TRUE(world.find<FinishTransfer>()->error);
}

// Case 23, cloudnative-pg#11114: a new primary was decided upon before the old one had stopped.
TEST(Transfers, SwitchoverStopsTheOldPrimaryBeforeItGrantsTheNew) {
  World world;
  world.settle();
  world.ask(TransferKind::switchover, "west");
  ASSERT_NE(world.find<SendStepDown>(), nullptr);
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  world.feed(Released{"east-1", 1, "stepped down", false});
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 1, true, false, {}, {{"lsn", "0/500"}}});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "west-1");
  EXPECT_EQ(world.find<SendLead>()->at_least.value, 0x500u);
}

// What happened: a failover was given up while its candidate tried; the candidate could not, nobody else may be promoted without a
// person, and what two persons asked for then was refused for ever: "is being moved already".
TEST(Transfers, AFailoverThatWasGivenUpWhileItsCandidateTriedIsInNobodysWay) {
  World world(three_members(AutomaticFailover::none));
  world.settle();
  world.feed(AgentLost{"east-1"});
  world.pass(2'100);
  for (const char* member : {"east-2", "west-1"}) world.report(member, ServerState::standby, 1000);
  world.ask(TransferKind::failover, "east-2");
  ASSERT_NE(world.find<SendLead>(), nullptr);
  world.feed(TransferGivenUp{9});
  world.last.clear();
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 2, false, false, "its disk is full", {}});
  world.feed(TransferAsked{Transfer{.id = 10, .kind = TransferKind::failover, .to = "west-1"}});
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr);
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "west-1");
}

// What happened: data were to be put back while the primary was being granted its right anew, and it was told to be done when it led.
TEST(Transfers, WhatIsAskedForWhileAGrantIsInFlightIsNotThatGrant) {
  World world(three_members(AutomaticFailover::none));
  world.settle();
  world.store_answers = false;
  world.feed(Released{"east-1", 1, "its lease ended", false});
  world.report("east-1", ServerState::stopped, 1000);
  ASSERT_NE(world.find<MakeGrant>(), nullptr);
  EXPECT_EQ(world.find<MakeGrant>()->holder, "east-1");
  world.feed(TransferAsked{Transfer{.id = 9, .kind = TransferKind::restore, .to = "east-1", .restored = "r1"}});
  world.feed(GrantMade{2, "east-1"});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_TRUE(world.find<SendLead>()->goes_on) << "on what it has, as it was decided";
  world.feed(CommandDone{CommandDone::What::lead, "east-1", 2, true, false, {}, {{"timeline", 1}}});
  world.report("east-1", ServerState::primary, 1000, 2);
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr);
  EXPECT_NE(world.find<SendStepDown>(), nullptr) << "now it begins";
}

}  // namespace
}  // namespace lifeboat::ownership
