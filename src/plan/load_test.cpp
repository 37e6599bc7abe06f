#include "plan/load.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/model/variables.hpp"
#include "plan/test_support.hpp"

namespace lifeboat {
namespace {

constexpr std::string_view kSmall = R"(plan: small
document: {version: "1", owner: me}
objectives: {rto: 5m, rpo: 1m}
regions: {here: {role: primary}}
hosts: {one: {region: here}}
services: {}
scenarios:
  fix:
    title: Something broke
    phases:
      first:
        - {id: a, uses: wait, with: {for: 1s}}
)";

std::string with_step(std::string_view step) { return std::string(kSmall) + "        - " + std::string(step) + "\n"; }

LoadFailure refused(const std::string& text) {
  auto loaded = load_plan_text(text, "p.yaml", lenient_actions());
  EXPECT_FALSE(loaded) << text;
  return loaded ? LoadFailure{} : loaded.error();
}

TEST(Load, ReadsTheReferencePlan) {
  auto loaded = load_plan(std::string(LIFEBOAT_SOURCE_DIR) + "/examples/dating-profile-optimizer/plan.yaml",
                          lenient_actions(), {.profile = "compressed"});
  ASSERT_TRUE(loaded) << lines_of(loaded.error().findings);
  EXPECT_EQ(loaded->plan.plan.text, "dating-profile-optimizer");
  EXPECT_EQ(loaded->plan.scenarios.size(), 10u);
  EXPECT_EQ(loaded->plan.objectives.rto, std::chrono::hours(4));
}

TEST(Load, AProfilePutsInItsLeases) {
  std::string plan = std::string(LIFEBOAT_SOURCE_DIR) + "/examples/dating-profile-optimizer/plan.yaml";
  auto usual = load_plan(plan, lenient_actions(), {.profile = "compressed"});
  auto fast = load_plan(plan, lenient_actions(), {.profile = "fast"});
  ASSERT_TRUE(usual && fast);
  EXPECT_EQ(service_as<PostgresService>(usual->plan, "database")->lease, std::chrono::seconds(2));
  EXPECT_EQ(service_as<PostgresService>(fast->plan, "database")->lease, std::chrono::seconds(1));
}

TEST(Load, ReadsTheSmallestUsefulPlanOfUnderSixtyLines) {
  std::string text = source_file("examples/postgres-pair/plan.yaml");
  auto loaded = load_plan_text(text, "plan.yaml", lenient_actions());
  ASSERT_TRUE(loaded) << lines_of(loaded.error().findings);
  EXPECT_LT(std::ranges::count(text, '\n'), 60);
}

TEST(Load, SaysWhereAKeyIsUnknownAndWhichWasMeant) {
  LoadFailure failure = refused(with_step("{id: b, uses: wait, tiemout: 3s}"));
  ASSERT_EQ(failure.findings.size(), 1u);
  EXPECT_EQ(one_line(failure.findings[0]),
            "p.yaml:13:31: error: unknown key 'tiemout' (did you mean 'timeout'?) [shape]");
  EXPECT_FALSE(failure.unreadable);
}

TEST(Load, RefusesWordsAboutAPhaseThatNoScenarioHas) {
  LoadFailure failure = refused("phases: {frist: {title: First}}\n" + std::string(kSmall));
  ASSERT_EQ(failure.findings.size(), 1u) << lines_of(failure.findings);
  EXPECT_EQ(one_line(failure.findings[0]),
            "p.yaml:1:10: error: there is no phase in any scenario 'frist' (did you mean 'first'?) [unknown-name]");
}

TEST(Load, KeepsTheCommandsThatAStepStandsInForAsTheyWereWritten) {
  auto loaded =
      load_plan_text(with_step("{id: b, uses: wait, instead_of: [\"curl -f ${x} 'y'\"]}"), "p.yaml", lenient_actions());
  ASSERT_TRUE(loaded) << lines_of(loaded.error().findings);
  EXPECT_EQ(loaded->plan.scenarios.find("fix")->phases.find("first")->at(1).instead_of.front(), "curl -f ${x} 'y'");
}

TEST(Load, ReportsTheShortestCycle) {
  LoadFailure failure = refused(with_step("{id: b, uses: wait, needs: [c, d]}") +
                                "        - {id: c, uses: wait, needs: [d]}\n"
                                "        - {id: d, uses: wait, needs: [b]}\n");
  ASSERT_EQ(failure.findings.size(), 1u) << lines_of(failure.findings);
  EXPECT_EQ(failure.findings[0].message, "steps wait for each other: b needs d needs b");
  EXPECT_EQ(failure.findings[0].at.line, 13);
}

TEST(Load, RefusesAStepThatNeedsItself) {
  EXPECT_NE(lines_of(refused(with_step("{id: b, uses: wait, needs: [b]}")).findings).find("b needs b"),
            std::string::npos);
}

TEST(Load, RefusesTwoStepsOfOneName) {
  EXPECT_NE(lines_of(refused(with_step("{id: a, uses: wait}")).findings).find("stands twice"), std::string::npos);
}

TEST(Load, RefusesMoreApproversThanTheRolesHave) {
  std::string people = "people: {contacts: {x: {}}, roles: {boss: {primary: x, members: [x]}}}\n";
  EXPECT_NE(lines_of(refused(people + with_step("{id: b, uses: approval, approval: {of: [boss], need: 2}}")).findings)
                .find("2 people must agree, and the roles have 1"),
            std::string::npos);
}

TEST(Load, RefusesAnActionThatIsNearlyOneAndAllowsOneThatMayComeLater) {
  EXPECT_NE(lines_of(refused(with_step("{id: b, uses: dns.swtich}")).findings).find("did you mean 'dns.switch'?"),
            std::string::npos);
  EXPECT_TRUE(load_plan_text(with_step("{id: b, uses: terraform.apply}"), "p.yaml", lenient_actions()));
  EXPECT_TRUE(load_plan_text(with_step("{id: b, uses: postgres.restore}"), "p.yaml", lenient_actions()));
}

TEST(Load, FindsAnUnknownVariableWhereItIsUsed) {
  LoadFailure failure =
      refused("vars: {stabilise: 1s}\n" + with_step("{id: b, uses: wait, with: {for: \"${stablise}\"}}"));
  ASSERT_EQ(failure.findings.size(), 1u);
  EXPECT_EQ(failure.findings[0].suggestion, "did you mean 'stabilise'?");
  EXPECT_EQ(failure.findings[0].at.line, 14);
}

TEST(Load, MapsProblemsOfParametersToTheirPlace) {
  ActionCatalogue actions = lenient_actions();
  actions.validate = [](std::string_view, const Json& with, const Plan&) {
    DecodeProblems problems;
    if (text_or(with, "for") == "soon") problems.push_back({"/for", "not a duration", "1s"});
    return problems;
  };
  auto loaded = load_plan_text(with_step("{id: b, uses: wait, with: {for: soon}}"), "p.yaml", actions);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().findings[0].at, (Position{13, 43}));
}

