#include "core/clean_point/checks.hpp"

#include <gtest/gtest.h>

namespace lifeboat::clean_point {
namespace {

using Rows = std::vector<std::vector<std::optional<std::string>>>;

TEST(CleanPointChecks, StatementsAreCutWhereTheyEndAndNamedByTheirComment) {
  auto checks = parse_checks(
      "-- orders keep their customers\n"
      "SELECT id FROM orders WHERE customer IS NULL;\n"
      "-- database: billing\n"
      "-- no empty month\n"
      "SELECT count(*) > 0 /* ; */ FROM months WHERE name = 'a;b' AND note = $x$;$x$; SELECT 1 = 1",
      "app");
  ASSERT_TRUE(checks) << checks.error().text();
  ASSERT_EQ(checks->size(), 3u);
  EXPECT_EQ((*checks)[0].name, "orders keep their customers");
  EXPECT_EQ((*checks)[0].database, "app");
  EXPECT_EQ((*checks)[0].line, 2u);
  EXPECT_EQ((*checks)[1].database, "billing");
  EXPECT_EQ((*checks)[1].name, "no empty month");
  EXPECT_EQ((*checks)[2].name, "SELECT 1 = 1");
}

TEST(CleanPointChecks, WhatIsNotClosedOrChangesDataIsRefusedWithItsLine) {
  for (std::string_view text :
       {"SELECT 'a;\n", "\n\nSELECT $q$ ;", "/* no end", "SELECT 1;\nDELETE FROM t;", "", ";;"}) {
    auto checks = parse_checks(text, "app");
    ASSERT_FALSE(checks) << text;
    EXPECT_EQ(checks.error().kind, ErrorKind::invalid_input);
  }
  EXPECT_NE(parse_checks("SELECT 1;\nDELETE FROM t;", "app").error().what.find("line 2"), std::string::npos);
}

TEST(CleanPointChecks, WithoutADatabaseTheyAreAskedInTheOnlyOneOfUsers) {
  EXPECT_EQ(usual_database({"app", "postgres"}).value_or(""), "app");
  EXPECT_EQ(usual_database({"postgres"}).value_or(""), "postgres");
  auto several = usual_database({"app", "billing", "postgres"});
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().kind, ErrorKind::invalid_input);
  EXPECT_NE(several.error().text().find("app, billing"), std::string::npos) << several.error().text();
  EXPECT_NE(several.error().hint.find("--database"), std::string::npos);
}

TEST(CleanPointChecks, NoRowOrOneThatIsTrueHolds) {
  EXPECT_TRUE(judge_rows({"id"}, {}).holds);
  EXPECT_TRUE(judge_rows({"ok"}, {{"t"}}).holds);
  EXPECT_FALSE(judge_rows({"ok"}, {{"f"}}).holds);
  EXPECT_FALSE(judge_rows({"ok"}, Rows{{std::nullopt}}).holds);
  EXPECT_FALSE(judge_rows({"ok"}, {{"t"}, {"t"}}).holds);
  Answer answer = judge_rows({"id", "note"}, {{"7", std::nullopt}, {"8", "x"}});
  EXPECT_FALSE(answer.holds);
  EXPECT_EQ(answer.said, "2 rows, the first: id=7, note=NULL");
}

TEST(CleanPointChecks, AMissingTableIsBadDataAndAMistypedCheckIsNot) {
  EXPECT_EQ(refusal_of("42P01"), Refusal::bad_data);
  EXPECT_EQ(refusal_of("XX001"), Refusal::bad_data);
  EXPECT_EQ(refusal_of("42601"), Refusal::wrong_check);
  EXPECT_EQ(refusal_of("55P03"), Refusal::locked);
  EXPECT_EQ(refusal_of("57014"), Refusal::undecided);
  EXPECT_EQ(refusal_of(""), Refusal::undecided);
}

TEST(CleanPointChecks, WhenNoneIsLeftThatTellsAnythingThatIsSaidAndNotThatAllIsWell) {
  EXPECT_TRUE(something_still_tells({}, 1));
  EXPECT_TRUE(something_still_tells({"by chance"}, 1));
  auto none = something_still_tells({"by chance"}, 0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::invalid_input);
  EXPECT_NE(none.error().text().find("'by chance' answers now so, now so"), std::string::npos) << none.error().text();
  EXPECT_FALSE(something_still_tells({}, 0));
}

}  // namespace
}  // namespace lifeboat::clean_point
