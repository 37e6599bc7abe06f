// network.isolate and network.rejoin with agents that say what the test wants; what an agent does is in agent/isolation_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "actions/network_common.hpp"
#include "actions/registry.hpp"
#include "actions/test_world.hpp"

namespace lifeboat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Network : public testing::Test {
 protected:
  void SetUp() override {
    world.add_region("east");
    world.add_region("west");
    struct Row {
      std::string name, region;
      bool agent = false;
    };
    for (const auto& [name, region, agent] : std::vector<Row>{{"db-1", "east", true},
                                                              {"db-2", "east", true},
                                                              {"balancer", "east", false},
                                                              {"store", "east", true},
                                                              {"control", "east", false},
                                                              {"db-3", "west", true},
                                                              {"cache", "west", false}}) {
      world.add_host(name, region, "10.0.0.1");
      world.plan.hosts.find(name)->agent = agent;
    }
    world.plan.hosts.find("control")->controller = true;
    world.plan.controllers.emplace();
    world.plan.controllers->voters.add("east", Voter{.host = {"store"}});
    world.agents.on_call = [this](std::string host, std::string method, Json) { return answer(host, method); };
  }

  // What an agent that works does.
  Result<Json> answer(const std::string& host, const std::string& method) {
    called.push_back(host + " " + method);
    if (away.contains(host)) return fail(ErrorKind::unreachable, fmt::format("no agent of {} is connected", host));
    if (method == "network.state") return Json(JsonObject{{"isolated", cut.contains(host)}});
    if (refuse.contains(host)) return fail(ErrorKind::unsupported, "nft is not installed", "install nftables");
    if (deaf.contains(host)) return Json(JsonObject{});
    cut.erase(host);
    if (method == "network.isolate") cut.insert(host);
    if (loses_answers) {
      away.insert(host);
      return fail(ErrorKind::unknown_outcome, "the link was lost");
    }
    return Json(JsonObject{});
  }
  Result<Observation> observe() { return world.observe(network_isolate_action(), R"({"region": "east"})"); }
  Result<Outcome> isolate(const std::string& with = R"({"region": "east"})") {
    return world.apply(network_isolate_action(), with, Duration{3'000});
  }
  static std::string list(const Outcome& outcome, std::string_view key) { return to_text(member(outcome.data, key)); }

  TestWorld world;
  std::vector<std::string> called;
  std::set<std::string> cut, away, refuse, deaf;
  bool loses_answers = false;
};

TEST_F(Network, ARegionIsCutOffAndLetBack) {
  auto before = observe();
  ASSERT_TRUE(before.has_value());
  EXPECT_FALSE(before->holds);
  EXPECT_EQ(before->state, "on the network: db-1 and db-2");
  EXPECT_THAT(before->change, HasSubstr("→ cut off: db-1 and db-2; balancer has no agent: cut it off by hand"));
  EXPECT_THAT(cut, IsEmpty());

  auto done = isolate();
  ASSERT_TRUE(done.has_value()) << done.error().text();
  EXPECT_THAT(cut, ElementsAre("db-1", "db-2"));
  EXPECT_EQ(list(*done, "isolated"), R"(["db-1","db-2"])");
  EXPECT_EQ(list(*done, "without_agent"), R"(["balancer"])");
  EXPECT_EQ(list(*done, "unreachable"), "[]");
  EXPECT_EQ(list(*done, "skipped"), R"(["store","control"])");
  EXPECT_EQ(done->summary,
            "cut off: db-1 and db-2; balancer has no agent: cut it off by hand; left on the network, as controllers or "
            "their store run there: store and control");
  EXPECT_EQ(called.back(), "db-2 network.state") << "nothing proves that the link is left";
  EXPECT_TRUE(observe()->holds);
  EXPECT_TRUE(isolate().has_value());

  auto rejoined = world.apply(network_rejoin_action(), R"({"region": "east"})");
  ASSERT_TRUE(rejoined.has_value()) << rejoined.error().text();
  EXPECT_THAT(cut, IsEmpty());
  EXPECT_EQ(list(*rejoined, "rejoined"), R"(["db-1","db-2"])");
  EXPECT_THAT(rejoined->summary, HasSubstr("balancer has no agent: let it back by hand"));
  EXPECT_TRUE(world.observe(network_rejoin_action(), R"({"region": "east"})")->holds);
}

TEST_F(Network, AHostOfAnotherRegionIsCutOffByItsName) {
  auto done = isolate(R"({"hosts": ["cache", "db-3", "db-1"]})");
  ASSERT_TRUE(done.has_value()) << done.error().text();
  EXPECT_THAT(cut, ElementsAre("db-1", "db-3"));
  EXPECT_EQ(list(*done, "without_agent"), R"(["cache"])");
}

TEST_F(Network, AnAgentThatIsAwayIsToldLoudlyAndKeepsTheOthersFromNothing) {
  away = {"db-1"};
  auto done = isolate();
  ASSERT_TRUE(done.has_value()) << done.error().text();
  EXPECT_EQ(list(*done, "isolated"), R"(["db-2"])");
  EXPECT_EQ(list(*done, "unreachable"), R"(["db-1"])");
  EXPECT_THAT(done->summary, HasSubstr("NO ANSWER from db-1: cut it off by hand"));
  EXPECT_THAT(world.lines, testing::Contains(HasSubstr("NO ANSWER from db-1")));
  auto seen = observe();
  ASSERT_TRUE(seen.has_value());
  EXPECT_FALSE(seen->holds) << "nobody knows whether it is cut off";
  EXPECT_THAT(seen->state, HasSubstr("no answer from db-1"));
}

TEST_F(Network, ItFailsWhenNoHostAtAllCouldBeCutOff) {
  away = {"db-1", "db-2"};
  auto done = isolate();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().kind, ErrorKind::unreachable);
  EXPECT_THAT(done.error().what, HasSubstr("NO ANSWER from db-1 and db-2: cut them off by hand"));
}

TEST_F(Network, ItFailsWhenAnAgentRefusesButTheOthersAreCutOff) {
  refuse = {"db-1"};
  auto done = isolate();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(done.error().what, HasSubstr("db-1: nft is not installed"));
  EXPECT_THAT(done.error().what, HasSubstr("cut off: db-2"));
  EXPECT_EQ(done.error().hint, "install nftables");
  EXPECT_THAT(cut, ElementsAre("db-2"));
}

TEST_F(Network, AnAgentIsNotTakenAtItsWord) {
  deaf = {"db-2"};
  auto done = isolate();
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().what, HasSubstr("db-2: its network is open all the same"));
}

