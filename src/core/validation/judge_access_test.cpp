#include "core/validation/judge_access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

AccessProfile good_day() {
  AccessProfile out;
  out.roles = {{"app", {"login"}}, {"postgres", {"superuser", "login"}}, {"standby", {"replication", "login"}}};
  out.settings = {{"app", "", "statement_timeout", "10s"}, {"", "shop", "app.key", "hash-of-a-secret"}};
  out.actors = {{"event trigger", "shop", "audit", "on ddl_command_end, runs public.audit", "a", ""},
                {"job", "postgres", "nightly of app", "at 0 2 * * *", "b", ""},
                {"foreign server", "shop", "stock", "of postgres_fdw", "c", "10.0.0.9"},
                {"definer function", "shop", "public.reset()", "acts as superuser postgres", "d", ""}};
  return out;
}

std::vector<std::string> of(const Checks& checks, Verdict verdict) {
  std::vector<std::string> out;
  for (const Check& check : checks) {
    if (check.verdict == verdict) out.push_back(check.name + ": " + check.text);
  }
  return out;
}
std::vector<std::string> failures(const AccessProfile& now) {
  return of(judge_access(good_day(), now), Verdict::failed);
}

TEST(Access, HoldsWhenNobodyWasGivenMore) {
  Checks checks = judge_access(good_day(), good_day());
  EXPECT_TRUE(all_hold(checks));
  EXPECT_THAT(of(checks, Verdict::passed), ElementsAre("roles: none of 3 may do more than then",
                                                       "settings of roles and databases: none of 2 is new or another",
                                                       "what acts by itself: none of 4 is new"));
  EXPECT_THAT(of(checks, Verdict::noted), IsEmpty());
}

TEST(Access, NamesANewRoleAndWhatItMayDo) {
  AccessProfile now = good_day();
  now.roles.push_back({"mallory", {"superuser", "login"}});
  now.roles.push_back({"readers", {}});
  EXPECT_THAT(failures(now), ElementsAre("role mallory: is new, with superuser, login"));
  EXPECT_THAT(of(judge_access(good_day(), now), Verdict::noted),
              ElementsAre("role readers: is new, with no rights of its own"));
}

TEST(Access, NamesWhatARoleWasGivenAndNotWhatItLost) {
  AccessProfile now = good_day();
  now.roles[0].rights = {"createrole", "login", "member of pg_execute_server_program"};
  now.roles[2].rights = {"login"};
  EXPECT_THAT(failures(now),
              ElementsAre("role app: was given createrole, member of pg_execute_server_program; it had login"));
  now = good_day();
  now.roles.erase(now.roles.begin());
  EXPECT_THAT(failures(now), IsEmpty());
  EXPECT_THAT(of(judge_access(good_day(), now), Verdict::noted), ElementsAre("role app: is gone"));
}

TEST(Access, NamesNewAndOtherSettingsButNoSecretOfAnApplication) {
  AccessProfile now = good_day();
  now.settings[0].value = "0";
  now.settings[1].value = "hash-of-another";
  now.settings.push_back({"postgres", "shop", "session_preload_libraries", "evil"});
  auto failed = failures(now);
  EXPECT_THAT(failed,
              ElementsAre("setting statement_timeout of role app: is '0', was '10s'",
                          "setting app.key in database shop: has another value than then",
                          "setting session_preload_libraries of role postgres in database shop: is new: 'evil'"));
}

TEST(Access, NamesWhatActsByItselfAndIsNewOrDefinedInAnotherWay) {
  AccessProfile now = good_day();
  now.actors[1].definition = "other";
  now.actors[2].reaches = "203.0.113.7";
  now.actors[3].definition = "other";
  now.actors.push_back({"subscription", "shop", "leak", "of all", "e", "203.0.113.7"});
  now.actors.push_back({"definer function", "shop", "public.backdoor(text)", "acts as superuser postgres", "f", ""});
  Checks checks = judge_access(good_day(), now);
  EXPECT_THAT(
      of(checks, Verdict::failed),
      ElementsAre(
          "job nightly of app in database postgres: is defined in another way; it says now: at 0 2 * * *",
          "foreign server stock in database shop: is defined in another way; it says now: of postgres_fdw, reaches "
          "203.0.113.7",
          "subscription leak in database shop: is new: of all, reaches 203.0.113.7",
          "definer function public.backdoor(text) in database shop: is new: acts as superuser postgres"));
  EXPECT_THAT(of(checks, Verdict::noted), ElementsAre(HasSubstr("definer function public.reset()")))
      << "functions change with every release";
  EXPECT_THAT(of(checks, Verdict::passed), Not(testing::Contains(HasSubstr("what acts by itself"))));
}

TEST(Access, KnowsAHostOnlyWhenBothSidesWereShownIt) {
  AccessProfile now = good_day();
  now.actors[2].reaches.clear();
  EXPECT_THAT(failures(now), IsEmpty());
}

