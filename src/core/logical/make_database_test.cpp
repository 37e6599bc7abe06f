#include "core/logical/make_database.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

DatabaseMade german() {
  return {.encoding = "LATIN1", .provider = "c", .collate = "de_DE", .ctype = "de_DE", .locale = {}, .settings = {}};
}

TEST(MakingADatabase, ItGetsTheEncodingAndTheLocaleThatItHad) {
  DatabaseMade made = german();
  EXPECT_EQ(create_database_sql("shop", &made),
            "CREATE DATABASE \"shop\" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'de_DE' LC_CTYPE 'de_DE'");
  made.provider = "i";
  made.locale = "de-AT";
  EXPECT_EQ(create_database_sql("sh\"op", &made),
            "CREATE DATABASE \"sh\"\"op\" TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' "
            "LC_COLLATE 'de_DE' LC_CTYPE 'de_DE'");
  EXPECT_EQ(create_database_sql("shop", nullptr), "CREATE DATABASE \"shop\" TEMPLATE template0");
}

TEST(MakingADatabase, ASettingIsGivenBackAsTheServerKeepsIt) {
  EXPECT_EQ(setting_sql("shop", {"", "work_mem", "64MB"}), "ALTER DATABASE \"shop\" SET \"work_mem\" TO '64MB'");
  EXPECT_EQ(setting_sql("shop", {"sel'ler", "app.key", "it's"}),
            "ALTER ROLE \"sel'ler\" IN DATABASE \"shop\" SET \"app.key\" TO 'it''s'");
  EXPECT_EQ(setting_sql("shop", {"", "log_line_prefix", "a\\b"}),
            "ALTER DATABASE \"shop\" SET \"log_line_prefix\" TO E'a\\\\b'");
}

TEST(MakingADatabase, ListsOfNamesStayLists) {
  EXPECT_EQ(setting_sql("shop", {"", "search_path", "\"$user\", public, \"a \"\"b\"\", c\""}),
            "ALTER DATABASE \"shop\" SET \"search_path\" TO '$user', 'public', 'a \"b\", c'");
  EXPECT_EQ(setting_sql("shop", {"", "search_path", "\"\""}), "ALTER DATABASE \"shop\" SET \"search_path\" TO ''");
  EXPECT_EQ(setting_sql("shop", {"", "search_path", ""}), "ALTER DATABASE \"shop\" SET \"search_path\" TO ''");
}

TEST(MakingADatabase, WhatDiffersFailsWhenItWasMadeNowAndIsToldOtherwise) {
  DatabaseMade before = german(), now = german();
  before.settings = {{"", "search_path", "shop"}, {"", "app.key", "secret"}, {"seller", "work_mem", "64MB"}};
  now.settings = {{"", "search_path", "public"}};
  now.collate = "C";
  Checks made = judge_made(before, now, true);
  ASSERT_EQ(made.size(), 4u);
  EXPECT_EQ(made[0].text, "is C, and was de_DE where it was dumped");
  EXPECT_EQ(made[0].verdict, Verdict::failed);
  EXPECT_EQ(made[1].name, "database setting search_path");
  EXPECT_EQ(made[1].text, "has another value");
  EXPECT_EQ(made[2].text, "is not set");
  EXPECT_EQ(made[2].verdict, Verdict::failed);
  EXPECT_EQ(made[3].name, "database setting work_mem for role seller");
  EXPECT_EQ(made[3].verdict, Verdict::noted) << "that role may not exist here";
  for (const Check& check : made) EXPECT_EQ((check.name + check.text).find("secret"), std::string::npos);
  EXPECT_TRUE(all_hold(judge_made(before, now, false)));
  EXPECT_EQ(judge_made(before, now, false).size(), 4u);
}

TEST(MakingADatabase, TheSameIsTheSame) {
  DatabaseMade made = german();
  made.settings = {{"", "work_mem", "64MB"}};
  Checks checks = judge_made(made, made, true);
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].verdict, Verdict::passed);
}

}  // namespace
}  // namespace lifeboat
