#include "core/ownership/machine.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/ownership/test_machine.hpp"

namespace lifeboat::ownership {
namespace {

using std::chrono::milliseconds;
using World = MachineWorld;

TEST(Ownership, CreatesTheDatabaseOnlyWhenEveryMemberHasNothing) {
  World world;
  world.feed(AgentConnected{"east-1"});
  world.report("east-1", ServerState::absent, 0);
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  world.feed(AgentConnected{"east-2"});
  world.feed(AgentConnected{"west-1"});
  world.report("east-2", ServerState::absent, 0);
  world.report("west-1", ServerState::absent, 0);
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1");
}

TEST(Ownership, PromotesTheReplicaAtOnceWhenTheServerDied) {
  World world;
  world.settle();
  world.feed(Released{"east-1", 1, "server died", true});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-2");
  EXPECT_EQ(world.state.term, 2u);
}

// Case 7, repmgr#42: the network of the old primary came back, and there were two.
// A cut ends, and what the holder said long ago arrives: a renewal, and then that it has fenced itself.
// What happened: the server hung, its standby heard nothing any more and was told once more to follow it; the new primary was there in a
// tenth of a second, and that standby, for which commits waited, was made to follow it two seconds later.
TEST(Ownership, ANewPrimaryIsFollowedAtOnceAlsoByWhoWasJustToldToFollowTheOldOne) {
  World world;
  world.settle();
  world.report("west-1", ServerState::standby, 1000);
  world.hold(2'100);
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_EQ(world.find<SendFollow>()->order.upstream, "east-1");
  world.feed(CommandDone{CommandDone::What::follow, "west-1", 1, true, false, {}, JsonObject{}});
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  world.last.clear();
  world.feed(Released{"east-1", 1, "the server does not answer", true});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  world.report("west-1", ServerState::standby, 1000, 0, "east-1");
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 2, true, false, {}, {{"timeline", 2}}});
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_EQ(world.find<SendFollow>()->order.member, "west-1");
  EXPECT_EQ(world.find<SendFollow>()->order.upstream, "east-2");
}

TEST(Ownership, ARenewalThatArrivesLateProvesNobodyWritable) {
  World world;
  world.settle();
  world.feed(AgentLost{"east-1"});
  world.pass(10'000);
  ASSERT_EQ(world.state.vacancy, Vacancy::lease_ended);
  Transfer failover;
  failover.id = 7;
  failover.kind = TransferKind::failover;
  failover.to = "east-1";
  world.feed(TransferAsked{failover});
  world.last.clear();
  world.agents_hear = false;
  world.feed(AgentConnected{"east-1"});
  world.report("east-1", ServerState::primary, 1100, world.state.term, {}, 0, false, 0);
  world.feed(RenewAsked{"east-1", world.state.term, 0});
  ASSERT_EQ(world.state.vacancy, Vacancy::none);
  EXPECT_NE(world.find<AskLook>(), nullptr);
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr) << "it may have fenced itself since";
  world.report("east-1", ServerState::primary, 1200, world.state.term);
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_FALSE(world.find<FinishTransfer>()->error.has_value());
}

// Case 8, pg_auto_failover#1032: a primary that stood still was judged by what had been known of it, and woke up beside another.
TEST(Ownership, WaitsForTheLeaseWhenTheHolderIsSilent) {
  World world;
  world.settle();
  world.pass(5'000 - 10'000 % 1);  // past the caution of a fresh start
  world.feed(RenewAsked{"east-1", 1, 0});
  world.last.clear();
  world.state.lease_until = world.now + milliseconds(2000);
  world.state.vacancy = Vacancy::none;
  world.feed(AgentLost{"east-1"});
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  world.pass(1999);
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  world.pass(2);
  EXPECT_EQ(world.find<SendLead>(), nullptr) << "what east-2 said before the end of the lease is old";
  world.feed(Tick{});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-2");
}

TEST(Ownership, NeverPromotesAcrossRegionsByItself) {
  World world;
  world.settle();
  world.feed(AgentLost{"east-2"});
  world.feed(Released{"east-1", 1, "server died", true});
  world.feed(AgentLost{"east-1"});
  world.pass(20'000);
  EXPECT_EQ(world.find<SendLead>(), nullptr);
}

TEST(Ownership, RefusesARenewalOnceAnotherGrantIsUnderWay) {
  World world;
  world.settle();
  world.feed(Released{"east-1", 1, "server died", true});
  world.last.clear();
  world.feed(RenewAsked{"east-1", 1, 0});
  ASSERT_NE(world.find<AnswerRenew>(), nullptr);
  EXPECT_FALSE(world.find<AnswerRenew>()->granted);
}

TEST(Ownership, FailoverToARegionWaitsForTheLeaseAndPromotesThere) {
  World world;
  world.settle();
  world.feed(AgentLost{"east-1"});
  world.feed(AgentLost{"east-2"});
  Transfer transfer;
  transfer.id = 7;
  transfer.to = "west";
  world.feed(TransferAsked{transfer});
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  world.pass(1500);
  world.report("west-1", ServerState::standby, 990, 0, "east-1");
  world.pass(501);
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "west-1");
  world.feed(CommandDone{CommandDone::What::lead, "west-1", 2, true, false, {}, {{"timeline", 2}}});
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_FALSE(world.find<FinishTransfer>()->error);
}

// What happened: a reprotection of a hundred gigabytes was under way when the primary's server died, and for as long as it was waited
// for nobody took over. True now: it ends with the primary, and whoever asked asks again.
TEST(Ownership, AReprotectStandsInNobodysWay) {
  World world;
  world.settle();
  world.report("west-1", ServerState::stopped, 900);
  Transfer transfer;
  transfer.id = 9;
  transfer.kind = TransferKind::reprotect;
  world.feed(TransferAsked{transfer});
  ASSERT_EQ(world.find<FinishTransfer>(), nullptr);
  world.feed(Released{"east-1", 1, "server died", true});
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_EQ(world.find<FinishTransfer>()->error->kind, ErrorKind::unreachable);
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-2");
}

// east-1's disk is full, and perhaps east-2's; both go on saying so.
void let_disks_be_full(World& world, bool also_the_standbys, int64_t ms) {
  for (; ms > 0; ms -= 100) {
    world.feed(RenewAsked{"east-1", 1, 0});
    world.report("east-1", ServerState::primary, 1000, 1, {}, 0, true);
    world.report("east-2", ServerState::standby, 1000, 0, "east-1", 0, also_the_standbys);
    world.pass(100);
  }
}

// Case 72, patroni#1732: a primary with a full disk fell and rose, and nobody took over.
TEST(Ownership, LeavesAFullDiskInGoodOrderAndCountsIt) {
  World world;
  world.settle();
  let_disks_be_full(world, false, 1'500);
  EXPECT_EQ(world.find<SendStepDown>(), nullptr);
  let_disks_be_full(world, false, 1'000);
  ASSERT_NE(world.find<SendStepDown>(), nullptr);
  EXPECT_EQ(world.find<MakeGrant>(), nullptr);
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 1, true, false, {}, {{"lsn", "0/400"}}});
  ASSERT_NE(world.find<MakeGrant>(), nullptr);
  EXPECT_EQ(world.find<MakeGrant>()->holder, "east-2");
  EXPECT_TRUE(world.find<MakeGrant>()->automatic);
  EXPECT_EQ(world.state.automatic_failovers.size(), 1u);
}

// Case 42, orchestrator#410: that people had looked at a failover did not let the next one be made.
TEST(Ownership, CountsAnewWhatHappensByItselfOncePeopleHaveLooked) {
  Config config = three_members(AutomaticFailover::any);
  config.automatic_at_most = 1;
  World world(config);
  world.settle();
  world.feed(Released{"east-1", 1, "server died", true});
  ASSERT_EQ(world.state.holder, "east-2");
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 2, true, false, {}, {{"timeline", 1}}});
  world.report("east-2", ServerState::primary, 1000, 2);
  world.report("west-1", ServerState::standby, 1000, 0, "east-2");
  world.feed(Released{"east-2", 2, "server died", true});
  EXPECT_EQ(world.state.holder, "east-2") << "one in 24 hours is the limit";
  EXPECT_NE(world.state.automatic_refused.find("limit"), std::string::npos) << world.state.automatic_refused;
  world.feed(Acknowledged{});
  EXPECT_EQ(world.state.holder, "west-1");
}

