#include "core/expression/expression.hpp"

#include <gtest/gtest.h>

#include <map>

namespace lifeboat {
namespace {

Result<bool> judge(std::string_view text, std::map<std::string, Json> values = {}) {
  auto parsed = Expression::parse(text);
  if (!parsed) return fail(ErrorKind::internal, parsed.error().text());
  return parsed->holds([&](std::span<const std::string> path) {
    std::string name;
    for (const std::string& part : path) name += (name.empty() ? "" : ".") + part;
    auto found = values.find(name);
    return found == values.end() ? Json() : found->second;
  });
}

ExpressionProblem problem_of(std::string_view text) {
  auto parsed = Expression::parse(text);
  return parsed ? ExpressionProblem{0, "it was accepted", ""} : parsed.error();
}

TEST(Expression, ComparesNumbersDurationsTextsAndTruths) {
  EXPECT_TRUE(*judge("1 < 2 and 2 <= 2 and 3 > 2 and -1 < 0.5"));
  EXPECT_TRUE(*judge("90s == 1m30s and 15m == 900"));
  EXPECT_TRUE(*judge("'a' != 'b' and 'a' < \"b\""));
  EXPECT_TRUE(*judge("true != false"));
  EXPECT_FALSE(*judge("1 == 2"));
}

TEST(Expression, BindsAndTighterThanOrAndNotTightest) {
  EXPECT_TRUE(*judge("true or false and false"));
  EXPECT_FALSE(*judge("(true or false) and false"));
  EXPECT_TRUE(*judge("not false and true"));
  EXPECT_TRUE(*judge("not (1 == 2)"));
}

TEST(Expression, ReadsStepsAndVariables) {
  std::map<std::string, Json> values{{"steps.assess-db.data.lag_s", Json(31)},
                                     {"steps.assess-db.status", Json("done")},
                                     {"vars.to", Json("us-west-2")}};
  EXPECT_TRUE(*judge("steps.assess-db.data.lag_s > 30s", values));
  EXPECT_TRUE(*judge("steps.assess-db.status == 'done' and vars.to == 'us-west-2'", values));
}

TEST(Expression, DoesNotLookAtTheRightSideWhenTheLeftDecides) {
  EXPECT_FALSE(*judge("false and vars.missing > 1"));
  EXPECT_TRUE(*judge("true or vars.missing > 1"));
}

TEST(Expression, SaysSoInsteadOfBeingQuietlyFalseWhenAValueIsMissingOrDoesNotFit) {
  EXPECT_FALSE(judge("vars.missing > 1").has_value());
  EXPECT_FALSE(judge("'text' > 1").has_value());
  EXPECT_FALSE(judge("vars.missing").has_value());
  EXPECT_NE(judge("vars.missing > 1").error().what.find("vars.missing"), std::string::npos);
  EXPECT_TRUE(*judge("vars.missing == null"));
}

TEST(Expression, NamesTheColumnOfWhatIsWrong) {
  EXPECT_EQ(problem_of("1 < and").column, 5u);
  EXPECT_EQ(problem_of("vars.a = 1").column, 8u);
  EXPECT_EQ(problem_of("vars.a = 1").suggestion, "write ==");
  EXPECT_EQ(problem_of("(1 == 1").column, 8u);
  EXPECT_EQ(problem_of("1 == 1 2").column, 8u);
  EXPECT_EQ(problem_of("'open").column, 1u);
  EXPECT_EQ(problem_of("1 < 2 < 3").column, 7u);
  EXPECT_EQ(problem_of("done == 1").column, 1u);
  EXPECT_EQ(problem_of("").column, 1u);
}

TEST(Expression, RefusesWhatIsTooDeepOrTooLong) {
  EXPECT_EQ(problem_of(std::string(200, '(') + "1" + std::string(200, ')')).message, "nested too deeply");
  std::string nots;
  for (int index = 0; index < 100; ++index) nots += "not ";
  EXPECT_EQ(problem_of(nots + "true").message, "nested too deeply");
  EXPECT_NE(problem_of(std::string(2'000, ' ') + "true").message, "it was accepted");
}

TEST(Expression, NeverCrashesOnWhatItIsGiven) {
  const std::string alphabet = "()<>=!'\" .-$|&stepsvar.1d0andornot\t\x01\xff";
  uint64_t seed = 7;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (int length = 0; length < round % 24; ++length) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      text += alphabet[(seed >> 33) % alphabet.size()];
    }
    auto parsed = Expression::parse(text);
    if (!parsed) {
      ASSERT_GE(parsed.error().column, 1u) << text;
      ASSERT_LE(parsed.error().column, text.size() + 1) << text;
    }
  }
}

TEST(Expression, FindsUnknownStepsAndVariablesBeforeARun) {
  std::vector<std::string> steps{"promote", "confirm"};
  std::vector<std::string> vars{"to"};
  EXPECT_TRUE(check_expression("steps.promote.status == 'done' and vars.to != ''", steps, vars).empty());
  auto problems = check_expression("steps.promot.status == 'done' or vars.too == 1", steps, vars);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].column, 1u);
  EXPECT_EQ(problems[0].message, "there is no step 'promot'");
  EXPECT_NE(problems[0].suggestion.find("promote"), std::string::npos);
  EXPECT_EQ(problems[1].column, 34u);
}

}  // namespace
}  // namespace lifeboat
