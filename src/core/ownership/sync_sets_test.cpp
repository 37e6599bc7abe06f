#include "core/ownership/sync_sets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ownership/machine.hpp"

namespace lifeboat::ownership {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config config_of(int copies, std::string region = {}) {
  Config config;
  config.service = "main";
  config.members = {{"east-1", "east"}, {"east-2", "east"}, {"west-1", "west"}};
  config.first_primary = "east-1";
  config.lease = Duration{2000};
  config.automatic = AutomaticFailover::any;
  config.sync_copies = copies;
  config.sync_region = std::move(region);
  return config;
}

// A controller, a store that always works, and three members whose reports the test writes.
struct World {
  MonoTime now{milliseconds(10'000)};
  State state;
  std::vector<Command> said;
  std::vector<SyncSet> recorded;  // as the store has them
  std::string in_force;           // at the holder, and its number
  uint64_t number = 0;
  std::optional<MonoTime> sent;  // when reports that come now were sent, if the network held them up

  explicit World(Config config = config_of(1)) : state(initial_state(std::move(config), 0, {}, now)) {
    for (const char* member : {"east-1", "east-2", "west-1"}) feed(AgentConnected{member});
    for (const char* member : {"east-1", "east-2", "west-1"}) report(member, ServerState::absent, 0);
    feed(CommandDone{CommandDone::What::lead, "east-1", 1, true, false, {}, {{"timeline", 1}}});
    for (const char* member : {"east-2", "west-1"})
      feed(CommandDone{CommandDone::What::follow, member, 1, true, false, {}, JsonObject{}});
  }

  void feed(const Input& input) {
    for (const Command& command : step(state, input, now)) {
      said.push_back(command);
      if (const auto* grant = std::get_if<MakeGrant>(&command)) {
        recorded = grant->sync;
        feed(GrantMade{grant->expected_term + 1, grant->holder});
      } else if (const auto* lead = std::get_if<SendLead>(&command)) {
        in_force = sync_setting(lead->sync);
        number = lead->sync.number;
      } else if (const auto* record = std::get_if<RecordSync>(&command)) {
        recorded = record->sets;
        feed(SyncRecorded{record->expected_term, record->sets});
      } else if (const auto* sync = std::get_if<SendSync>(&command)) {
        if (sync->set.number < number) continue;
        in_force = sync_setting(sync->set);
        number = sync->set.number;
      }
    }
  }
  void report(const std::string& member, ServerState server, uint64_t written, uint64_t timeline = 1,
              std::optional<uint64_t> mark = std::nullopt) {
    MemberReport report;
    report.member = member;
    report.state = server;
    report.timeline = timeline;
    report.written = Lsn{written};
    report.mark = mark.value_or(state.mark);
    if (server == ServerState::standby) {
      report.upstream = state.holder;
      report.streaming = true;
    }
    if (server == ServerState::primary) {
      report.term = state.term;
      report.sync = in_force;
      report.sync_number = number;
    }
    report.primary_data = server == ServerState::stopped;
    feed(Reported{sent.value_or(now).time_since_epoch().count(), report});
  }
  // All is well for so long, or one standby is away.
  void run(int64_t ms, const std::string& away = {}) {
    for (; ms > 0; ms -= 100) {
      now += milliseconds(100);
      feed(RenewAsked{"east-1", 1, 0});
      report("east-1", ServerState::primary, 1000);
      for (const char* member : {"east-2", "west-1"}) {
        if (member == away) feed(AgentLost{member});
        if (member != away) report(member, ServerState::standby, 1000);
      }
    }
  }
  void pass(int64_t ms) {
    for (; ms > 0; ms -= 100) {
      now += milliseconds(100);
      feed(Tick{});
    }
  }
  std::string promoted() const {
    for (const Command& command : said) {
      if (const auto* lead = std::get_if<SendLead>(&command)) return lead->member;
    }
    return {};
  }
  std::string refused() const {
    for (const Command& command : said) {
      const auto* note = std::get_if<Note>(&command);
      if (note != nullptr && note->kind == "automatic-refused") return note->text;
    }
    return {};
  }
};

TEST(SyncSets, AnAsynchronousDatabaseWaitsForNobody) {
  World world(config_of(0));
  world.run(5'000);
  EXPECT_THAT(world.recorded, IsEmpty());
  EXPECT_EQ(world.in_force, "");
  for (const Command& command : world.said) EXPECT_FALSE(std::holds_alternative<AskLook>(command));
}

TEST(SyncSets, ANewPrimaryWaitsForAllThatMayCount) {
  World world;
  EXPECT_EQ(world.in_force, R"(ANY 1 ("east-2", "west-1"))");
  ASSERT_FALSE(world.recorded.empty());
  EXPECT_THAT(world.recorded.back().members, ElementsAre("east-2", "west-1"));
}

TEST(SyncSets, TheRegionOfThePlanIsWaitedForAsLongAsItHasAnotherMember) {
  EXPECT_THAT(first_sync_set(config_of(1, "west"), "east-1").members, ElementsAre("west-1"));
  EXPECT_THAT(first_sync_set(config_of(1, "west"), "west-1").members, ElementsAre("east-1", "east-2"));
}

TEST(SyncSets, AMemberThatIsAwayLeavesAndComesBack) {
  World world;
  world.run(2'000);
  world.run(4'000, "west-1");
  EXPECT_EQ(world.in_force, R"(ANY 1 ("east-2"))");
  ASSERT_EQ(world.recorded.size(), 1u) << "the old set counts no more once the new one has taken hold";
  world.feed(AgentConnected{"west-1"});
  world.run(4'000);
  EXPECT_EQ(world.in_force, R"(ANY 1 ("east-2", "west-1"))");
}

TEST(SyncSets, AMemberLeavesAlsoWhileAFailoverWaits) {
  World world;
  world.run(2'000);
  world.feed(TransferAsked{Transfer{.id = 9, .kind = TransferKind::failover, .to = "west"}});
  world.run(4'000, "west-1");
  EXPECT_EQ(world.in_force, R"(ANY 1 ("east-2"))");
}

TEST(SyncSets, TheLastOneDoesNotLeave) {
  World world(config_of(1, "west"));
  world.run(2'000);
  world.run(6'000, "west-1");
  EXPECT_EQ(world.in_force, R"(ANY 1 ("west-1"))");
}

// Case 46, patroni#1849: what a candidate lacks was counted in whole segments of the log. Here five bytes decide.
TEST(SyncSets, WhoeverHasMostOfAllThatMustBeAskedIsPromoted) {
  World world;
  world.run(3'000);
  world.said.clear();
  world.feed(Released{"east-1", 1, "server died", true});
  EXPECT_EQ(world.promoted(), "") << "what was said before the end of the primary says too little";
  world.report("east-2", ServerState::standby, 1000);
  EXPECT_EQ(world.promoted(), "");
  world.report("west-1", ServerState::standby, 1005);
  EXPECT_EQ(world.promoted(), "west-1");
}

TEST(SyncSets, AReportFromBeforeTheEndOfThePrimaryDoesNotCount) {
  World world;
  world.run(3'000);
  uint64_t before = world.state.mark;
  world.said.clear();
  world.feed(Released{"east-1", 1, "server died", true});
  world.report("east-2", ServerState::standby, 1000, 1, before);
  world.report("west-1", ServerState::standby, 1000, 1, before);
  EXPECT_EQ(world.promoted(), "");
}

// Case 26, PAF#225: an instance that lacked what was acknowledged was promoted.
TEST(SyncSets, NothingIsPromotedThatMayLackWhatWasAcknowledged) {
  World world;
  world.run(3'000);
  world.said.clear();
  world.feed(AgentLost{"west-1"});
  world.feed(Released{"east-1", 1, "server died", true});
  world.feed(AgentLost{"east-1"});
  for (int i = 0; i < 20; ++i) {
    world.now += milliseconds(100);
    world.report("east-2", ServerState::standby, 1000);
  }
  EXPECT_EQ(world.promoted(), "");
  EXPECT_THAT(world.refused(), HasSubstr("is on 1 of east-2, west-1, and 1 of these can be asked, not 2"));
}

// Case 38, pg_auto_failover#1169: the synchronous standby was lost, then the primary, and no way led on from there.
TEST(SyncSets, OneWhoseFellowHadLeftHasEverything) {
  World world;
  world.run(2'000);
  world.run(4'000, "west-1");
  world.said.clear();
  world.feed(Released{"east-1", 1, "server died", true});
  world.report("east-2", ServerState::standby, 1000);
  EXPECT_EQ(world.promoted(), "east-2");
}

TEST(SyncSets, APersonMayAcceptTheLoss) {
  World world;
  world.run(3'000);
  world.feed(AgentLost{"west-1"});
  world.feed(Released{"east-1", 1, "server died", true});
  world.feed(AgentLost{"east-1"});
  world.pass(700);
  world.report("east-2", ServerState::standby, 1000);
  world.said.clear();
  world.feed(TransferAsked{Transfer{.id = 1, .kind = TransferKind::failover, .to = "east-2"}});
  EXPECT_EQ(world.promoted(), "");
  world.feed(TransferAsked{Transfer{.id = 2, .kind = TransferKind::failover, .to = "east-2", .accept_loss = true}});
  EXPECT_EQ(world.promoted(), "east-2");
  EXPECT_EQ(world.recorded.size(), 2u) << "what was lost counts no more; what is left is on one member alone for now";
  EXPECT_EQ(world.recorded.front(), (SyncSet{.holder = "east-2"}));
}

// What happened: data were put back on a member that died before anybody followed it, and an old primary, which had never seen what
// those data hold, was promoted because the new member had acknowledged nothing without it.
TEST(SyncSets, AfterAnAcceptedLossTheNewHolderAloneHasWhatIsLeft) {
  World world;
  world.run(3'000);
  world.feed(Released{"east-1", 1, "server died", true});
  for (const char* member : {"east-1", "west-1"}) world.feed(AgentLost{member});
  world.pass(600);
  world.report("east-2", ServerState::standby, 2000);
  world.feed(TransferAsked{Transfer{.id = 1, .kind = TransferKind::failover, .to = "east-2", .accept_loss = true}});
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 2, true, false, {}, {{"timeline", 2}}});
  ASSERT_EQ(world.state.holder, "east-2");
  world.said.clear();
  world.feed(Released{"east-2", 2, "server died", true});
  world.feed(AgentLost{"east-2"});
  for (const char* member : {"east-1", "west-1"}) world.feed(AgentConnected{member});
  world.report("east-1", ServerState::stopped, 1000);
  world.report("west-1", ServerState::standby, 1000);
  world.pass(600);
  world.report("east-1", ServerState::stopped, 1000);
  world.report("west-1", ServerState::standby, 1000);
  EXPECT_EQ(world.promoted(), "");
  EXPECT_THAT(why_it_may_lose(world.state, *world.state.find("west-1"), world.now),
              HasSubstr("nobody knows who has what east-2 acknowledged"));
}

// Case 21, cloudnative-pg#1688: nodes failed and came back in a bad order, and one led that lacked commits.
// The second primary dies before anybody followed it: what the first one acknowledged may be on the second alone.
TEST(SyncSets, OldSetsCountUntilTheNewOneHasTakenHold) {
  World world;
  world.run(3'000);
  world.feed(Released{"east-1", 1, "server died", true});
  world.feed(AgentLost{"east-1"});
  world.report("west-1", ServerState::standby, 1000);
  world.report("east-2", ServerState::standby, 1005);
  ASSERT_EQ(world.state.holder, "east-2");
  ASSERT_EQ(world.recorded.size(), 2u);
  world.said.clear();
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 2, true, false, {}, {{"timeline", 2}}});
  world.feed(Released{"east-2", 2, "server died", true});
  world.feed(AgentLost{"east-2"});
  world.pass(600);
  world.report("west-1", ServerState::standby, 1000);
  EXPECT_EQ(world.promoted(), "");
  EXPECT_THAT(world.refused(), HasSubstr("may lack what was acknowledged"));
  // The first primary has everything that it acknowledged, and the second acknowledged nothing that neither of these has.
  world.feed(AgentConnected{"east-1"});
  world.report("east-1", ServerState::stopped, 1004);
  EXPECT_EQ(world.promoted(), "east-1");
}

// A commit may still have been acknowledged by the former set when they were sent.
TEST(SyncSets, ReportsThatTheNetworkHeldUpDoNotSayThatTheNewSetHasTakenHold) {
  World world;
  world.run(3'000);
  ASSERT_EQ(world.recorded.size(), 1u);
  for (int tenth = 0; tenth < 200 && world.recorded.size() == 1; ++tenth) world.run(100, "west-1");
  ASSERT_EQ(world.recorded.size(), 2u);
  world.run(100, "west-1");
  world.sent = world.now;
  world.run(2'000, "west-1");
  EXPECT_EQ(world.recorded.size(), 2u);
  world.sent.reset();
  world.run(1'000, "west-1");
  EXPECT_EQ(world.recorded.size(), 1u);
}

// The setting is the same as of the set before the last one, and what was said of the last one may still be on its way.
TEST(SyncSets, ASetHasNotTakenHoldBeforeItsHolderHasHeardOfIt) {
  World world;
  world.run(3'000);
  uint64_t first = world.number;
  EXPECT_NE(first, 0u);
  for (int tenth = 0; tenth < 200 && world.recorded.size() == 1; ++tenth) world.run(100, "west-1");
  ASSERT_EQ(world.recorded.size(), 2u);
  EXPECT_GT(world.recorded.back().number, first);
  world.run(2'000, "west-1");
  ASSERT_EQ(world.recorded.size(), 1u);
  world.number = first;
  world.state.sync_sets.push_back(world.recorded.back());
  world.state.sync_sets.front().members = {"west-1"};
  world.report("east-1", ServerState::primary, 1000);
  EXPECT_EQ(world.state.sync_sets.size(), 2u);
  EXPECT_EQ(world.number, world.recorded.back().number) << "told once more";
}

// A store that was put back knows of fewer sets than the holder has heard of, which takes no order for one of those.
TEST(SyncSets, ASetIsNumberedAboveAllThatItsHolderHasHeardOf) {
  World world;
  world.run(3'000);
  world.number = 41;
  world.run(3'000);
  ASSERT_EQ(world.recorded.size(), 1u);
  EXPECT_EQ(world.recorded.front().number, 42u);
  EXPECT_EQ(world.number, 42u);
}

// It may have most of all.
TEST(SyncSets, AMemberThatHasYetToSayWhatItHasIsNotCounted) {
  World world;
  world.run(3'000);
  world.feed(Released{"east-1", 1, "server died", true});
  world.feed(AgentLost{"east-1"});
  world.feed(AgentLost{"west-1"});
  world.pass(600);
  world.report("east-2", ServerState::standby, 1000);
  world.feed(TransferAsked{Transfer{.id = 1, .kind = TransferKind::failover, .to = "east-2", .accept_loss = true}});
  ASSERT_EQ(world.state.holder, "east-2");
  const SyncSet newest = world.recorded.back();
  ASSERT_EQ(newest.holder, "east-2");
  ASSERT_THAT(newest.members, ElementsAre("east-1", "west-1"));
  world.said.clear();
  world.feed(CommandDone{CommandDone::What::lead, "east-2", 2, true, false, {}, {{"timeline", 2}}});
  world.state.sync_sets = {newest};  // it has taken hold
  world.feed(Released{"east-2", 2, "server died", true});
  world.feed(AgentLost{"east-2"});
  for (const char* member : {"east-1", "west-1"}) world.feed(AgentConnected{member});
  world.report("east-1", ServerState::stopped, 0, 0);
  world.report("west-1", ServerState::standby, 1000);
  world.pass(600);
  world.report("east-1", ServerState::stopped, 0, 0);
  world.report("west-1", ServerState::standby, 1000);
  EXPECT_EQ(world.promoted(), "");
  EXPECT_THAT(why_it_may_lose(world.state, *world.state.find("west-1"), world.now),
              HasSubstr("1 of these can be asked, not 2"));
  world.report("east-1", ServerState::stopped, 1004);
  EXPECT_EQ(world.promoted(), "east-1");
}

TEST(SyncSets, ADatabaseThatBeganAsynchronousIsNotBelievedAtOnce) {
  World world(config_of(0));
  world.run(3'000);
  world.state.config.sync_copies = 1;
  world.now += milliseconds(100);
  world.said.clear();
  world.feed(Tick{});
  ASSERT_EQ(world.recorded.size(), 2u);
  EXPECT_THAT(world.recorded.front().members, IsEmpty());
  world.feed(Released{"east-1", 1, "server died", true});
  world.report("east-2", ServerState::standby, 1000);
  world.report("west-1", ServerState::standby, 1000);
  EXPECT_EQ(world.promoted(), "");
  EXPECT_THAT(world.refused(), HasSubstr("nobody knows who has what east-1 acknowledged"));
}

TEST(SyncSets, NamesAreQuoted) {
  EXPECT_EQ(sync_setting({"a", {"b", R"(c"d)"}, 2}), R"(ANY 2 ("b", "c""d"))");
  EXPECT_EQ(sync_setting({}), "");
}

// Case 50, patroni#1518: the case of a member's name was changed on the way, the server waited for nobody, and nobody was promoted.
TEST(SyncSets, NamesKeepTheirCaseAndTheirDots) {
  EXPECT_EQ(sync_setting({"a", {"DB-East.1", "db-east.1"}, 1}), R"(ANY 1 ("DB-East.1", "db-east.1"))");
}

}  // namespace
}  // namespace lifeboat::ownership