// Case 74, cloudnative-pg#4521: all disks were full, and one failover followed the other for nothing.
TEST(Ownership, StaysOnAFullDiskWhenNobodyHasRoomOrAPersonDecides) {
  World all_full;
  all_full.settle();
  let_disks_be_full(all_full, true, 4'000);
  EXPECT_EQ(all_full.find<SendStepDown>(), nullptr);
  World by_hand(three_members(AutomaticFailover::none));
  by_hand.settle();
  let_disks_be_full(by_hand, false, 4'000);
  EXPECT_EQ(by_hand.find<SendStepDown>(), nullptr);
}

// What happened: somebody waited ten minutes for a standby on a host that was dead for good, and nobody else was made one meanwhile.
TEST(Ownership, WaitingForOneThatStaysAwayKeepsNobodyElseWaiting) {
  World world;
  world.settle();
  world.feed(AgentLost{"west-1"});
  world.report("east-2", ServerState::parked, 1000);
  world.feed(TransferAsked{Transfer{.id = 8, .kind = TransferKind::reprotect, .to = "west-1"}});
  world.feed(TransferAsked{Transfer{.id = 9, .kind = TransferKind::reprotect, .to = "east-2"}});
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_EQ(world.find<SendFollow>()->order.member, "east-2");
  EXPECT_TRUE(world.find<SendFollow>()->order.given_up);
  world.feed(CommandDone{CommandDone::What::follow, "east-2", 1, true, false, {}, JsonObject{}});
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_EQ(world.find<FinishTransfer>()->id, 9u);
  EXPECT_FALSE(world.find<FinishTransfer>()->error);
  world.last.clear();
  world.feed(TransferAsked{Transfer{.id = 10, .kind = TransferKind::switchover, .to = "east-2"}});
  EXPECT_NE(world.find<SendStepDown>(), nullptr) << "nor a switchover";
  world.feed(TransferGivenUp{8});
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr);
}

// Case 33, patroni#2221: a good former leader was taken for one that had parted, and its data were deleted by themselves.
TEST(Ownership, NeverRewindsAFormerPrimaryUnlessAsked) {
  World world;
  world.settle();
  world.feed(Released{"east-1", 1, "server died", true});
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 2, true, false, {}, {{"timeline", 2}}});
  world.report("east-2", ServerState::primary, 1100, 2);
  world.last.clear();
  world.report("east-1", ServerState::stopped, 1000);
  world.pass(200);
  EXPECT_EQ(world.find<SendFollow>(), nullptr);
  Transfer transfer;
  transfer.id = 3;
  transfer.kind = TransferKind::reprotect;
  world.feed(RenewAsked{"east-2", 2, 0});
  world.feed(TransferAsked{transfer});
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_EQ(world.find<SendFollow>()->order.member, "east-1");
}