TEST(Access, CallsNothingNewThatCouldNotBeLookedAtThen) {
  AccessProfile before = good_day(), now = good_day();
  before.actors.erase(before.actors.begin() + 1);
  before.unseen = {{"job", "postgres", "permission denied"}};
  EXPECT_TRUE(all_hold(judge_access(before, now)));
  EXPECT_THAT(of(judge_access(before, now), Verdict::noted), ElementsAre(HasSubstr("could not be looked at then")));
  now.actors.push_back({"job", "shop", "other of app", "", "", ""});
  EXPECT_FALSE(all_hold(judge_access(before, now))) << "it is in another database";
  before.unseen = {{"", "shop", "no connection"}, {"job", "postgres", "permission denied"}};
  EXPECT_TRUE(all_hold(judge_access(before, now)));
}

TEST(Access, DoesNotHoldWhenItCannotBeLookedAtAnyMore) {
  AccessProfile before = good_day(), now = good_day();
  now.actors.erase(now.actors.begin() + 1);
  now.unseen = {{"job", "postgres", "permission denied"}};
  Checks checks = judge_access(before, now);
  EXPECT_THAT(of(checks, Verdict::unknown),
              ElementsAre("every job in database postgres: could not be looked at: permission denied"));
  EXPECT_THAT(of(checks, Verdict::noted), IsEmpty()) << "what was not seen is not gone";
  before.unseen = now.unseen;
  EXPECT_TRUE(all_hold(judge_access(before, now))) << "as on every day";
}

TEST(Access, WithoutAProfileEverythingIsNotedForWhoeverApproves) {
  AccessProfile now = good_day();
  now.roles.push_back({"mallory", {"login", "member of pg_execute_server_program"}});
  Checks checks = note_access(now);
  EXPECT_TRUE(all_hold(checks));
  EXPECT_EQ(of(checks, Verdict::noted).size(), checks.size());
  std::string words = noted_in_words(checks);
  EXPECT_THAT(words, HasSubstr("superusers: postgres; "));
  EXPECT_THAT(words, HasSubstr("standby (replication, login), mallory (login, member of pg_execute_server_program)"));
  EXPECT_THAT(words, HasSubstr("event triggers: audit in shop (on ddl_command_end, runs public.audit)"));
  EXPECT_THAT(words, HasSubstr("jobs: nightly of app in postgres (at 0 2 * * *)"));
  EXPECT_THAT(words, HasSubstr("foreign servers: stock in shop (of postgres_fdw, reaches 10.0.0.9)"));
  EXPECT_THAT(words, HasSubstr("statement_timeout of role app, app.key in database shop"));
  EXPECT_THAT(words, Not(HasSubstr("hash-of-a-secret")));
  EXPECT_THAT(words, Not(HasSubstr("subscriptions")));
}

TEST(Access, TellsAFewNamesInWordsAndAllOfThemInData) {
  AccessProfile now;
  for (int n = 0; n < 15; ++n) now.roles.push_back({fmt::format("r{}", n), {"superuser"}});
  Checks checks = note_access(now);
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_THAT(checks[0].text, testing::EndsWith("r9 and 5 more"));
  EXPECT_EQ(checks[0].found.as_array().size(), 15U);
}

TEST(Access, IsToldAndFailsNothingWhereThePlanSaysSo) {
  AccessProfile now = good_day();
  now.roles.push_back({"mallory", {"superuser"}});
  Checks checks = only_noted(judge_access(good_day(), now));
  EXPECT_TRUE(all_hold(checks));
  EXPECT_THAT(noted_in_words(checks), HasSubstr("role mallory: is new, with superuser"));
}

TEST(Access, AHostileNameDoesNotReachTheTerminal) {
  AccessProfile now = good_day();
  now.roles.push_back({"\x1b[2Jnobody\n", {"superuser"}});
  EXPECT_THAT(failures(now), ElementsAre("role \\x1b[2Jnobody\\x0a: is new, with superuser"));
  EXPECT_THAT(noted_in_words(note_access(now)), Not(HasSubstr("\x1b")));
}

TEST(Access, OfAnOlderProfileIsUnknown) {
  auto older = read_profile(R"({"taken":"2024-01-01T02:00:00.000Z","database":"shop"})");
  ASSERT_TRUE(older) << older.error().text();
  EXPECT_FALSE(older->access.has_value());
  DatabaseProfile profile = *older;
  profile.access = good_day();
  auto read = read_profile(profile_text(profile));
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_TRUE(read->access.has_value());
  EXPECT_TRUE(all_hold(judge_access(good_day(), *read->access)));
  EXPECT_EQ(profile_text(*read), profile_text(profile));
}

}  // namespace
}  // namespace lifeboat
