#include "core/run/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/run/test_runs.hpp"

namespace lifeboat::run {
namespace {

using test::a_step;
using ::testing::ElementsAre;

Step plan_step(std::string id, std::string uses = "test.do") {
  Step step;
  step.id = {std::move(id)};
  step.uses = std::move(uses);
  return step;
}

Result<ActionTraits> traits(const Step& step) {
  ActionTraits out;
  if (step.uses == "notify") out.kind = StepKind::message;
  if (step.uses == "approval") out.kind = StepKind::approval;
  if (step.uses == "wait") out.kind = StepKind::wait;
  return out;
}

std::vector<std::string> two_people(std::span<const Identifier>) { return {"ann", "bob"}; }

TEST(RunGraph, StepsWithoutNeedsWaitForTheNearestEarlierPhaseThatHasMoreThanMessages) {
  Scenario scenario;
  scenario.phases.add("assess", {plan_step("look"), plan_step("tell", "notify")});
  scenario.phases.add("announce", {plan_step("shout", "notify")});
  Step at_once = plan_step("at-once");
  at_once.needs.emplace();
  scenario.phases.add("act", {plan_step("promote"), at_once});
  auto steps = resolve_steps(scenario, traits, two_people);
  ASSERT_TRUE(steps) << steps.error().text();
  EXPECT_EQ((*steps)[0].after_phase, "");
  EXPECT_EQ((*steps)[2].after_phase, "assess");
  EXPECT_EQ((*steps)[3].after_phase, "assess");
  EXPECT_EQ((*steps)[4].after_phase, "");
  auto graph = build_graph(*steps);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->phases[0].counted, 1u);
}

TEST(RunGraph, PutsNeedsFirstAndKeepsThePlansOrderOtherwise) {
  auto graph = build_graph(std::vector{a_step("c", {"a"}), a_step("b"), a_step("a")});
  ASSERT_TRUE(graph);
  EXPECT_THAT(graph->order, ElementsAre(1, 2, 0));
}

TEST(RunGraph, NamesTheStepsOfACycle) {
  auto graph = build_graph(std::vector{a_step("x"), a_step("a", {"b"}), a_step("b", {"a", "x"})});
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().what, "steps wait for each other: a → b → a");
}

TEST(RunGraph, FindsACycleThroughABarrier) {
  auto early = a_step("early", {"late"}, "one");
  auto late = a_step("late", {}, "two");
  late.after_phase = "one";
  auto graph = build_graph(std::vector{early, late});
  ASSERT_FALSE(graph);
  EXPECT_NE(graph.error().what.find("early → late → early"), std::string::npos) << graph.error().what;
}

TEST(RunGraph, RefusesUnknownNeedsAndDuplicateIds) {
  EXPECT_NE(build_graph(std::vector{a_step("promote"), a_step("b", {"promot"})}).error().hint.find("promote"),
            std::string::npos);
  EXPECT_EQ(build_graph(std::vector{a_step("a"), a_step("a")}).error().what, "two steps are named 'a'");
}

TEST(RunGraph, FindsTheChainThatTakesLongest) {
  auto tail = a_step("tail", {}, "two");
  tail.after_phase = "one";
  auto graph = build_graph(std::vector{a_step("short"), a_step("long"), a_step("longer", {"short"}), tail});
  ASSERT_TRUE(graph);
  auto path = critical_path(*graph, [](size_t step) { return Duration{step == 1 ? 5'000 : 3'000}; });
  EXPECT_THAT(path.steps, ElementsAre(0, 2, 3));
  EXPECT_EQ(path.length, Duration{9'000});
}

TEST(RunGraph, RefusesAnApprovalThatTooFewPeopleCouldGive) {
  Scenario scenario;
  Step step = plan_step("agree", "approval");
  step.approval = Approval{.of = {{"lead"}}, .need = 3};
  scenario.phases.add("one", {step});
  auto steps = resolve_steps(scenario, traits, two_people);
  ASSERT_FALSE(steps);
  EXPECT_NE(steps.error().what.find("needs 3 people, but its roles have 2"), std::string::npos);
}

TEST(RunGraph, TakesAWaitsLengthAndAQuestionsPeopleFromTheParameters) {
  Scenario scenario;
  Step wait = plan_step("settle", "wait");
  wait.with = JsonObject{{"for", "2h"}};
  Step ask = plan_step("agree", "approval");
  ask.with = JsonObject{{"of", JsonArray{"lead"}}, {"need", 2}, {"question", "Go on?"}};
  scenario.phases.add("one", {wait, ask});
  auto steps = resolve_steps(scenario, traits, two_people);
  ASSERT_TRUE(steps) << steps.error().text();
  EXPECT_EQ((*steps)[0].wait, Duration{7'200'000});
  EXPECT_EQ((*steps)[1].approval->need, 2);
  EXPECT_THAT((*steps)[1].people, ElementsAre("ann", "bob"));
  EXPECT_EQ((*steps)[1].text, "Go on?");
  scenario.phases.begin()->second[0].with = JsonObject{};
  EXPECT_FALSE(resolve_steps(scenario, traits, two_people));
}

TEST(RunServices, RunsThatChangeTheSameServiceExcludeEachOther) {
  auto promote = a_step("promote");
  promote.touches = "database";
  auto tell = a_step("tell");
  tell.touches = "status";
  tell.kind = StepKind::message;
  auto services = touched_services(std::vector{promote, tell});
  EXPECT_THAT(services, ElementsAre("database"));
  std::vector<OtherRun> active{{"R-1", "other", {"cache"}}, {"R-2", "failback", {"database", "entry"}}};
  auto clash = clash_with(services, active);
  ASSERT_TRUE(clash);
  EXPECT_EQ(clash->run, "R-2");
  EXPECT_EQ(clash->service, "database");
  EXPECT_FALSE(clash_with(std::vector<std::string>{"files"}, active));
}

}  // namespace
}  // namespace lifeboat::run
