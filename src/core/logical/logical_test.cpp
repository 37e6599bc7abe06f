#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/logical/backups.hpp"
#include "core/logical/duty.hpp"
#include "core/logical/place.hpp"
#include "core/logical/restore_messages.hpp"
#include "core/logical/source.hpp"
#include "core/logical/target.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;

WallTime at(std::string_view text) { return *parse_wall(text); }

TEST(LogicalName, OfTheWrittenPlanIsReadAndWritten) {
  auto read = parse_logical_path("database/dating_optimizer_full_20240101_020000.backup");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->database, "dating_optimizer");
  EXPECT_EQ(read->at, at("2024-01-01T02:00:00Z"));
  EXPECT_EQ(logical_name("dating_optimizer", read->at), "dating_optimizer_full_20240101_020000.backup");
}

TEST(LogicalName, GivesBackAnyDatabaseName) {
  for (const char* name : {"a", "a_full_20240101_020000", "Ü b/c%41", "%"}) {
    auto read = parse_logical_path("p/" + logical_name(name, at("2024-02-29T23:59:59Z")));
    ASSERT_TRUE(read.has_value()) << name;
    EXPECT_EQ(read->database, name);
  }
  for (const char* path : {"", "x.backup", "_full_20240101_020000.backup", "a_full_20240101_020000.backup.sha256",
                           "a_full_20240230_020000.backup", "a_full_20240101020000.backup", "latest_backup.backup",
                           "a%4_full_20240101_020000.backup", "a_incr_20240101_020000.backup"})
    EXPECT_FALSE(parse_logical_path(path).has_value()) << path;
}

std::vector<LogicalBackup> listing() {
  return logical_backups({{"d/shop_full_20240103_020000.backup", 30},
                          {"d/shop_full_20240101_020000.backup", 10},
                          {"d/shop_full_20240101_020000.backup.sha256", 1},
                          {"d/shop_full_20240101_020000.backup.profile.json", 1},
                          {"d/notes.txt", 5},
                          {"d/shop_full_20240102_020000.backup", 20}});
}

TEST(LogicalBackups, AreListedNewestLast) {
  auto all = listing();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].bytes, 10u);
  EXPECT_TRUE(all[0].checksum && all[0].profile);
  EXPECT_EQ(all[2].path, "d/shop_full_20240103_020000.backup");
  EXPECT_FALSE(all[2].checksum);
}

