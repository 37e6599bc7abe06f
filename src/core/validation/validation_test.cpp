#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/validation/application.hpp"
#include "core/validation/judge.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;

DatabaseProfile shop() {
  DatabaseProfile out;
  out.taken = "2024-01-01T02:00:00.000Z";
  out.database = "shop";
  out.tables = {{"public.users", 1'000, 8'192, false, {"id bigint not null", "name text"}, "1000", ""},
                {"public.orders", 20'000, 8'192, false, {"id bigint not null"}, "20000", ""},
                {"public.carts", 50, 8'192, true, {"id bigint"}, "", ""}};
  out.objects = {{"index", "public.users_pkey", "a"}, {"constraint", "users_pkey on public.users", "b"}};
  return out;
}

std::vector<std::string> bad(const Checks& checks) {
  std::vector<std::string> out;
  for (const Check& check : checks) {
    if (check.verdict == Verdict::failed || check.verdict == Verdict::unknown) out.push_back(check.name);
  }
  return out;
}
Checks against(const DatabaseProfile& now, const RowBounds& bounds = {}, Duration age = std::chrono::hours(24)) {
  return judge_against(shop(), now, bounds, age);
}

TEST(Validation, HoldsWhenNothingChanged) {
  Checks checks = against(shop(), {.exact = true});
  EXPECT_TRUE(all_hold(checks));
  EXPECT_THAT(in_words(checks), HasSubstr("all 5 checks hold"));
}

TEST(Validation, MissesASingleRow) {
  DatabaseProfile now = shop();
  now.tables[0].rows = 999;
  Checks checks = against(now);
  EXPECT_THAT(bad(checks), testing::ElementsAre("rows of public.users"));
  EXPECT_THAT(in_words(checks), HasSubstr("999 rows, 1,000 were known: 0.1 % are missing"));
  EXPECT_TRUE(all_hold(against(now, {.fewer = 0.001})));
  now.tables[0].rows = 998;
  EXPECT_FALSE(all_hold(against(now, {.fewer = 0.001})));
}

TEST(Validation, TakesAnEmptyOrMissingTableForALoss) {
  DatabaseProfile now = shop();
  now.tables[1].rows = 0;
  EXPECT_THAT(bad(against(now, {.fewer = 0.999999})), testing::ElementsAre("rows of public.orders"));
  now = shop();
  now.tables.erase(now.tables.begin());
  EXPECT_THAT(bad(against(now, {.fewer = 1})), testing::ElementsAre("table public.users"));
  EXPECT_THAT(bad(judge_against({}, shop(), {}, {})), testing::ElementsAre("profile"));
  EXPECT_FALSE(all_hold(judge_alone({})));
  EXPECT_TRUE(all_hold(judge_alone(shop())));
}

TEST(Validation, BoundsGrowthByTimeAndLeavesSmallTablesAlone) {
  DatabaseProfile now = shop();
  now.tables[1].rows = 26'000;
  now.tables[0].rows = 1'900;
  EXPECT_TRUE(all_hold(against(now)));
  EXPECT_THAT(bad(against(now, {.more = 0.25})), testing::ElementsAre("rows of public.orders"));
  EXPECT_THAT(bad(against(now, {.more_per_day = 0.2})), testing::ElementsAre("rows of public.orders"));
  EXPECT_TRUE(all_hold(against(now, {.more_per_day = 0.2}, std::chrono::hours(48))));
  EXPECT_FALSE(all_hold(against(now, {.exact = true})));
}

TEST(Validation, SaysWhatChangedInTheShapeOfATable) {
  DatabaseProfile now = shop();
  now.tables[0].columns = {"id bigint not null", "name character varying(20)"};
  Checks checks = against(now);
  EXPECT_THAT(bad(checks), testing::ElementsAre("columns of public.users"));
  EXPECT_THAT(in_words(checks), HasSubstr("without 'name text', with 'name character varying(20)'"));
  now.tables[0].columns = {"id bigint not null", "name text", "mail text"};
  EXPECT_TRUE(all_hold(against(now)));
}

TEST(Validation, NoticesThatTheNewestRowsGaveWayToOthers) {
  DatabaseProfile now = shop();
  now.tables[1].highest_key = "9999";
  EXPECT_THAT(bad(against(now)), testing::ElementsAre("newest rows of public.orders"));
  now.tables[1].highest_key = "100000";
  EXPECT_TRUE(all_hold(against(now)));
}

TEST(Validation, HoldsContentsToTheSameMomentOnly) {
  DatabaseProfile before = shop(), now = shop();
  before.tables[0].contents = "123";
  now.tables[0].contents = "124";
  EXPECT_TRUE(all_hold(judge_against(before, now, {}, {})));
  EXPECT_THAT(bad(judge_against(before, now, {.exact = true}, {})), testing::ElementsAre("contents of public.users"));
}

TEST(Validation, KnowsThatUnloggedTablesAreEmptiedByARecovery) {
  DatabaseProfile now = shop();
  now.tables[2].rows = 0;
  EXPECT_TRUE(all_hold(against(now)));
}

TEST(Validation, MissesObjectsAndNotesChangedOnes) {
  DatabaseProfile now = shop();
  now.objects[1].definition = "other";
  EXPECT_TRUE(all_hold(against(now)));
  now.objects.erase(now.objects.begin());
  EXPECT_THAT(bad(against(now)), testing::ElementsAre("index public.users_pkey"));
}

TEST(Validation, NotesWhatRunsAndWasNotKnown) {
  DatabaseProfile now = shop();
  now.objects.push_back({"trigger", "late on public.users", "c"});
  now.objects.push_back({"index", "public.users_name", "d"});
  Checks checks = against(now);
  EXPECT_TRUE(all_hold(checks));
  auto late = std::ranges::find(checks, "trigger late on public.users", &Check::name);
  ASSERT_NE(late, checks.end());
  EXPECT_EQ(late->verdict, Verdict::noted);
  EXPECT_EQ(std::ranges::find(checks, "index public.users_name", &Check::name), checks.end());
}

TEST(Validation, JudgesWhatIsWrongInside) {
  Integrity sound;
  sound.checksums = true;
  sound.foreign_keys = 3;
  sound.sequences = 2;
  sound.relations = 9;
  EXPECT_TRUE(all_hold(judge_integrity(sound)));
  Integrity wrong = sound;
  wrong.orphans = {{"orders_user", "public.orders", "public.users", 4}};
  wrong.behind = {{"public.users_id_seq", "public.users.id", "7", "1000"}};
  wrong.invalid_indexes = {"public.i"};
  wrong.unproven = {"c on public.t"};
  wrong.checksum_failures = 2;
  wrong.damage = {{"public.users", "block 3 …"}};
  wrong.unknown = {{"foreign key x", "permission denied"}};
  EXPECT_EQ(bad(judge_integrity(wrong)).size(), 6u);
  Integrity blind;
  blind.no_amcheck = "the extension is not in this database";
  EXPECT_TRUE(all_hold(judge_integrity(blind))) << "what cannot be known is noted, not failed";
}

TEST(Validation, NamesOnlyAsManyFailuresAsAPersonReads) {
  Checks many;
  for (int n = 0; n < 9; ++n) many.push_back({fmt::format("c{}", n), Verdict::failed, "no", nullptr, nullptr});
  EXPECT_THAT(in_words(many, 2), testing::EndsWith("c0: no; c1: no; and 7 more"));
}

TEST(Profile, IsReadAsItWasWritten) {
  auto read = read_profile(profile_text(shop()));
  ASSERT_TRUE(read.has_value()) << read.error().text();
  EXPECT_EQ(profile_text(*read), profile_text(shop()));
  EXPECT_EQ(read->rows(), 21'050);
  EXPECT_FALSE(read_profile("{}").has_value());
  EXPECT_FALSE(read_profile("garbage").has_value());
}

TEST(Health, IsThatOfEveryPart) {
  EXPECT_TRUE(all_hold(judge_health(200, R"({"status":"ok","parts":{"database":{"status":"healthy"}}})", nullptr)));
  Checks part = judge_health(200, R"({"status":"ok","parts":{"database":{"status":"down"}}})", nullptr);
  EXPECT_THAT(bad(part), testing::ElementsAre("health parts.database.status"));
  EXPECT_THAT(bad(judge_health(503, R"({"cache":{"ok":false}})", nullptr)),
              testing::ElementsAre("health answers", "health cache.ok"));
  EXPECT_FALSE(all_hold(judge_health(200, "<html>", nullptr)));
  EXPECT_TRUE(all_hold(judge_health(200, "{}", nullptr)));
  EXPECT_FALSE(all_hold(judge_health(200, "{}", JsonObject{{"database", "ok"}})));
  EXPECT_TRUE(all_hold(judge_health(200, R"({"database":"ok"})", JsonObject{{"database", "ok"}})));
}

TEST(Fields, AreHeldAgainstWhatIsExpected) {
  std::string body = R"({"id":7,"name":"test","bio":"b","tags":["a"],"plan":{"name":"free","since":null}})";
  auto judge = [&](const char* expected) { return bad(judge_fields("profile", 200, body, *parse_json(expected))); };
  EXPECT_TRUE(judge(R"({"id":7.0,"name":"test","bio":"*","tags":["a"],"plan":{"name":"free"}})").empty());
  EXPECT_TRUE(judge(R"({"id":">= 7"})").empty());
  EXPECT_THAT(judge(R"({"id":">= 8","name":"<= 1"})"), testing::ElementsAre("profile.id", "profile.name"));
  EXPECT_THAT(judge(R"({"id":8})"), testing::ElementsAre("profile.id"));
  EXPECT_THAT(judge(R"({"email":"*"})"), testing::ElementsAre("profile.email"));
  EXPECT_THAT(judge(R"({"plan":{"since":"*"}})"), testing::ElementsAre("profile.plan.since"));
  EXPECT_THAT(judge(R"({"name":{"first":"x"}})"), testing::ElementsAre("profile.name"));
  EXPECT_FALSE(all_hold(judge_fields("profile", 401, "{}", nullptr)));
}

}  // namespace
}  // namespace lifeboat
