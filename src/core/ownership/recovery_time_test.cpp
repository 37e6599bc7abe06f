// A server that recovers from a crash for longer than an order to lead may take.
#include <gtest/gtest.h>

#include "core/ownership/test_machine.hpp"

namespace lifeboat::ownership {
namespace {

using World = MachineWorld;

// Case 87: a crash was followed by a recovery that took longer than the time allowed for a start, which began anew each time.
struct SlowRecovery : World {
  explicit SlowRecovery(AutomaticFailover automatic) : World(three_members(automatic)) {
    settle();
    feed(Released{"east-1", 1, "its lease ended", false});
    told("east-1", ServerState::stopped, 1000);
  }
  void told(const std::string& member, ServerState server, uint64_t written, uint64_t term = 0) {
    report(member, server, written, term, server == ServerState::standby ? "east-1" : "");
  }
  void standbys_go_on() {
    for (const char* member : {"east-2", "west-1"}) told(member, ServerState::standby, 1000);
  }
  // It held the right all the time, and its agent gave up.
  void could_not_start() {
    feed(CommandDone{CommandDone::What::lead, "east-1", state.term, false, true, "it did not start in time", {}});
    last.clear();
    for (int tenth = 0; tenth < 80 && find<SendLead>() == nullptr; ++tenth) {
      told("east-1", ServerState::stopped, 1000);
      standbys_go_on();
      pass(100);
    }
  }
};

TEST(RecoveryTime, WhoCannotStartInTimeIsFollowedByAnotherInsteadOfBeingTriedAgain) {
  SlowRecovery world(AutomaticFailover::any);
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1") << "it has everything";
  EXPECT_FALSE(world.find<SendLead>()->patient);
  world.could_not_start();
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_NE(world.find<SendLead>()->member, "east-1");
}

TEST(RecoveryTime, WhoCannotStartInTimeAndHasNobodyBesideItGetsAllItsTime) {
  SlowRecovery world(AutomaticFailover::none);
  world.could_not_start();
  ASSERT_NE(world.find<SendLead>(), nullptr);
  EXPECT_EQ(world.find<SendLead>()->member, "east-1");
  EXPECT_TRUE(world.find<SendLead>()->patient);
  // It goes on renewing, until a person wants somebody else who can.
  auto renewed = [&] {
    world.last.clear();
    world.standbys_go_on();
    world.feed(RenewAsked{"east-1", world.state.term, 0});
    return world.find<AnswerRenew>()->granted;
  };
  for (int second = 0; second < 60; ++second) {
    world.pass(1000);
    ASSERT_TRUE(renewed()) << "second " << second;
  }
  world.feed(TransferAsked{Transfer{.id = 10, .kind = TransferKind::failover, .to = "east-2", .asked = world.now}});
  EXPECT_FALSE(renewed());
}

}  // namespace
}  // namespace lifeboat::ownership