TEST(LogicalBackups, AreChosenByDateOrTheNewest) {
  EXPECT_EQ(choose_logical(listing(), "shop", *parse_backup_date("2024-01-02_020000"))->bytes, 20u);
  EXPECT_EQ(choose_logical(listing(), "", std::nullopt)->bytes, 30u);
  auto none = choose_logical(listing(), "shop", *parse_backup_date("2024-01-02_030000"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().kind, ErrorKind::not_found);
  EXPECT_EQ(none.error().hint,
            "the nearest before it is 2024-01-02_020000 of shop, the nearest after it is 2024-01-03_020000 of shop");
  auto other = choose_logical(listing(), "shpo", std::nullopt);
  EXPECT_THAT(other.error().hint, HasSubstr("shop"));
  EXPECT_FALSE(choose_logical({}, "", std::nullopt).has_value());
  for (const char* date : {"2024-01-01", "20240101_020000", "2024-01-01 02:00:00", "2024-13-01_020000", ""})
    EXPECT_FALSE(parse_backup_date(date).has_value()) << date;
}

TEST(LogicalBackups, OfSeveralDatabasesNeedAName) {
  auto all = logical_backups({{"a_full_20240101_020000.backup", 1}, {"b_full_20240101_020000.backup", 1}});
  EXPECT_EQ(choose_logical(all, "", std::nullopt).error().kind, ErrorKind::invalid_input);
  EXPECT_TRUE(choose_logical(all, "b", std::nullopt).has_value());
  auto twice = logical_backups({{"x/a_full_20240101_020000.backup", 1}, {"y/a_full_20240101_020000.backup", 1}});
  EXPECT_EQ(choose_logical(twice, "a", std::nullopt).error().kind, ErrorKind::conflict);
}

TEST(LogicalChecksum, IsTheOneThatSha256sumWrites) {
  std::string digits(64, 'a');
  EXPECT_EQ(*parse_checksum(digits + "  n.backup\n", "n.backup"), digits);
  EXPECT_EQ(*parse_checksum(digits + " *n.backup", "n.backup"), digits);
  for (const std::string& text : {std::string(), digits, digits + "  other", std::string(64, 'A') + "  n.backup",
                                  digits + "   n.backup", "<html>" + digits + "  n.backup"})
    EXPECT_FALSE(parse_checksum(text, "n.backup").has_value()) << text;
}

std::vector<LogicalBackup> daily(int days, uint64_t newest_bytes = 100, bool newest_whole = true) {
  std::vector<LogicalBackup> all;
  for (int day = days; day-- > 0;)
    all.push_back({"shop", at("2024-03-01T02:00:00Z") - std::chrono::days(day), std::to_string(day), 100, true, true});
  all.back().bytes = newest_bytes;
  all.back().checksum = newest_whole;
  return all;
}
size_t gone(const std::vector<LogicalExpiry>& judged) {
  return static_cast<size_t>(std::ranges::count(judged, false, &LogicalExpiry::keep));
}

TEST(LogicalRetentionRule, LetsGoOnlyWhatIsOldAndNotNeeded) {
  LogicalRetention retention{std::chrono::days(10), 3};
  WallTime now = at("2024-03-01T12:00:00Z");
  EXPECT_EQ(gone(judge_retention(daily(15), retention, now)), 5u);
  EXPECT_FALSE(judge_retention(daily(15), retention, now).front().keep);
  // Even when all are old, and when somebody asks to keep none.
  EXPECT_EQ(gone(judge_retention(daily(5), {Duration{1'000}, 3}, now - std::chrono::hours(10))), 2u);
  EXPECT_EQ(gone(judge_retention(daily(1), {Duration{1'000}, 0}, now)), 0u);
}

TEST(LogicalRetentionRule, KeepsEverythingWhileTheNewestLooksWrong) {
  LogicalRetention retention{std::chrono::days(10), 3};
  WallTime now = at("2024-03-01T12:00:00Z");
  EXPECT_EQ(gone(judge_retention(daily(15, 40), retention, now)), 0u);
  EXPECT_EQ(gone(judge_retention(daily(15, 100, false), retention, now)), 0u);
  EXPECT_EQ(gone(judge_retention(daily(15), retention, now + std::chrono::days(40))), 0u);
  EXPECT_EQ(gone(judge_retention(daily(15), retention, now - std::chrono::days(1))), 0u) << "from the future";
}

TEST(LogicalRetentionRule, JudgesEachDatabaseByItself) {
  auto all = daily(15);
  all.push_back({"other", at("2023-01-01T00:00:00Z"), "o", 5, true, true});
  auto judged = judge_retention(all, {std::chrono::days(10), 3}, at("2024-03-01T12:00:00Z"));
  for (const LogicalExpiry& entry : judged) EXPECT_TRUE(entry.keep || entry.backup.database == "shop");
}

// Whatever the listing, a whole backup of each database that has one is left.
TEST(LogicalRetentionRule, NeverTakesTheLastWholeBackup) {
  uint64_t state = 42;
  auto draw = [&](uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  for (int round = 0; round < 2'000; ++round) {
    std::vector<LogicalBackup> all;
    for (uint64_t n = draw(12); n-- > 0;)
      all.push_back({draw(2) == 0 ? "a" : "b", at("2024-01-01T00:00:00Z") + std::chrono::hours(draw(2'000)), "",
                     draw(100), draw(3) > 0, false});
    auto judged = judge_retention(all, {std::chrono::hours(draw(500)), draw(4)}, at("2024-02-15T00:00:00Z"));
    EXPECT_EQ(judged.size(), all.size());
    for (const char* name : {"a", "b"}) {
      auto whole = [&](const auto& backup) { return backup.database == name && backup.checksum; };
      bool had = std::ranges::any_of(all, whole);
      bool has = std::ranges::any_of(judged, [&](const auto& e) { return e.keep && whole(e.backup); });
      EXPECT_EQ(had, has) << "round " << round;
    }
  }
}

TEST(LogicalPlaceName, IsAFolderOrABucket) {
  EXPECT_EQ(parse_place("/var/backups/")->folder, "/var/backups");
  auto store = parse_place("s3://bucket/database");
  EXPECT_EQ(store->bucket, "bucket");
  EXPECT_EQ(store->prefix, "database/");
  EXPECT_EQ(in_words(*store), "s3://bucket/database/");
  EXPECT_EQ(parse_place("s3://bucket")->prefix, "");
  for (const char* text : {"", "relative", "s3://", "s3:///x", "gs://b/x", "https://b/x"})
    EXPECT_FALSE(parse_place(text).has_value()) << text;
}

// Of days 1 to `count` of January, each whole.
std::vector<LogicalBackup> of_days(int count) {
  std::vector<LogicalBackup> out;
  for (int day = 1; day <= count; ++day)
    out.push_back({.database = "shop",
                   .at = at(fmt::format("2024-01-{:02}T02:00:00Z", day)),
                   .path = std::to_string(day),
                   .bytes = 100,
                   .checksum = true});
  return out;
}
std::vector<std::string> that_go(const std::vector<LogicalBackup>& all, size_t keep, std::string_view now) {
  std::vector<std::string> out;
  for (const LogicalExpiry& one : judge_keep(all, keep, at(now))) {
    if (!one.keep) out.push_back(one.backup.path);
  }
  return out;
}

TEST(LogicalKeep, TheNewestStayAndOnlyWholeOnesCount) {
  using testing::ElementsAre;
  EXPECT_THAT(that_go(of_days(5), 3, "2024-01-05T03:00:00Z"), ElementsAre("1", "2"));
  EXPECT_THAT(that_go(of_days(5), 5, "2024-01-05T03:00:00Z"), ElementsAre());
  EXPECT_THAT(that_go(of_days(5), 0, "2024-01-05T03:00:00Z"), ElementsAre("1", "2", "3", "4")) << "never the last one";
  auto all = of_days(5);
  all[4].checksum = false;  // may be under way
  EXPECT_THAT(that_go(all, 3, "2024-01-05T03:00:00Z"), ElementsAre("1"));
  EXPECT_THAT(that_go(all, 3, "2024-02-05T03:00:00Z"), ElementsAre("1")) << "nothing newer is whole";
  all = of_days(5);
  all[1].checksum = false;  // was cut off, and something newer is whole
  EXPECT_THAT(that_go(all, 3, "2024-01-05T03:00:00Z"), ElementsAre("1", "2"));
  EXPECT_THAT(that_go(all, 4, "2024-01-03T01:00:00Z"), ElementsAre()) << "a clock was wrong";
}

TEST(LogicalKeep, NothingGoesWhileTheNewestIsMuchSmallerThanUsualAndDatabasesAreCountedApart) {
  auto all = of_days(5);
  all[4].bytes = 40;
  EXPECT_TRUE(that_go(all, 1, "2024-01-05T03:00:00Z").empty());
  EXPECT_THAT(judge_keep(all, 1, at("2024-01-05T03:00:00Z"))[0].reason, HasSubstr("40 bytes where 100 are usual"));
  all = of_days(2);
  all[0].database = "other";
  EXPECT_TRUE(that_go(all, 1, "2024-01-05T03:00:00Z").empty());
}

TEST(LogicalSource, IsTheStandbyThatIsLeastBehindAndThenThePrimary) {
  auto standby = [](std::string name, uint64_t replayed) {
    DumpServer out{.member = std::move(name), .connected = true};
    out.report.streaming = true;
    out.report.replayed = Lsn{replayed};
    return out;
  };
  std::vector<DumpServer> all{{.member = "east-1", .connected = true}, standby("east-2", 10), standby("west-1", 20)};
  EXPECT_THAT(dump_order(all, "east-1"), testing::ElementsAre("west-1", "east-1"));
  all[2].report.replay_delay = "1h";
  EXPECT_THAT(dump_order(all, "east-1"), testing::ElementsAre("east-2", "east-1"));
  all[1].report.replay_still_ms = 6'000;
  EXPECT_THAT(dump_order(all, "east-1"), testing::ElementsAre("east-1"));
  EXPECT_THAT(dump_order({}, ""), testing::ElementsAre());
}

TEST(LogicalDuty, ABackupIsTakenWhenTheNewestIsAsOldAsThePlanSays) {
  constexpr Duration kDay = std::chrono::hours(24);
  constexpr Duration kLong = std::chrono::hours(1000);
  WallTime now = at("2024-01-02T02:00:00Z");
  DumpSituation situation{.server = true, .since_last = kLong};
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::list);
  situation.listed = true;
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::take) << "there is none";
  situation.newest = at("2024-01-01T02:00:01Z");
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::nothing);
  situation.newest = at("2024-01-01T02:00:00Z");
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::take);
  situation.server = false;
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::nothing);
  situation.server = situation.ordered = true;
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::nothing);
  situation.ordered = false;
  situation.failures = 3;
  situation.since_last = Duration{1'000};
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::nothing) << "after a failure it waits";
  situation.since_last = kLong;
  situation.newest = at("2025-01-01T00:00:00Z");
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::take) << "one from the future is none";
  situation.stale = true;
  EXPECT_EQ(next_dump_duty(kDay, situation, now), DumpDuty::list);
}

TEST(LogicalDuty, AFailureAndABackupThatIsTooOldAreTold) {
  constexpr Duration kDay = std::chrono::hours(24);
  DumpSituation situation{.listed = true, .server = true, .newest = at("2024-01-01T02:00:00Z")};
  EXPECT_EQ(dump_trouble(kDay, situation, at("2024-01-02T14:00:00Z")), "");
  EXPECT_THAT(dump_trouble(kDay, situation, at("2024-01-02T14:00:01Z")), HasSubstr("due every 1d"));
  situation.problem = "the bucket is not there";
  EXPECT_THAT(dump_trouble(kDay, situation, at("2024-01-01T03:00:00Z")), HasSubstr("the bucket is not there"));
  DumpSituation none{.listed = true};
  EXPECT_THAT(dump_trouble(kDay, none, at("2024-01-01T03:00:00Z")), HasSubstr("nobody to take it from"));
}

TEST(LogicalTarget, ThatHoldsDataIsReplacedOnlyWhenSaidSo) {
  TargetFacts facts{.database = "shop", .host = "db-1"};
  EXPECT_TRUE(may_load(facts, {}).has_value());
  facts.tables = 3;
  facts.rows = 1000;
  EXPECT_THAT(may_load(facts, {}).error().hint, HasSubstr("--replace"));
  EXPECT_TRUE(may_load(facts, {.replace = true}).has_value());
  facts.sessions = 2;
  EXPECT_THAT(may_load(facts, {.replace = true}).error().hint, HasSubstr("--confirm shop@db-1"));
  facts.sessions = 0;
  facts.member = "east-1";
  EXPECT_FALSE(may_load(facts, {.replace = true}).has_value());
  EXPECT_FALSE(may_load(facts, {.replace = true, .confirmed = "shop@db-2"}).has_value());
  EXPECT_FALSE(may_load(facts, {.replace = false, .confirmed = "shop@db-1"}).has_value());
  EXPECT_TRUE(may_load(facts, {.replace = true, .confirmed = "shop@db-1"}).has_value());
  facts.in_recovery = true;
  EXPECT_THAT(may_load(facts, {.replace = true, .confirmed = "shop@db-1"}).error().what, HasSubstr("standby"));
}

TEST(RestoreWords, ThatOnlyConcernRolesLeaveTheDataWhole) {
  auto verdict = judge_restore(1,
                               "pg_restore: while PROCESSING TOC:\n"
                               "pg_restore: from TOC entry 215; 1259 16391 TABLE users app\n"
                               "pg_restore: error: could not execute query: ERROR:  role \"app\" does not exist\n"
                               "Command was: ALTER TABLE public.users OWNER TO app;\n\n\n"
                               "pg_restore: warning: errors ignored on restore: 1\n");
  EXPECT_TRUE(verdict.loaded);
  ASSERT_EQ(verdict.problems.size(), 1u);
  EXPECT_EQ(verdict.problems[0].weight, RestoreWeight::ownership);
  EXPECT_EQ(verdict.problems[0].entry, "TABLE users app");
  EXPECT_THAT(verdict.words, HasSubstr("do not exist here"));
}

TEST(RestoreWords, ThatTellOfMissingRowsOrObjectsAreNoSuccess) {
  auto copy = judge_restore(1,
                            "pg_restore: from TOC entry 3342; 0 16391 TABLE DATA users postgres\n"
                            "pg_restore: error: COPY failed for table \"users\": ERROR:  invalid byte sequence\n"
                            "CONTEXT:  COPY users, line 3\n"
                            "pg_restore: warning: errors ignored on restore: 1\n");
  EXPECT_FALSE(copy.loaded);
  EXPECT_EQ(copy.problems.at(0).weight, RestoreWeight::data);
  EXPECT_THAT(copy.words, HasSubstr("rows were not loaded whole: TABLE DATA users postgres: COPY failed"));
  auto index = judge_restore(1,
                             "pg_restore: from TOC entry 9; 1259 1 INDEX i postgres\n"
                             "pg_restore: error: could not execute query: ERROR:  could not create unique index \"i\"\n"
                             "Command was: CREATE UNIQUE INDEX i ON public.t USING btree (a);\n");
  EXPECT_FALSE(index.loaded);
  EXPECT_EQ(index.problems.at(0).weight, RestoreWeight::structure);
  EXPECT_FALSE(judge_restore(1, "pg_restore: error: could not uncompress data: incorrect data check\n").loaded);
  EXPECT_FALSE(judge_restore(1, "something new\n").loaded);
  EXPECT_THAT(judge_restore(1, "first\nsomething new\n").words, HasSubstr("something new"));
  EXPECT_FALSE(judge_restore(137, "").loaded);
  EXPECT_TRUE(judge_restore(0, "").loaded);
  // An exit code of 0 does not outweigh an error that was told.
  EXPECT_FALSE(judge_restore(0, "pg_restore: error: COPY failed for table \"t\": ERROR: x\n").loaded);
}

}  // namespace
}  // namespace lifeboat