TEST(Load, RefusesWhatIsNoRegularFile) {
  EXPECT_TRUE(load_plan("/dev/zero", lenient_actions()).error().unreadable);
  EXPECT_TRUE(load_plan("/tmp", lenient_actions()).error().unreadable);
  EXPECT_TRUE(load_plan("/nowhere/plan.yaml", lenient_actions()).error().unreadable);
}

TEST(Load, TakesAddressesFromTheInventory) {
  auto loaded = load_plan_text(std::string(kSmall), "p.yaml", lenient_actions());
  ASSERT_TRUE(loaded);
  ASSERT_TRUE(apply_inventory(loaded->plan, parse_json(R"({"hosts":{"one":"10.1.0.1"}})").value()));
  EXPECT_EQ(address_of(loaded->plan, "one"), "10.1.0.1");
  auto wrong = apply_inventory(loaded->plan, parse_json(R"({"hosts":{"onee":"10.1.0.1"}})").value());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().hint, "did you mean 'one'?");
}

TEST(Load, NeverEchoesWhatStandsInPlaceOfASecretsName) {
  std::string text =
      "communications: {channels: {room: {kind: slack, webhook: \"https://hooks.example/T0/B0/XYZ\"}}}\n";
  EXPECT_EQ(lines_of(refused(text + std::string(kSmall)).findings).find("XYZ"), std::string::npos);
}