TEST_F(Network, AHostWhoseAnswerWasLostIsLookedAtWhenItIsBack) {
  loses_answers = true;
  int looks = 0;
  world.agents.on_call = [&](std::string host, std::string method, Json) {
    if (method == "network.state" && ++looks > 2) away.clear();
    return answer(host, method);
  };
  auto done = isolate(R"({"hosts": ["db-1"]})");
  ASSERT_TRUE(done.has_value()) << done.error().text();
  EXPECT_EQ(list(*done, "isolated"), R"(["db-1"])");
}

TEST_F(Network, AHostWhoseAnswerWasLostAndThatStaysAwayIsNamed) {
  loses_answers = true;
  auto done = isolate(R"({"hosts": ["db-1"]})");
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().what, HasSubstr("NO ANSWER from db-1"));
}

TEST_F(Network, ParametersNameEitherARegionOrHostsThatThePlanHas) {
  auto problem_of = [&](const std::string& with) {
    auto problems = network_isolate_action().validate(*parse_json(with), world.plan);
    return problems.empty() ? std::string("none") : problems[0].path + ": " + problems[0].message;
  };
  EXPECT_EQ(problem_of(R"({"region": "east"})"), "none");
  EXPECT_EQ(problem_of(R"({"hosts": ["db-1", "cache"]})"), "none");
  EXPECT_THAT(problem_of("{}"), HasSubstr("exactly one"));
  EXPECT_THAT(problem_of(R"({"region": "east", "hosts": ["db-1"]})"), HasSubstr("exactly one"));
  EXPECT_THAT(problem_of(R"({"region": "eats"})"), HasSubstr("/region: there is no region 'eats'"));
  EXPECT_THAT(problem_of(R"({"hosts": ["db-1", "db-9"]})"), HasSubstr("/hosts/1: there is no host 'db-9'"));
  EXPECT_THAT(problem_of(R"({"hosts": ["control"]})"), HasSubstr("never cut off"));
  EXPECT_THAT(problem_of(R"({"hosts": ["store"]})"), HasSubstr("never cut off"));
  EXPECT_THAT(problem_of(R"({"hosts": ["cache"]})"), HasSubstr("none of these hosts has an agent"));
}

TEST(NetworkWords, AreAList) {
  EXPECT_EQ(in_words({}), "none");
  EXPECT_EQ(in_words({"a"}), "a");
  EXPECT_EQ(in_words({"a", "b", "c"}), "a, b and c");
}

}  // namespace
}  // namespace lifeboat