// A failover to the other site while the whole first one is away.
World after_the_loss_of_a_region() {
  World world;
  world.settle();
  for (const char* member : {"east-1", "east-2"}) world.feed(AgentLost{member});
  Transfer failover;
  failover.id = 2;
  failover.kind = TransferKind::failover;
  failover.to = "west";
  world.feed(TransferAsked{failover});
  for (int round = 0; round < 30; ++round) {
    world.report("west-1", ServerState::standby, 1000, 0, "east-1");
    world.pass(100);
  }
  world.feed(CommandDone{CommandDone::What::lead, "west-1", 2, true, false, {}, {{"timeline", 2}}});
  world.report("west-1", ServerState::primary, 1100, 2);
  world.last.clear();
  return world;
}

Transfer reprotection() {
  Transfer transfer;
  transfer.id = 3;
  transfer.kind = TransferKind::reprotect;
  return transfer;
}

void keep_leading(World& world, const char* leader, int64_t ms) {
  for (int64_t passed = 0; passed < ms; passed += 500) {
    world.feed(RenewAsked{leader, 2, 0});
    world.report(leader, ServerState::primary, 1100, 2);
    world.pass(500);
  }
}

void attach(World& world, const char* member) {
  world.feed(CommandDone{CommandDone::What::follow, member, 2, true, false, {}, JsonObject{}});
  world.report(member, ServerState::standby, 1100, 0, "west-1");
  world.pass(100);
}

