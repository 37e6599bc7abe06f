#include "core/backup/duty.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::backup {
namespace {

using testing::HasSubstr;
using What = Duty::What;
using std::chrono::hours;

const Schedule kSchedule = *parse_schedule({"full weekly", "diff daily", "wal continuous"});
const WallTime kNow = WallTime(hours(500'000));

Situation calm() {
  Situation out;
  out.connected = out.primary_known = out.prepared = out.listed = true;
  out.report.ready = true;
  out.taken = {{Type::full, kNow - hours(1)}};
  return out;
}
What next(const Situation& situation) { return next_duty(kSchedule, situation, kNow).what; }

TEST(BackupDuty, TheStanzaComesFirstThenTheListThenABackup) {
  Situation fresh = calm();
  fresh.prepared = fresh.listed = fresh.report.ready = false;
  fresh.taken.clear();
  EXPECT_EQ(next(fresh), What::prepare);
  fresh.prepared = fresh.report.ready = true;
  EXPECT_EQ(next(fresh), What::list);
  fresh.listed = true;
  EXPECT_EQ(next(fresh), What::take);
  EXPECT_EQ(next(calm()), What::nothing);
}

TEST(BackupDuty, NothingIsOrderedTwiceOrToWhomIsNotThere) {
  for (auto change :
       {+[](Situation& it) { it.connected = false; }, +[](Situation& it) { it.ordered = true; },
        +[](Situation& it) { it.report.busy = "takes a full backup"; },
        +[](Situation& it) { it.report.problem = "no key"; }, +[](Situation& it) { it.primary_known = false; }}) {
    Situation due = calm();
    due.taken.clear();
    ASSERT_EQ(next(due), What::take);
    change(due);
    EXPECT_EQ(next(due), What::nothing);
  }
}

TEST(BackupDuty, WhatFailedIsTriedAgainAfterAPause) {
  Situation failed = calm();
  failed.taken.clear();
  failed.failures = 3;
  failed.since_last = pause_after(3) - Duration{1};
  EXPECT_EQ(next(failed), What::nothing);
  failed.since_last = pause_after(3);
  EXPECT_EQ(next(failed), What::take);
}

wire::ArchiveReport archive(int64_t bytes, int64_t ms, int64_t waiting_ms) {
  wire::ArchiveReport out;
  out.stream_bytes = bytes;
  out.stream_ms = ms;
  out.waiting_ms = waiting_ms;
  return out;
}

// Case 77, cloudnative-pg#6152: nobody was told that the archive takes nothing while the log filled the disk.
TEST(BackupLoss, IsWhatTheStreamLacksAndWithoutOneWhatWasNotArchived) {
  wire::ArchiveReport streamed = archive(100, 900, 0), broken = archive(-1, 30'000, 0),
                      late = archive(-1, 3'600'000, 120'000);
  EXPECT_EQ(loss_now(&streamed, true).time, Duration{900});
  EXPECT_EQ(loss_now(&broken, true).time, Duration{30'000});
  EXPECT_EQ(loss_now(&late, true).time, Duration{180'000});
  EXPECT_EQ(loss_now(&streamed, false).time, Duration{60'000});
  EXPECT_FALSE(loss_now(nullptr, true).time);
}

TEST(BackupTrouble, IsTheRpoABackupThatIsOverdueAGapOrATheft) {
  Loss little{Duration{900}, ""}, much{Duration{1'000'000}, "behind"};
  Duration rpo{900'000};
  EXPECT_EQ(trouble(kSchedule, calm(), little, rpo, kNow), "");
  EXPECT_NE(trouble(kSchedule, calm(), much, rpo, kNow), "");
  Situation old = calm(), gap = calm(), stolen = calm(), away = calm();
  old.taken = {{Type::full, kNow - hours(40)}};
  gap.report.gap = "WAL is missing";
  stolen.report.noticed = "changed by somebody else";
  away.connected = false;
  for (const Situation& one : {old, gap, stolen, away}) EXPECT_NE(trouble(kSchedule, one, little, rpo, kNow), "");
}

std::string trouble_of(const Situation& situation) {
  return trouble(kSchedule, situation, Loss{Duration{900}, ""}, Duration{900'000}, kNow);
}

// With a healthy stream of WAL none of these costs any of the RPO.
TEST(BackupTrouble, IsAnArchivingThatStandsStill) {
  Situation still = calm();
  still.archiving = "3 finished segments wait";
  EXPECT_EQ(trouble_of(still), still.archiving);
  EXPECT_EQ(next(still), What::nothing) << "and it stops no backup";
  still.taken.clear();
  EXPECT_EQ(next(still), What::take);
}

TEST(BackupTrouble, IsARepositoryThatCannotBeReadForLongAndNotOneThatDidNotAnswerOnce) {
  Situation unread = calm();
  unread.report.unread = "the key has expired";
  EXPECT_EQ(trouble_of(unread), "");
  unread.report.unread_ms = 179'000;
  EXPECT_EQ(trouble_of(unread), "");
  unread.report.unread_ms = 180'000;
  EXPECT_THAT(trouble_of(unread), testing::AllOf(HasSubstr("could not be read"), HasSubstr("the key has expired")));
}

TEST(BackupTrouble, IsAStreamWhoseSegmentsCannotBeArchivedForLong) {
  Situation unfilled = calm();
  unfilled.report.unfilled = "no space is left";
  unfilled.report.unfilled_ms = 179'000;
  EXPECT_EQ(trouble_of(unfilled), "");
  unfilled.report.unfilled_ms = 180'000;
  EXPECT_THAT(trouble_of(unfilled), testing::AllOf(HasSubstr("stream"), HasSubstr("no space is left")));
}

TEST(BackupTrouble, IsThatOrdersFailOneAfterTheOther) {
  Situation failing = calm();
  for (int time = 0; time < 2; ++time) order_ended(failing, What::take, "unable to find primary cluster");
  EXPECT_EQ(trouble_of(failing), "");
  order_ended(failing, What::take, "unable to find primary cluster");
  EXPECT_THAT(trouble_of(failing), HasSubstr("unable to find primary cluster"));
  order_ended(failing, What::list, "");
  order_ended(failing, What::nothing, "");
  EXPECT_NE(trouble_of(failing), "") << "that something else succeeds makes no backup";
  EXPECT_EQ(failing.failures, 3) << "and is no reason to try it at once";
  order_ended(failing, What::take, "");
  EXPECT_EQ(trouble_of(failing), "");
}

TEST(BackupTrouble, IsAListThatCannotBeReadSinceThenNobodyKnowsWhatIsOverdue) {
  Situation failing = calm();
  failing.listed = false;
  for (int time = 0; time < 3; ++time) order_ended(failing, What::list, "the link is cut");
  EXPECT_THAT(trouble_of(failing), HasSubstr("the link is cut"));
  order_ended(failing, What::list, "");
  EXPECT_EQ(trouble_of(failing), "");
  EXPECT_EQ(failing.failures, 0);
}

TEST(BackupTrouble, IsNotWhatAPersonOrderedInVain) {
  Situation failing = calm();
  for (int time = 0; time < 9; ++time) order_ended(failing, What::nothing, "it was not verified in time");
  EXPECT_EQ(trouble_of(failing), "");
}

TEST(BackupTrouble, OfTheSecondRepositoryIsToldLastAndStopsNothing) {
  Loss little{Duration{900}, ""};
  Situation second = calm();
  second.report.second = "repository 2: it has no backup";
  EXPECT_EQ(trouble(kSchedule, second, little, Duration{900'000}, kNow), second.report.second);
  second.taken = {{Type::full, kNow - hours(40)}};
  EXPECT_EQ(next(second), What::take);
  std::string late = trouble(kSchedule, second, little, Duration{900'000}, kNow);
  EXPECT_NE(late, "");
  EXPECT_NE(late, second.report.second);
}

}  // namespace
}  // namespace lifeboat::backup
