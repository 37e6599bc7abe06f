#include "core/validation/known_profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/validation/judge.hpp"
#include "core/validation/judge_access.hpp"

namespace lifeboat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Not one that hides anything, but one that differs by its key.
KeyedHash key(const std::string& name) {
  return [name](std::string_view text) { return name + std::to_string(std::hash<std::string_view>{}(text)); };
}

DatabaseProfile good_day() {
  DatabaseProfile out{.taken = "2026-01-01T03:00:00.000Z", .database = "shop", .server = "15", .system_id = "7"};
  out.tables = {{.name = "public.users", .rows = 500, .columns = {"id bigint not null"}, .contents = "sum-of-users"},
                {.name = "public.orders", .rows = 2'000, .columns = {"id integer"}, .highest_key = "2000"}};
  out.objects = {{"extension", "amcheck", "1.3"}, {"function", "public.reset()", "md5-of-reset"}};
  out.access =
      AccessProfile{.roles = {{"app", {"login"}}, {"postgres", {"superuser", "login"}}},
                    .settings = {{"app", "", "statement_timeout", "10s"}, {"", "shop", "app.key", "md5-of-key"}},
                    .actors = {{"job", "shop", "nightly", "at 0 2 * * *", "md5-of-command", ""}},
                    .unseen = {}};
  return out;
}

Checks judged(const HeldAgainst& held) {
  Checks out = judge_against(held.before, held.now, {}, Duration{0});
  std::ranges::move(judge_access(*held.before.access, *held.now.access), std::back_inserter(out));
  return out;
}

TEST(KnownProfile, KeepsNoHashThatCouldBeGuessedAt) {
  std::string kept = to_text(encode(to_keep(good_day(), key("k"))));
  for (const char* plain : {"md5-of-reset", "md5-of-key", "md5-of-command", "sum-of-users"})
    EXPECT_THAT(kept, Not(HasSubstr(plain)));
  // Nothing to hide in these.
  EXPECT_THAT(kept, HasSubstr("1.3"));
  EXPECT_THAT(kept, HasSubstr("10s"));
  std::string without = to_text(encode(to_keep(good_day(), {})));
  EXPECT_THAT(without, Not(HasSubstr("md5-of")));
  EXPECT_THAT(without, HasSubstr("public.reset()"));
}

TEST(KnownProfile, ComesBackFromTheJournalAndHoldsForTheSame) {
  auto known = decode<KnownProfile>(encode(to_keep(good_day(), key("k"))));
  ASSERT_TRUE(known);
  HeldAgainst held = comparable(*known, good_day(), key("k"));
  EXPECT_EQ(held.not_compared, "");
  Checks checks = judged(held);
  EXPECT_TRUE(all_hold(checks)) << in_words(checks);
  EXPECT_EQ(noted_in_words(checks), "");
}

TEST(KnownProfile, SeesWhatIsDefinedInAnotherWay) {
  KnownProfile known = to_keep(good_day(), key("k"));
  DatabaseProfile now = good_day();
  now.objects[1].definition = "md5-of-another";
  now.access->actors[0].definition = "md5-of-another";
  now.access->settings[1].value = "md5-of-another";
  Checks checks = judged(comparable(known, now, key("k")));
  EXPECT_THAT(in_words(checks), HasSubstr("setting app.key in database shop: has another value than then"));
  EXPECT_THAT(in_words(checks), HasSubstr("job nightly in database shop: is defined in another way"));
  EXPECT_THAT(noted_in_words(checks), HasSubstr("function public.reset(): is defined in another way"));
}

TEST(KnownProfile, SaysNothingOfDefinitionsUnderAnotherKeyAndTellsSo) {
  KnownProfile known = to_keep(good_day(), key("old"));
  DatabaseProfile now = good_day();
  now.access->roles.push_back({"mallory", {"superuser"}});
  HeldAgainst held = comparable(known, now, key("new"));
  EXPECT_THAT(held.not_compared, HasSubstr("the service's password is another than then"));
  Checks checks = judged(held);
  EXPECT_THAT(in_words(checks), HasSubstr("role mallory: is new"));
  EXPECT_THAT(in_words(checks), Not(HasSubstr("another")));
  EXPECT_EQ(noted_in_words(checks), "");
  EXPECT_THAT(comparable(to_keep(good_day(), {}), now, key("new")).not_compared, HasSubstr("had no password"));
}

TEST(KnownProfile, LeavesOutStatisticsBeforeCounts) {
  DatabaseProfile large = good_day();
  large.tables[0].columns = std::vector<std::string>(100, "a column");
  size_t all = to_text(encode(to_keep(large, key("k")))).size();
  KnownProfile known = to_keep(large, key("k"), all - 1);
  EXPECT_THAT(known.left_out, ElementsAre(ProfilePart::columns));
  EXPECT_EQ(known.profile.objects.size(), 2u);
  EXPECT_LT(to_text(encode(known)).size(), all);
  HeldAgainst held = comparable(known, large, key("k"));
  EXPECT_EQ(held.not_compared, "columns, for which the journal had no room");
  EXPECT_TRUE(all_hold(judged(held)));

  large.objects = std::vector<ObjectProfile>(100, {"index", "public.one", "d"});
  known = to_keep(large, key("k"), 1'200);
  EXPECT_THAT(known.left_out, ElementsAre(ProfilePart::columns, ProfilePart::objects));
  EXPECT_TRUE(known.profile.access.has_value());
  EXPECT_EQ(known.profile.rows(), 2'500);
  EXPECT_EQ(noted_in_words(judged(comparable(known, large, key("k")))), "");
}

TEST(KnownProfile, OfFarTooManyTablesKeepsTheLargest) {
  DatabaseProfile large = good_day();
  for (int index = 0; index < 1'000; ++index)
    large.tables.push_back({.name = "public.t" + std::to_string(index), .rows = index});
  KnownProfile known = to_keep(large, key("k"), 10'000);
  EXPECT_EQ(parts_in_words(known.left_out), "columns, objects, access, small tables");
  EXPECT_LE(to_text(encode(known)).size(), 10'000u);
  EXPECT_GT(to_text(encode(known)).size(), 9'000u);
  EXPECT_NE(known.profile.table("public.orders"), nullptr);
  EXPECT_NE(known.profile.table("public.t999"), nullptr);
  EXPECT_EQ(known.profile.table("public.t0"), nullptr);
  // Those that were left out are not taken for new.
  HeldAgainst held = comparable(known, large, key("k"));
  EXPECT_EQ(noted_in_words(judge_against(held.before, held.now, {}, Duration{0})), "");
}

TEST(KnownProfile, TheNewestOfBeforeTheDataIsChosen) {
  auto at = [](const std::string& taken) {
    KnownProfile known;
    known.profile.taken = taken;
    return std::make_shared<const KnownProfile>(known);
  };
  KnownProfiles all{at("2026-01-01T00:00:00.000Z"), at("2026-02-01T00:00:00.000Z"), at("2026-03-01T00:00:00.000Z")};
  EXPECT_EQ(newest_of(all, {}), all[2]);
  EXPECT_EQ(newest_of(all, parse_wall("2026-02-15T00:00:00Z")), all[1]);
  EXPECT_EQ(newest_of(all, parse_wall("2026-02-01T00:00:00Z")), all[1]);
  EXPECT_EQ(newest_of(all, parse_wall("2025-12-31T00:00:00Z")), nullptr);
  EXPECT_EQ(newest_of({}, {}), nullptr);
}

TEST(KnownProfile, ACopyHoldsDataUntilTheFirstCommitThatIsNotInIt) {
  auto of = [](const std::string& text) { return data_until(*parse_json(text)); };
  EXPECT_EQ(
      of(R"({"target":{"kind":"time"},"reached":{"time":"2026-01-01 01:00:00Z","next_time":"2026-01-01 02:00:00.5Z"}})"),
      parse_wall("2026-01-01T02:00:00.500Z"));
  EXPECT_EQ(of(R"({"target":{"kind":"immediate"},"reached":{"time":"2026-01-01 01:00:00Z"}})"),
            parse_wall("2026-01-01T01:00:00Z"));
  EXPECT_EQ(of(R"({"target":{"kind":"latest"},"reached":{"time":"2026-01-01 01:00:00Z"}})"), std::nullopt);
  EXPECT_EQ(of("{}"), std::nullopt);
}

TEST(KnownProfile, WhoMayDoWhatIsToldAgainstItOrWithoutIt) {
  KnownProfile known = to_keep(good_day(), key("k"));
  AccessProfile now = *good_day().access;
  EXPECT_EQ(access_in_words(&known, now, key("k")), "since the profile of 2026-01-01T03:00:00.000Z: nothing is new");
  now.roles.push_back({"mallory", {"superuser"}});
  EXPECT_EQ(access_in_words(&known, now, key("k")),
            "since the profile of 2026-01-01T03:00:00.000Z: role mallory: is new, with superuser");
  std::string alone = access_in_words(nullptr, now, key("k"));
  EXPECT_THAT(alone, HasSubstr("no profile is known from before it: superusers: postgres, mallory"));
  for (int index = 0; index < 30; ++index) now.roles.push_back({"m" + std::to_string(index), {"createdb"}});
  EXPECT_THAT(access_in_words(&known, now, key("k")), HasSubstr("role m18: is new, with createdb; and 11 more"));
}

}  // namespace
}  // namespace lifeboat