class Variables : public testing::Test {
 protected:
  Plan plan = load_plan_text(std::string(kSmall) +
                                 "vars: {wait: 2h, count: 3, list: [1, 2]}\n"
                                 "profiles: {fast: {title: fast, vars: {wait: 1s}}}\n",
                             "p.yaml", lenient_actions())
                  .value()
                  .plan;
  DecodeProblems problems;
  std::string expand_one(std::string_view text, std::string_view profile = {}) {
    return to_text(expand(Json(text), merge_vars(plan, "fix", profile), plan, problems));
  }
};

TEST_F(Variables, KeepTheirTypeWhenTheyStandAlone) {
  EXPECT_EQ(expand_one("${count}"), "3");
  EXPECT_EQ(expand_one("${list}"), "[1,2]");
  EXPECT_EQ(expand_one("scale to ${count}"), "\"scale to 3\"");
  EXPECT_TRUE(problems.empty());
}

TEST_F(Variables, AreReplacedByThoseOfAProfile) {
  EXPECT_EQ(expand_one("${wait}"), "\"2h\"");
  EXPECT_EQ(expand_one("${wait}", "fast"), "\"1s\"");
}

TEST_F(Variables, AreNeverExpandedTwice) {
  Vars run;
  run.add("wait", Json("${count}"));
  EXPECT_EQ(to_text(expand(Json("${wait}"), merge_vars(plan, "fix", "fast", run), plan, problems)), "\"${count}\"");
  EXPECT_EQ(expand_one("$${count}"), "\"${count}\"");
}

TEST_F(Variables, OfWhatStepsFindAreLeftUntilTheyAreKnown) {
  Json with =
      JsonObject{{"to", "${steps.look.data.target}"}, {"count", "${count}"}, {"text", "$${steps.look.data.target}"}};
  Vars vars = merge_vars(plan, "fix");
  StepData later;
  Json left = expand(with, vars, plan, problems, "/with", &later);
  EXPECT_EQ(to_text(left), R"({"to":"${steps.look.data.target}","count":3,"text":"${steps.look.data.target}"})");
  ASSERT_EQ(later.left, std::vector<std::string>{"/to"}) << "and not the text that only looks like one";
  StepData known;
  known.find = [](const std::string& name) -> std::optional<Json> {
    if (name != "steps.look.data.target") return std::nullopt;
    return Json("before:${count}");
  };
  EXPECT_EQ(expand(left.at("to"), vars, plan, problems, {}, &known), Json("before:${count}")) << "never twice";
  EXPECT_TRUE(problems.empty());
  expand(Json("${steps.look.data.nothing}"), vars, plan, problems, {}, &known);
  EXPECT_EQ(problems.size(), 1u);
  expand(Json("${steps.look.data.target}"), vars, plan, problems);
  EXPECT_EQ(problems.size(), 2u) << "where no step's data can be";
}

TEST_F(Variables, CannotCarrySecretsOrListsIntoText) {
  expand_one("${secret.password}");
  EXPECT_EQ(problems.size(), 1u);
  expand_one("a ${list}");
  EXPECT_EQ(problems.size(), 2u);
}

TEST_F(Variables, GiveAddressesOfHosts) {
  EXPECT_EQ(expand_one("${host.one}:80"), "\"one:80\"");
  expand_one("${host.two}");
  EXPECT_EQ(problems.size(), 1u);
}

}  // namespace
}  // namespace lifeboat
