#include "core/backup/schedule.hpp"

#include <gtest/gtest.h>

namespace lifeboat::backup {
namespace {

using std::chrono::hours;

Schedule weekly_and_daily() { return *parse_schedule({"diff daily", "full weekly", "wal continuous"}); }
WallTime at(int64_t hour) { return WallTime(hours(1000 + hour)); }

TEST(BackupSchedule, WordsOfEarlierPlansAreRead) {
  auto schedule = parse_schedule({"full weekly", "diff daily", "incr every 6h", "wal continuous"});
  ASSERT_TRUE(schedule);
  EXPECT_TRUE(schedule->wal_continuous);
  ASSERT_EQ(schedule->entries.size(), 3u);
  EXPECT_EQ(schedule->entries[0].type, Type::full);
  EXPECT_EQ(schedule->entries[2].every, Duration(hours(6)));
  EXPECT_TRUE(parse_schedule({"full daily"}));
}

TEST(BackupSchedule, WhatIsNoEntryIsNamed) {
  for (const char* word : {"full sometimes", "weekly", "", "wal", "full every", "diff every 0s", "half daily"}) {
    auto schedule = parse_schedule({word});
    ASSERT_FALSE(schedule) << word;
    EXPECT_NE(schedule.error().find(word), std::string::npos);
  }
}

TEST(BackupSchedule, WithoutAnyBackupAFullOneIsDue) {
  EXPECT_EQ(due(weekly_and_daily(), {}, at(0))->type, Type::full);
  EXPECT_EQ(due(*parse_schedule({"diff daily"}), {}, at(0))->type, Type::full);
  EXPECT_EQ(due(*parse_schedule({"diff daily"}), {{Type::diff, at(-1)}}, at(0))->type, Type::full);
  EXPECT_FALSE(due(*parse_schedule({"wal continuous"}), {}, at(0)));
}

TEST(BackupSchedule, AFullBackupStandsInForADifferentialOne) {
  EXPECT_FALSE(due(weekly_and_daily(), {{Type::full, at(0)}}, at(23)));
  EXPECT_EQ(due(weekly_and_daily(), {{Type::full, at(0)}}, at(24))->type, Type::diff);
  EXPECT_FALSE(due(weekly_and_daily(), {{Type::full, at(0)}, {Type::diff, at(24)}}, at(47)));
  EXPECT_EQ(due(weekly_and_daily(), {{Type::full, at(0)}, {Type::diff, at(160)}}, at(168))->type, Type::full);
}

TEST(BackupSchedule, HalfAsLongAgainIsTooLong) {
  EXPECT_EQ(overdue(weekly_and_daily(), {{Type::full, at(0)}}, at(36)), "");
  EXPECT_NE(overdue(weekly_and_daily(), {{Type::full, at(0)}}, at(37)), "");
  EXPECT_NE(overdue(weekly_and_daily(), {}, at(0)), "");
}

// Case 91, the jobs of a scheduler: a clock went back, and nothing was due until it had caught up.
TEST(BackupSchedule, ABackupFromTheFutureKeepsNoneFromBeingDue) {
  std::vector<Taken> taken{{Type::full, at(0)}, {Type::full, at(8760)}};
  EXPECT_FALSE(due(weekly_and_daily(), taken, at(1)));
  EXPECT_EQ(due(weekly_and_daily(), taken, at(168))->type, Type::full);
  EXPECT_NE(overdue(weekly_and_daily(), taken, at(300)), "");
  auto first = due(weekly_and_daily(), {{Type::full, at(8760)}}, at(1));
  ASSERT_TRUE(first);
  EXPECT_NE(first->reason.find("lies in the future"), std::string::npos) << first->reason;
}

TEST(BackupSchedule, OneWordSaysHowOften) {
  EXPECT_EQ(parse_every("daily"), Duration(hours(24)));
  EXPECT_EQ(parse_every("6h"), Duration(hours(6)));
  for (const char* word : {"", "often", "0s", "every 6h", "full daily"}) EXPECT_FALSE(parse_every(word)) << word;
}

TEST(BackupRetention, IsACountOrATime) {
  EXPECT_EQ(parse_retention("")->full, 4);
  EXPECT_EQ(parse_retention("30d")->days, 30);
  EXPECT_EQ(parse_retention("30 days")->days, 30);
  EXPECT_EQ(parse_retention("2 full, 6 diff")->diff, 6);
  for (const char* word : {"forever", "0 full", "full 4", "-1d", "4 full 3", "30"})
    EXPECT_FALSE(parse_retention(word)) << word;
}

TEST(BackupSchedule, APauseGrowsAndHasAnEnd) {
  EXPECT_EQ(pause_after(0), Duration{0});
  for (int failures = 1; failures < 100; ++failures) {
    EXPECT_GE(pause_after(failures + 1), pause_after(failures));
    EXPECT_LE(pause_after(failures), Duration(hours(1)));
  }
}

}  // namespace
}  // namespace lifeboat::backup
