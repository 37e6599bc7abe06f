#include <gtest/gtest.h>

#include "core/ownership/sync_sets.hpp"
#include "core/ownership/test_machine.hpp"

namespace lifeboat::ownership {
namespace {

using std::chrono::milliseconds;

// Three members of which east-1 leads.
struct World : MachineWorld {
  World() : MachineWorld(three_members(AutomaticFailover::none), 3, "east-1") {
    for (const char* member : {"east-1", "east-2", "west-1"}) feed(AgentConnected{member});
    report("east-1", ServerState::primary, 1000, 3);
    report("east-2", ServerState::standby, 1000, 0, "east-1");
    report("west-1", ServerState::standby, 1000, 0, "east-1");
    last.clear();
  }
  void report(const std::string& name, ServerState server, uint64_t written, uint64_t term = 0,
              std::string upstream = {}, std::string restored = {}, bool put_back = false) {
    MemberReport said;
    said.member = name;
    said.state = server;
    said.timeline = 3;
    said.written = Lsn{written};
    said.term = term;
    said.upstream = upstream;
    said.streaming = !upstream.empty();
    said.primary_data = server == ServerState::stopped;
    said.heard = said.mark = state.mark;
    said.restored = restored;
    said.put_back = put_back;
    feed(Reported{now.time_since_epoch().count(), said});
  }
  void ask(const std::string& to) { MachineWorld::ask(TransferKind::restore, to, "before-the-drop"); }
  void adopted(const std::string& member) {
    feed(CommandDone{CommandDone::What::adopt,
                     member,
                     3,
                     true,
                     false,
                     {},
                     JsonObject{{"lsn", "0/200"}, {"timeline", 3}, {"kept", "/data.kept-1"}}});
    report(member, ServerState::standby, 0x200, 0, {}, "before-the-drop", true);
  }
};

TEST(PutBack, AStandbyTakesTheDataBeforeThePrimaryStops) {
  World world;
  world.ask("east-2");
  ASSERT_NE(world.find<SendAdopt>(), nullptr);
  EXPECT_EQ(world.find<SendAdopt>()->restored, "before-the-drop");
  EXPECT_EQ(world.find<SendStepDown>(), nullptr);
  world.adopted("east-2");
  ASSERT_NE(world.find<SendStepDown>(), nullptr);
  EXPECT_EQ(world.find<SendStepDown>()->member, "east-1");
  EXPECT_EQ(world.find<SendLead>(), nullptr);
}

TEST(PutBack, ItLeadsWhateverTheOthersHaveAndPartsWhereItWasPutBackTo) {
  World world;
  world.ask("east-2");
  world.adopted("east-2");
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 3, true, false, {}, {{"lsn", "0/500"}}});
  const SendLead* lead = world.find<SendLead>();
  ASSERT_NE(lead, nullptr);
  EXPECT_EQ(lead->member, "east-2");
  EXPECT_EQ(lead->at_least.value, 0u) << "it will never have what the old primary had";
  EXPECT_FALSE(lead->goes_on);
  EXPECT_EQ(world.state.begun.written.value, 0x200u);
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 4, true, false, {}, {{"timeline", 4}}});
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_FALSE(world.find<FinishTransfer>()->error);
  EXPECT_EQ(text_or(world.find<FinishTransfer>()->result, "kept"), "/data.kept-1");
}

TEST(PutBack, NothingIsStoppedWhenTheDataCannotBeTaken) {
  World world;
  world.ask("east-2");
  world.feed(CommandDone{CommandDone::What::adopt, "east-2", 3, false, false, "no room", nullptr});
  EXPECT_EQ(world.find<SendStepDown>(), nullptr);
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_TRUE(world.find<FinishTransfer>()->error.has_value());
}

TEST(PutBack, AnOrderWhoseAnswerWasLostIsGivenAgain) {
  World world;
  world.ask("east-2");
  world.last.clear();
  for (int tick = 0; tick < 40; ++tick) {
    world.now += milliseconds(100);
    world.feed(RenewAsked{"east-1", 3, 0});
    world.report("east-1", ServerState::primary, 1000, 3);
    world.report("east-2", ServerState::standby, 0x200, 0, {}, "before-the-drop", true);
  }
  ASSERT_NE(world.find<SendAdopt>(), nullptr);
  world.adopted("east-2");
  EXPECT_NE(world.find<SendStepDown>(), nullptr);
}

