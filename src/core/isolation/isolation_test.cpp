#include "core/isolation/isolation.hpp"

#include <gtest/gtest.h>

namespace lifeboat::isolation {
namespace {

using namespace std::chrono_literals;

TEST(IsolationProof, StaysOnlyIfAControllerIsHeardAfterItWouldHaveMissedTheAgent) {
  MonoTime closed{100s};
  EXPECT_EQ(judge(closed, std::nullopt, closed + 1s), Proof::wait);
  // Said before, or by a controller that does not know yet that nothing comes any more.
  EXPECT_EQ(judge(closed, closed - 1s, closed + 6s), Proof::wait);
  EXPECT_EQ(judge(closed, closed + kSilentAgent, closed + 6s), Proof::wait);
  EXPECT_EQ(judge(closed, closed + kSilentAgent + 1s, closed + 6s), Proof::keep);
  EXPECT_EQ(judge(closed, closed + 14s, closed + 20s), Proof::keep);
}

TEST(IsolationProof, IsTakenBackWhenNobodyIsHeard) {
  MonoTime closed{100s};
  EXPECT_EQ(judge(closed, closed + 1s, closed + 14'999ms), Proof::wait);
  EXPECT_EQ(judge(closed, closed + 1s, closed + 15s), Proof::take_back);
  EXPECT_EQ(judge(closed, std::nullopt, closed + 1h), Proof::take_back);
}

TEST(IsolationOfHosts, NeverOfOneThatCarriesTheControlPlane) {
  Plan plan;
  plan.hosts.add("control", Host{.region = {"north"}, .controller = true});
  plan.hosts.add("store", Host{.region = {"north"}});
  plan.hosts.add("web", Host{.region = {"north"}});
  EXPECT_TRUE(carries_control(plan, "control"));
  EXPECT_FALSE(carries_control(plan, "store"));
  plan.controllers.emplace();
  plan.controllers->voters.add("north", {});
  plan.controllers->voters.find("north")->host = Identifier{"store"};
  EXPECT_TRUE(carries_control(plan, "store"));
  EXPECT_FALSE(carries_control(plan, "web"));
}

}  // namespace
}  // namespace lifeboat::isolation