TEST(Ownership, AReprotectionWaitsForAnAgentThatIsJustDialling) {
  World world = after_the_loss_of_a_region();
  ASSERT_EQ(world.state.holder, "west-1");
  for (const char* member : {"east-1", "east-2"}) world.feed(AgentConnected{member});
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  world.feed(AgentLost{"east-1"});  // its first link was one that the cut had killed
  world.feed(RenewAsked{"west-1", 2, 0});
  world.feed(TransferAsked{reprotection()});
  attach(world, "east-2");
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr) << "a second standby is on its way";
  world.feed(AgentConnected{"east-1"});
  world.report("east-1", ServerState::stopped, 1000);
  world.pass(100);
  attach(world, "east-1");
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_FALSE(world.find<FinishTransfer>()->error);
}

// Case 29, repmgr#386: a member that was ahead of the new primary was told to follow it, and that was called a success.
// Its upstream turns it away again and again, and for moments it looks as if it received something.
TEST(Ownership, AStandbyOnATimelineOfItsOwnIsNotAttachedAndIsAskedAgain) {
  World world;
  world.settle();
  ASSERT_TRUE(is_attached(world.state, *world.state.find("east-2")));
  for (uint64_t parted : {uint64_t{3}, uint64_t{0}}) {
    MemberReport report = world.state.find("east-2")->report;
    report.timeline = parted;
    world.feed(Reported{world.now.time_since_epoch().count(), report});
    EXPECT_FALSE(is_attached(world.state, *world.state.find("east-2"))) << parted;
  }
  world.last.clear();
  for (int round = 0; round < 200 && world.find<SendFollow>() == nullptr; ++round) {
    for (const char* member : {"east-1", "east-2", "west-1"}) {
      world.feed(Reported{world.now.time_since_epoch().count(), world.state.find(member)->report});
    }
    world.feed(RenewAsked{"east-1", 1});
    world.pass(100);
  }
  const auto* asked = world.find<SendFollow>();
  ASSERT_NE(asked, nullptr);
  EXPECT_EQ(asked->order.member, "east-2");
}

