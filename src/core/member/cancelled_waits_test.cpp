#include "core/member/cancelled_waits.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

const std::string kByUser =
    "2026-11-30 02:29:10.123 UTC [4711] WARNING:  canceling wait for synchronous replication due to user request\n";
const std::string kByEnd =
    "2026-11-30 02:29:10.123 UTC [4711] WARNING:  canceling the wait for synchronous replication and terminating "
    "connection due to administrator command\n";
const std::string kDetail =
    "2026-11-30 02:29:10.123 UTC [4711] DETAIL:  The transaction has already committed locally, but might not have "
    "been "
    "replicated to the standby.\n";

int64_t counted(std::string_view text) { return read_log_part(text, false, false).cancelled; }

TEST(LogOfWaits, EachCancelledWaitIsOneLineWhoeverCutItShort) {
  std::string text =
      kByUser + kDetail + "2026-11-30 02:29:10.200 UTC [12] LOG:  checkpoint starting: time\n" + kByEnd + kDetail;
  LogPart part = read_log_part(text, false, false);
  EXPECT_EQ(part.cancelled, 2);
  EXPECT_EQ(part.used, text.size());
  EXPECT_EQ(counted("x WARNING:  01000: canceling wait for synchronous replication due to user request\n"), 1)
      << "verbose";
  EXPECT_EQ(counted("WARNING:  canceling wait for synchronous replication due to user request\n"), 1) << "no prefix";
}

TEST(LogOfWaits, WhatAStatementOrAnErrorQuotesIsNoCancelledWait) {
  EXPECT_EQ(counted("\tWARNING:  canceling wait for synchronous replication due to user request\n"), 0);
  EXPECT_EQ(counted("t [1] ERROR:  WARNING:  canceling wait for synchronous replication due to user request\n"), 0);
  EXPECT_EQ(counted("t [1] STATEMENT:  SELECT 'WARNING:  canceling wait for synchronous replication'\n"), 0);
  EXPECT_EQ(counted("t [1] WARNING:  there is no transaction in progress\n"), 0);
  EXPECT_EQ(counted("t [1] FATAL:  terminating connection due to administrator command\n"), 0);
}

TEST(LogOfWaits, ALineThatIsNotWrittenToItsEndIsReadAgain) {
  std::string begun = kByUser.substr(0, kByUser.size() - 1);
  LogPart part = read_log_part(kDetail + begun, false, false);
  EXPECT_EQ(part.cancelled, 0);
  EXPECT_EQ(part.used, kDetail.size());
  part = read_log_part(kDetail + begun, true, false);
  EXPECT_EQ(part.used, kDetail.size()) << "the end of what fits is no end of a line either";
  EXPECT_FALSE(part.inside_line);
}

TEST(LogOfWaits, ALineLongerThanWhatIsReadAtOnceIsLeftOutWithItsRest) {
  LogPart part = read_log_part("t [1] LOG:  a long", true, false);
  EXPECT_EQ(part.used, 18u);
  ASSERT_TRUE(part.inside_line);
  part = read_log_part("and longer", true, part.inside_line);
  EXPECT_EQ(part.used, 10u);
  ASSERT_TRUE(part.inside_line);
  part = read_log_part("WARNING:  canceling wait for synchronous replication\n" + kByUser, false, part.inside_line);
  EXPECT_EQ(part.cancelled, 1) << "its last part only looks like a line";
  EXPECT_FALSE(part.inside_line);
}

TEST(LogOfWaits, BytesThatAreNoTextAreHarmless) {
  std::string bad("\0\xff\xfe WARNING:  \x80\n\n:  \n\r\n", 21);
  EXPECT_EQ(counted(bad + kByUser), 1);
  EXPECT_EQ(counted(""), 0);
}