TEST(PutBack, TheOldPrimaryGoesOnWhenTheMemberCannotLead) {
  World world;
  world.ask("east-2");
  world.adopted("east-2");
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 3, true, false, {}, {{"lsn", "0/500"}}});
  world.report("east-1", ServerState::stopped, 0x500);
  world.last.clear();
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 4, false, false, "it cannot", nullptr});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1");
  world.feed(CommandDone{CommandDone::What::lead, "east-1", 5, true, false, {}, {{"timeline", 5}}});
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_TRUE(world.find<FinishTransfer>()->error.has_value()) << "it was undone";
}

// What it leads on is what it was chosen for: a member that does not speak of the restored data is not granted the right for them.
TEST(PutBack, AMemberThatNeverSpeaksOfTheDataDoesNotLead) {
  World world;
  world.ask("east-2");
  world.feed(CommandDone{CommandDone::What::adopt,
                         "east-2",
                         3,
                         true,
                         false,
                         {},
                         JsonObject{{"lsn", "0/200"}, {"timeline", 3}, {"kept", "/data.kept-1"}}});
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 3, true, false, {}, {{"lsn", "0/500"}}});
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  for (int tick = 0; tick < 70; ++tick) {
    world.now += milliseconds(100);
    world.report("east-1", ServerState::stopped, 0x500);
    world.report("east-2", ServerState::standby, 0x200);
    world.report("west-1", ServerState::standby, 0x500);
    if (world.find<SendLead>() != nullptr) break;
  }
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1") << "it is undone";
}

TEST(PutBack, ThePrimaryItselfTakesTheDataAfterItHasStopped) {
  World world;
  world.ask("east-1");
  EXPECT_EQ(world.find<SendAdopt>(), nullptr);
  ASSERT_NE(world.find<SendStepDown>(), nullptr);
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 3, true, false, {}, {{"lsn", "0/500"}}});
  ASSERT_NE(world.find<SendAdopt>(), nullptr);
  world.adopted("east-1");
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_FALSE(world.find<SendLead>()->goes_on) << "it is another history from here on";
}

// The agent ended where it answered, and nobody waits for the restore any more: the data are older all the same.
TEST(PutBack, ThePrimaryThatTookTheDataUnheardDoesNotGoOnWithItsHistory) {
  World world;
  world.ask("east-1");
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 3, true, false, {}, {{"lsn", "0/500"}}});
  ASSERT_NE(world.find<SendAdopt>(), nullptr);
  world.feed(AgentLost{"east-1"});
  world.pass(8'000);
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_TRUE(world.find<FinishTransfer>()->error.has_value());
  world.last.clear();
  world.feed(AgentConnected{"east-1"});
  for (const char* member : {"east-2", "west-1"}) world.report(member, ServerState::standby, 1000, 0, "east-1");
  world.report("east-1", ServerState::standby, 0x200, 0, {}, "before-the-drop", true);
  world.feed(TransferAsked{
      Transfer{.id = 10, .kind = TransferKind::failover, .to = "east-1", .accept_loss = true, .asked = world.now}});
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_FALSE(world.find<SendLead>()->goes_on);
  EXPECT_EQ(world.state.begun.written.value, 0x200u) << "who has more than that keeps it";
}

TEST(PutBack, APrimaryThatCannotBeAskedIsWaitedForToTheEndOfItsLease) {
  World world;
  world.feed(AgentLost{"east-1"});
  world.ask("east-2");
  world.adopted("east-2");
  EXPECT_EQ(world.find<SendLead>(), nullptr);
  for (int tick = 0; tick < 40; ++tick) {
    world.now += milliseconds(100);
    world.report("east-2", ServerState::standby, 0x200, 0, {}, "before-the-drop", true);
    world.report("west-1", ServerState::standby, 1000, 0, "east-1");
    if (tick < 5) EXPECT_EQ(world.find<SendLead>(), nullptr);
  }
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-2");
}