TEST(Ownership, AMemberThatWasAwayDuringTheReprotectionIsReprotectedWhenItComes) {
  World world = after_the_loss_of_a_region();
  keep_leading(world, "west-1", 20'000);
  world.feed(AgentConnected{"east-2"});
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  world.feed(TransferAsked{reprotection()});
  attach(world, "east-2");
  ASSERT_NE(world.find<FinishTransfer>(), nullptr) << "nobody knows whether the other host ever returns";
  keep_leading(world, "west-1", 20'000);
  world.last.clear();
  world.feed(AgentConnected{"east-1"});
  world.report("east-1", ServerState::stopped, 1000);
  world.pass(100);
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_EQ(world.find<SendFollow>()->order.member, "east-1");
  attach(world, "east-1");
  world.last.clear();
  world.report("east-1", ServerState::stopped, 1000);
  world.pass(100);
  EXPECT_EQ(world.find<SendFollow>(), nullptr) << "what was asked for is done";
}

TEST(Ownership, ARestartedControllerGivesTheHolderTimeToComeBack) {
  World world(three_members(), 5, "east-1");
  world.feed(AgentConnected{"east-2"});
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  world.pass(2'100);
  world.report("east-2", ServerState::standby, 1000, 0, "east-1");
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  world.feed(AgentConnected{"east-1"});
  world.report("east-1", ServerState::stopped, 0);
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1");
  EXPECT_EQ(world.state.term, 6u);
}

// Cases 44 and 55, stolon#322 and cloudnative-pg#3161: after a loss of power nobody could lead, or it hung on who was started first.
TEST(Ownership, AfterTheLossOfAllPowerTheHolderGoesOnInWhateverOrderTheyAreStarted) {
  std::vector<std::string> order{"east-1", "east-2", "west-1"};
  do {
    World world(three_members(AutomaticFailover::any), 5, "east-1");
    std::string told;
    for (size_t up = 1; up <= order.size(); ++up) {
      world.feed(AgentConnected{order[up - 1]});
      told += order[up - 1] + " ";
      bool holder_is_up = told.contains("east-1");
      for (int tenth = 0; tenth < 60 && world.find<SendLead>() == nullptr; ++tenth) {
        for (size_t member = 0; member < up; ++member)
          world.report(order[member], order[member] == "east-1" ? ServerState::stopped : ServerState::standby, 1000);
        world.pass(100);
      }
      ASSERT_EQ(world.find<SendLead>() != nullptr, holder_is_up) << told << "are up";
    }
    EXPECT_EQ(world.find<SendLead>()->member, "east-1") << told;
    EXPECT_EQ(world.find<SendLead>()->term, 6u) << told;
    EXPECT_TRUE(world.find<SendLead>()->goes_on) << told << ": it has everything";
  } while (std::ranges::next_permutation(order).found);
}

// The store was restored from a copy of term 3, while west-1 took over under term 9 since.
World restored_store(AutomaticFailover automatic) {
  World world(three_members(automatic), 3, "east-1");
  for (const char* member : {"east-1", "east-2", "west-1"}) world.feed(AgentConnected{member});
  return world;
}

TEST(Ownership, LetsTheHolderOfATermTheStoreForgotGoOnUnderANewerOne) {
  World world = restored_store(AutomaticFailover::none);
  world.report("west-1", ServerState::primary, 1000, 9, {}, 9);
  world.feed(RenewAsked{"west-1", 9, 0});
  EXPECT_EQ(world.find<MakeGrant>(), nullptr) << "one member alone may not know the newest term";
  world.last.clear();
  world.report("east-2", ServerState::standby, 900, 0, "west-1", 9);
  world.feed(RenewAsked{"west-1", 9, 0});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "west-1");
  EXPECT_EQ(world.find<SendLead>()->term, 10u);
  EXPECT_EQ(world.find<AnswerRenew>(), nullptr) << "a no would make it stop";
  EXPECT_FALSE(store_is_behind(world.state));
}

TEST(Ownership, WhoWasOnlyToldToTakeOverIsNotTakenForTheOneThatHasEverything) {
  World world = restored_store(AutomaticFailover::none);
  world.report("west-1", ServerState::standby, 900, 9, {}, 9);
  world.report("east-2", ServerState::standby, 1000, 0, "west-1", 9);
  world.feed(RenewAsked{"west-1", 9, 0});
  EXPECT_EQ(world.find<MakeGrant>(), nullptr) << "it waits for what the old primary ended with, and may never get it";
  world.report("west-1", ServerState::primary, 1000, 9, {}, 9);
  world.feed(RenewAsked{"west-1", 9, 0});
  EXPECT_NE(world.find<MakeGrant>(), nullptr);
}

TEST(Ownership, NeverReusesATermAndNeverTrustsTheHolderOfARestoredStore) {
  World world = restored_store(AutomaticFailover::same_region);
  world.report("east-1", ServerState::stopped, 500, 0, {}, 4);
  world.report("east-2", ServerState::standby, 900, 0, "west-1", 9);
  world.pass(60'000);
  EXPECT_EQ(world.find<MakeGrant>(), nullptr) << "east-1 is not who wrote last";
  Transfer wanted;
  wanted.id = 1;
  wanted.kind = TransferKind::failover;
  wanted.accept_loss = true;
  world.report("east-2", ServerState::standby, 900, 0, "west-1", 9);
  world.feed(TransferAsked{wanted});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-2");
  EXPECT_EQ(world.find<SendLead>()->term, 10u);
}

// Restored by `lifeboat store restore`: terms up to 103 are left out, and nobody heard of knows more than the store.
World store_with_terms_left_out() {
  World world;
  world.state = initial_state(three_members(AutomaticFailover::any), 3, "east-1", world.now,
                              Past{.led = true, .above = 103, .restored = true});
  for (const char* member : {"east-1", "east-2", "west-1"}) world.feed(AgentConnected{member});
  return world;
}

TEST(Ownership, AskedByNobodyGrantsNothingWhileWhoWroteLastIsUnknown) {
  World world = store_with_terms_left_out();
  for (int second = 0; second < 30; ++second) {
    world.report("east-1", ServerState::stopped, 500, 0, {}, 3);
    world.report("east-2", ServerState::standby, 500, 0, "east-1", 3);
    world.pass(1'000);
  }
  EXPECT_EQ(world.find<MakeGrant>(), nullptr) << "west-1, which is away, may have led since the copy";
  world.report("east-1", ServerState::stopped, 500, 0, {}, 3);
  world.report("east-2", ServerState::standby, 500, 0, "east-1", 3);
  Transfer wanted;
  wanted.id = 1;
  wanted.kind = TransferKind::failover;
  wanted.to = "east-1";
  wanted.accept_loss = true;
  world.feed(TransferAsked{wanted});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->term, 104u) << "terms granted since the copy are not used again";
  EXPECT_FALSE(world.find<SendLead>()->goes_on) << "another one may have written since, and its history parted there";
}

TEST(Ownership, TheStopOfTheHolderARestoredStoreKnowsSaysNothingOfOnesItForgot) {
  World world = store_with_terms_left_out();
  world.feed(Released{"east-1", 3, "its lease ended"});
  Transfer wanted{.id = 1, .kind = TransferKind::failover, .to = "east-1", .accept_loss = true};
  world.feed(TransferAsked{wanted});
  for (int tenth = 0; tenth < 19; ++tenth) {
    world.report("east-1", ServerState::stopped, 500, 0, {}, 3);
    world.report("east-2", ServerState::standby, 500, 0, "east-1", 3);
    world.pass(100);
  }
  EXPECT_EQ(world.find<MakeGrant>(), nullptr) << "west-1, which is away, may hold a lease since before the restore";
  world.report("east-1", ServerState::stopped, 500, 0, {}, 3);
  world.report("east-2", ServerState::standby, 500, 0, "east-1", 3);
  world.pass(200);
  ASSERT_NE(world.find<MakeGrant>(), nullptr);
  EXPECT_EQ(world.find<MakeGrant>()->holder, "east-1");
}

TEST(Ownership, WhoStillWritesGoesOnAfterTheStoreWasRestored) {
  World world = store_with_terms_left_out();
  world.report("east-1", ServerState::primary, 500, 3, {}, 3);
  world.feed(RenewAsked{"east-1", 3, 0});
  ASSERT_NE(world.find<AnswerRenew>(), nullptr);
  EXPECT_TRUE(world.find<AnswerRenew>()->granted);
  EXPECT_FALSE(last_writer_is_unknown(world.state));
  world.feed(Released{"east-1", 3, "the server died", true});
  world.report("east-1", ServerState::stopped, 500, 0, {}, 3);
  world.pass(10'000);
  ASSERT_NE(world.find<SendLead>(), nullptr) << "who wrote last is known now";
  EXPECT_EQ(world.find<SendLead>()->term, 104u);
  EXPECT_TRUE(world.find<SendLead>()->goes_on);
}

MemberReport west_that_was_current(uint64_t timeline, int64_t current_ms, std::string with) {
  MemberReport report;
  report.member = "west-1";
  report.state = ServerState::standby;
  report.timeline = report.floor = timeline;
  report.written = Lsn{2000};
  report.current_ms = current_ms;
  report.current_with = std::move(with);
  return report;
}

// east-1 was heard at 1,000, then went on for long by the promises of the others, of whom west-1 soon received nothing more.
TEST(Ownership, CountsWhatWasWrittenByPromisesAsLost) {
  Config config = three_members(AutomaticFailover::any);
  config.loss_without_approval = Duration{5'000};
  auto promote_west = [&](int64_t current_ms, std::string with = "east-1", bool led = true) {
    World world(config, 1, "east-1");
    world.feed(AgentConnected{"east-1"});
    world.report("east-1", ServerState::primary, 1000, 1);
    world.feed(AgentLost{"east-1"});
    world.pass(60'000);
    world.state.led = led;
    world.feed(AgentConnected{"west-1"});
    MemberReport report = west_that_was_current(1, current_ms, std::move(with));
    report.promise_over_ms = 1'000;
    report.heard = world.state.mark;
    world.feed(Reported{world.now.time_since_epoch().count(), report});
    return world.find<MakeGrant>() != nullptr;
  };
  EXPECT_TRUE(promote_west(2'000)) << "it had everything until the end";
  EXPECT_FALSE(promote_west(50'000)) << "it lacks what was written in about 47 s";
  EXPECT_FALSE(promote_west(2'000, "east-2")) << "what it had of another says nothing of what it lacks of this one";
  EXPECT_TRUE(promote_west(2'000, "east-2", false)) << "east-1 was granted the right and wrote nothing since";
  EXPECT_TRUE(promote_west(2'000, "")) << "an older agent does not say of whom";
}

// What happened: a controller stood still for twelve seconds, and the primary went on by the promises of the others. What it had said at the
// beginning had waited, and was taken for news: a member that lacked what was written in eight seconds was promoted, where one may be lost.
TEST(Ownership, WhatWaitedWhileItStoodStillDoesNotCountAsHeardNow) {
  World world(three_members(AutomaticFailover::any), 1, "east-1");
  world.feed(AgentConnected{"east-1"});
  world.report("east-1", ServerState::primary, 1000, 1);
  MonoTime heard = world.now;
  ASSERT_FALSE(world.state.positions.empty());
  EXPECT_EQ(world.state.positions.back().at, heard);
  world.now += std::chrono::seconds(12);
  world.report("east-1", ServerState::primary, 1000, 1);
  EXPECT_EQ(world.state.positions.back().at, heard);
  world.pass(2'000);
  world.report("east-1", ServerState::primary, 1100, 1);
  EXPECT_EQ(world.state.positions.back().at, world.now) << "it is heard again";
}

// It led for a moment, and what it says of the time before is of the primary that it followed then.
TEST(Ownership, AHolderThatLedIsPromotedAgainByAControllerThatNeverSawIt) {
  Config config = three_members(AutomaticFailover::none);
  config.loss_without_approval = Duration{5'000};
  World world(config, 2, "west-1");
  ASSERT_TRUE(world.state.led);
  world.feed(AgentConnected{"west-1"});
  MemberReport report = west_that_was_current(2, 3'000, "east-1");
  report.heard = world.state.mark;
  world.feed(Reported{world.now.time_since_epoch().count(), report});
  world.ask(TransferKind::failover, "west");
  world.pass(3'000);
  report.heard = report.mark = world.state.mark;
  world.feed(Reported{world.now.time_since_epoch().count(), report});
  world.pass(100);
  EXPECT_NE(world.find<MakeGrant>(), nullptr);
}

// Case 1, patroni#3194: two and three primaries at once while nodes were killed and cut off.
// Ring 2 in small: members that follow orders late or never, renewals that get lost, agents that come and go. Each member
// counts its own lease from when it sent the renewal; no two may believe at once that they may write.
TEST(Ownership, NoTwoMembersMayWriteAtOnceInRandomHistories) {
  struct Node {
    bool alive = true;
    uint64_t term = 0;
    MonoTime lease_until{};
    bool leading = false;
  };
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    World world(three_members(AutomaticFailover::any));
    world.state.config.automatic_at_most = 1000;
    std::map<std::string, Node> nodes{{"east-1", {}}, {"east-2", {}}, {"west-1", {}}};
    world.settle();
    nodes["east-1"] = {true, 1, world.now + milliseconds(2000), true};
    int failovers = 0;
    for (int tick = 0; tick < 600; ++tick) {
      world.now += milliseconds(50);
      world.last.clear();
      world.feed(Tick{});
      for (auto& [name, node] : nodes) {
        if (random() % 150 == 0) {
          node.alive = !node.alive;
          if (node.alive) {
            world.feed(AgentConnected{name});
          } else {
            node.leading = false;
            if (random() % 2 == 0) world.feed(AgentLost{name});
          }
        }
        if (node.leading && world.now >= node.lease_until - milliseconds(500)) node.leading = false;
        if (!node.alive) continue;
        if (random() % 4 != 0)
          world.report(name,
                       node.leading     ? ServerState::primary
                       : node.term == 0 ? ServerState::standby
                                        : ServerState::stopped,
                       1000 + static_cast<uint64_t>(tick), node.leading ? node.term : 0,
                       node.leading ? "" : world.state.holder);
        if (node.leading && tick % 8 == 0 && random() % 5 != 0) {
          size_t before = world.last.size();
          world.feed(RenewAsked{name, node.term, world.now.time_since_epoch().count()});
          for (size_t index = before; index < world.last.size(); ++index) {
            const auto* answer = std::get_if<AnswerRenew>(&world.last[index]);
            // The answer may get lost.
            if (answer != nullptr && answer->granted && random() % 5 != 0)
              node.lease_until = world.now + milliseconds(2000);
          }
        }
        if (node.leading && random() % 100 == 0) {
          node.leading = false;
          world.feed(Released{name, node.term, "server died", true});
        }
      }
      std::vector<Command> commands = world.last;
      for (const Command& command : commands) {
        if (const auto* lead = std::get_if<SendLead>(&command)) {
          Node& node = nodes[lead->member];
          ++failovers;
          bool heard = node.alive && random() % 4 != 0;
          if (heard) {
            node.term = lead->term;
            node.leading = true;
            node.lease_until = MonoTime{std::chrono::nanoseconds(lead->as_of_ns)} + milliseconds(2000);
            if (world.now >= node.lease_until - milliseconds(500)) node.leading = false;
            if (node.leading)
              world.feed(
                  CommandDone{CommandDone::What::lead, lead->member, lead->term, true, false, {}, {{"timeline", 1}}});
          } else {
            world.feed(CommandDone{CommandDone::What::lead, lead->member, lead->term, false, true, "lost", {}});
          }
        }
        if (const auto* follow = std::get_if<SendFollow>(&command)) {
          nodes[follow->order.member].term = 0;
          world.feed(CommandDone{
              CommandDone::What::follow, follow->order.member, follow->order.term, true, false, {}, JsonObject{}});
        }
      }
      int writers = 0;
      for (auto& [name, node] : nodes) writers += node.leading && world.now < node.lease_until ? 1 : 0;
      ASSERT_LE(writers, 1) << "seed " << seed << " tick " << tick;
    }
    EXPECT_GT(failovers, 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lifeboat::ownership