TEST(LogOfWaits, ALogThatCannotTellSaysWhatToSet) {
  for (const char* level : {"warning", "notice", "info", "debug1"})
    EXPECT_EQ(why_waits_not_counted(level, "stderr", "off", "C"), "") << level;
  for (const char* level : {"error", "log", "fatal", "panic"})
    EXPECT_TRUE(why_waits_not_counted(level, "stderr", "off", "C").contains("log_min_messages")) << level;
  EXPECT_EQ(why_waits_not_counted("warning", "syslog, stderr", "off", "en_GB.UTF-8"), "");
  EXPECT_NE(why_waits_not_counted("warning", "csvlog", "off", "C"), "");
  EXPECT_NE(why_waits_not_counted("warning", "stderr", "on", "C"), "");
  EXPECT_TRUE(why_waits_not_counted("warning", "stderr", "off", "de_DE.UTF-8").contains("lc_messages"));
}

ServerLook primary(uint64_t written, uint64_t west, uint64_t north) {
  ServerLook look;
  look.written = Lsn{written};
  look.standbys.add("west", Lsn{west});
  look.standbys.add("north", Lsn{north});
  return look;
}
const SyncSet kWest{"east", {"west"}, 1};
constexpr WallTime kThen{std::chrono::milliseconds(1'500)};

TEST(WaitCount, TheyAreAloneUntilTheMembersThatCountHaveAllThatWasWrittenThen) {
  WaitCount waits;
  waits.found(2, kThen);
  EXPECT_EQ(waits.is().count, 2);
  EXPECT_EQ(waits.is().last_at, "1970-01-01T00:00:01.500Z");
  waits.saw(2, primary(100, 90, 100), kWest);
  EXPECT_EQ(waits.is().alone, 2) << "north is not waited for";
  waits.saw(2, primary(200, 99, 200), kWest);
  EXPECT_EQ(waits.is().alone, 2);
  waits.saw(2, primary(300, 100, 300), kWest);
  EXPECT_EQ(waits.is().alone, 0) << "what was written since is another matter";
  EXPECT_EQ(waits.is().count, 2);
  waits.found(1, kThen);
  EXPECT_EQ(waits.is().count, 3);
  EXPECT_EQ(waits.is().alone, 1);
}

TEST(WaitCount, WhatWasFoundWhileTheServerWasAskedMayLieBehindItsAnswer) {
  WaitCount waits;
  int64_t before = waits.is().count;
  waits.found(1, kThen);
  waits.saw(before, primary(100, 100, 100), kWest);
  EXPECT_EQ(waits.is().alone, 1);
  waits.saw(1, primary(120, 110, 120), kWest);
  EXPECT_EQ(waits.is().alone, 1);
  waits.saw(1, primary(120, 120, 120), kWest);
  EXPECT_EQ(waits.is().alone, 0);
}

TEST(WaitCount, AsManyMustHaveThemAsCommitsWaitFor) {
  WaitCount waits;
  SyncSet two{"east", {"west", "north"}, 2};
  waits.found(1, kThen);
  waits.saw(1, primary(100, 100, 90), two);
  EXPECT_EQ(waits.is().alone, 1);
  waits.saw(1, primary(100, 100, 100), two);
  EXPECT_EQ(waits.is().alone, 0);
}

TEST(WaitCount, IsToldInAPlainSentenceWhenThereIsSomethingToTell) {
  EXPECT_EQ(in_words(CancelledWaits{}), "");
  EXPECT_EQ(
      in_words({3, 3, "T", ""}),
      "3 commits were cancelled while they waited for a standby, the last at T: they are on the primary, and may be "
      "nowhere else");
  EXPECT_TRUE(in_words({1, 0, "T", ""}).ends_with("it is on a standby by now"));
  EXPECT_TRUE(in_words({3, 1, "T", ""}).ends_with("the last of them may be on the primary alone"));
  EXPECT_TRUE(in_words({0, 0, "", "because"}).ends_with("not counted: because"));
}

}  // namespace
}  // namespace lifeboat
