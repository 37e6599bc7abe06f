#include "cli/check.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/schema.hpp"
#include "core/data/json.hpp"

namespace lifeboat {
namespace {

const std::string kReference = std::string(LIFEBOAT_SOURCE_DIR) + "/examples/dating-profile-optimizer/plan.yaml";
const std::string kCorpus = std::string(LIFEBOAT_SOURCE_DIR) + "/src/plan/corpus/";

struct Answer {
  int code = 0;
  std::string text;
};

Answer check(const std::string& plan, const std::string& format = "text") {
  testing::internal::CaptureStdout();
  int code = run_check({.plan = plan, .format = format, .today = Date{2026, 1, 1}});
  return {code, testing::internal::GetCapturedStdout()};
}

TEST(Check, PassesTheReferencePlanAndTellsWhatItContradicts) {
  Answer answer = check(kReference);
  EXPECT_EQ(answer.code, 0) << answer.text;
  EXPECT_NE(answer.text.find("complete-rebuild may take 12h, longer than the plan's RTO of 4h"), std::string::npos)
      << answer.text;
  EXPECT_EQ(answer.text.find('\x1b'), std::string::npos) << "colour is only for terminals";
}

TEST(Check, SaysOfEachScenarioWhetherItCanBeRunToday) {
  Answer answer = check(kReference, "json");
  auto json = parse_json(answer.text);
  ASSERT_TRUE(json) << answer.text;
  int runnable = 0, blocked = 0;
  for (const Json& scenario : member(*json, "scenarios").as_array()) {
    bool can = bool_or(scenario, "runnable");
    (can ? runnable : blocked)++;
    EXPECT_EQ(can, member(scenario, "reasons").as_array().empty());
    if (text_or(scenario, "scenario") == "region-failover" || text_or(scenario, "scenario") == "failback")
      EXPECT_TRUE(can);
  }
  EXPECT_EQ(runnable, 8) << answer.text;
  EXPECT_EQ(blocked, 2);
}

TEST(Check, GivesEachFindingItsPlace) {
  Answer answer = check(kCorpus + "bad_unknown_key_step.yaml", "json");
  EXPECT_EQ(answer.code, 1);
  auto json = parse_json(answer.text);
  ASSERT_TRUE(json) << answer.text;
  const Json& finding = member(*json, "findings").as_array().at(0);
  EXPECT_EQ(text_or(finding, "rule"), "shape");
  EXPECT_EQ(text_or(finding, "severity"), "error");
  EXPECT_EQ(int_or(finding, "line"), 14);
  EXPECT_GT(int_or(finding, "column"), 1);
  EXPECT_EQ(text_or(finding, "suggestion"), "did you mean 'timeout'?");
  EXPECT_TRUE(text_or(finding, "file").ends_with("bad_unknown_key_step.yaml"));
}

TEST(Check, EndsWithTwoWhenThereIsNothingToJudge) {
  EXPECT_EQ(check("/nowhere/plan.yaml").code, 2);
  EXPECT_EQ(check(kCorpus + "bad_nul.yaml").code, 2);
  EXPECT_EQ(check(kCorpus + "bad_alias_bomb.yaml").code, 2);
}

TEST(Check, PassesTheSmallestUsefulPlan) {
  EXPECT_EQ(check(std::string(LIFEBOAT_SOURCE_DIR) + "/examples/postgres-pair/plan.yaml").code, 0);
}

TEST(Schema, NamesItsVersionAndDescribesEachPartOfAPlan) {
  Json schema = plan_schema();
  EXPECT_EQ(text_or(schema, "$schema"), "https://json-schema.org/draft/2020-12/schema");
  for (const char* part : {"services", "scenarios", "decision_matrix", "people"})
    EXPECT_FALSE(text_or(member(member(schema, "properties"), part), "description").empty()) << part;
}

}  // namespace
}  // namespace lifeboat