TEST(PutBack, AMemberThatThePlanExcludesIsRefused) {
  World world;
  world.state.find("west-1")->config.candidate = false;
  world.ask("west-1");
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_TRUE(world.find<FinishTransfer>()->error.has_value());
  EXPECT_EQ(world.find<SendAdopt>(), nullptr);
}

TEST(PutBack, DataThatWerePutBackStandApartUntilSomebodyAsksForStandbys) {
  World world;
  world.report("east-2", ServerState::standby, 0x200, 0, {}, "before-the-drop", true);
  for (int tick = 0; tick < 50; ++tick) {
    world.now += milliseconds(100);
    world.feed(RenewAsked{"east-1", 3, world.now.time_since_epoch().count()});
    world.report("east-1", ServerState::primary, 1100, 3);
    world.report("east-2", ServerState::standby, 0x200, 0, {}, "before-the-drop", true);
  }
  EXPECT_EQ(world.find<SendFollow>(), nullptr);
  world.feed(TransferAsked{Transfer{.id = 10, .kind = TransferKind::reprotect}});
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_EQ(world.find<SendFollow>()->order.member, "east-2");
}

// Case 68, autobase#712: after a restore to an older moment the replicas stayed on the old timeline.
TEST(PutBack, TheOthersAreStandbysAgainOnlyOnTheTimelineThatBeganThere) {
  World world;
  world.ask("east-2");
  world.adopted("east-2");
  world.feed(CommandDone{CommandDone::What::step_down, "east-1", 3, true, false, {}, {{"lsn", "0/500"}}});
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 4, true, false, {}, {{"timeline", 4}}});
  ASSERT_NE(world.find<SendFollow>(), nullptr);
  EXPECT_TRUE(world.find<SendFollow>()->order.keep_data) << "unasked nobody gives up what was taken back";
  world.feed(CommandDone{CommandDone::What::follow, "west-1", 4, false, false, "it keeps its data", {}});
  world.last.clear();
  world.feed(TransferAsked{Transfer{.id = 10, .kind = TransferKind::reprotect}});
  world.report("east-1", ServerState::stopped, 0x500);
  world.report("west-1", ServerState::standby, 0x500, 0, "east-1");
  for (const char* member : {"east-1", "west-1"}) {
    bool told = std::ranges::any_of(world.last, [&](const Command& command) {
      const auto* follow = std::get_if<SendFollow>(&command);
      return follow != nullptr && follow->order.member == member && follow->order.given_up;
    });
    EXPECT_TRUE(told) << member;
    world.feed(CommandDone{CommandDone::What::follow, member, 4, true, false, {}, JsonObject{}});
  }
  auto both_stream_on = [&](uint64_t timeline) {
    for (const char* member : {"east-1", "west-1"}) {
      MemberReport report;
      report.member = member;
      report.state = ServerState::standby;
      report.upstream = "east-2";
      report.timeline = timeline;
      report.written = Lsn{0x500};
      report.streaming = true;
      world.feed(Reported{world.now.time_since_epoch().count(), report});
    }
  };
  both_stream_on(3);
  EXPECT_EQ(world.find<FinishTransfer>(), nullptr);
  both_stream_on(4);
  ASSERT_NE(world.find<FinishTransfer>(), nullptr);
  EXPECT_FALSE(world.find<FinishTransfer>()->error);
}

TEST(PutBack, WithSynchronousCommitsItProvesNothingOfWhatItOnceHad) {
  World world;
  world.state.config.sync_copies = 1;
  world.state.sync_sets = {SyncSet{"east-1", {"east-2", "west-1"}, 1}};
  world.feed(Released{"east-1", 3, "server died", true});
  for (const char* member : {"east-2", "west-1"}) world.report(member, ServerState::standby, 1000, 0, "east-1");
  const Member& west = *world.state.find("west-1");
  EXPECT_EQ(why_it_may_lose(world.state, west, world.now), "");
  world.report("east-2", ServerState::standby, 1000, 0, {}, "before-the-drop", true);
  EXPECT_NE(why_it_may_lose(world.state, west, world.now), "");
  EXPECT_NE(why_it_may_lose(world.state, *world.state.find("east-2"), world.now), "");
}

}  // namespace
}  // namespace lifeboat::ownership
