#include "recovery/point.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "io/run_in_test.hpp"
#include "recovery/settings.hpp"
#include "recovery/xid_place.hpp"

namespace lifeboat::recovery {
namespace {

// As pg_waldump 15 prints.
constexpr std::string_view kDump =
    "rmgr: Transaction len (rec/tot):     34/    34, tx:      45924, lsn: 0/13D5C480, prev 0/13D5C410, desc: COMMIT "
    "2026-11-27 23:54:23.999574 UTC\n"
    "rmgr: Transaction len (rec/tot):     34/    34, tx:      45925, lsn: 0/13D5C518, prev 0/13D5C4C8, desc: COMMIT "
    "2026-11-27 23:54:24.003826 UTC\n";

RecoveryTarget to(std::string_view moment) {
  return {.kind = TargetKind::time, .time = *ScalarText<Moment>::parse(moment)};
}

Point around() {
  auto commits = commits_in(kDump);
  return {.before = commits[0], .behind = {commits[1]}, .next_record = commits[1].at, .end = ""};
}

TEST(Points, CommitsAreReadWithTheirMicroseconds) {
  auto commits = commits_in(kDump);
  ASSERT_EQ(commits.size(), 2u);
  EXPECT_EQ(commits[0].xid, 45924u);
  EXPECT_EQ(ScalarText<Moment>::format(commits[1].time), "2026-11-27T23:54:24.003826Z");
}

TEST(Points, AMomentIsReachedWhenItLiesBetweenTheTwoCommits) {
  EXPECT_EQ(judge_point(to("2026-11-27 23:54:24Z"), Lsn{0x13D5C518}, around()).wrong, "");
  EXPECT_NE(judge_point(to("2026-11-27 23:54:23Z"), Lsn{0x13D5C518}, around()).wrong, "");
  EXPECT_NE(judge_point(to("2026-11-27 23:54:25Z"), Lsn{0x13D5C518}, around()).wrong, "");
}

TEST(Points, AMomentWithNothingBehindItIsNotProven) {
  Point alone = around();
  alone.behind.clear();
  EXPECT_NE(judge_point(to("2026-11-27 23:54:24Z"), Lsn{0x13D5C518}, alone).wrong, "");
  alone.abort_behind = first_abort_in(
      "rmgr: Transaction len (rec/tot):     34/    34, tx:      45925, lsn: 0/13D5C518, prev 0/13D5C4C8, desc: ABORT "
      "2026-11-27 23:54:24.003826 UTC\n");
  EXPECT_EQ(judge_point(to("2026-11-27 23:54:24Z"), Lsn{0x13D5C518}, alone).wrong, "");
}

TEST(Points, ATransactionIsInOrOut) {
  RecoveryTarget before{.kind = TargetKind::xid_before, .xid = 45925};
  EXPECT_EQ(judge_point(before, {}, around()).wrong, "");
  before.xid = 45924;
  EXPECT_NE(judge_point(before, {}, around()).wrong, "");
  RecoveryTarget after{.kind = TargetKind::xid_after, .xid = 45924};
  EXPECT_EQ(judge_point(after, {}, around()).wrong, "");
  after.xid = 45925;
  EXPECT_NE(judge_point(after, {}, around()).wrong, "");
}

TEST(Points, CommitsOutOfOrderAreCountedAsLost) {
  Point mixed = around();
  mixed.behind.push_back({.xid = 45926, .at = {}, .time = *ScalarText<Moment>::parse("2026-11-27 23:54:23.5Z")});
  Verdict verdict = judge_point(to("2026-11-27 23:54:24Z"), {}, mixed);
  EXPECT_EQ(verdict.wrong, "");
  EXPECT_EQ(verdict.lost, 1u);
}

TEST(XidSearch, TheNextNumberFollowsEveryOneThatWasSeen) {
  EXPECT_EQ(next_xid_in(kDump), 45926u);
  EXPECT_EQ(
      next_xid_in("rmgr: Standby len (rec/tot): 50/ 50, tx: 0, lsn: 0/C000028, prev 0/B000110, desc: RUNNING_XACTS "
                  "nextXid 735 latestCompletedXid 734 oldestRunningXid 735\n"),
      735u);
  EXPECT_EQ(next_xid_in(""), 0u);
}

// Case 66, pgbackrest#1616: a restore that was a test archived into the repository of production.
TEST(RestoredSettings, CutTheServerOffAndAreUndoneAfterReplay) {
  RestoreFolder folder{"/somewhere", "postgres"};
  std::string fast = server_settings(folder, to("2026-11-27 23:54:24Z"), {}, 3, 512, true);
  std::string after = server_settings(folder, to("2026-11-27 23:54:24Z"), {}, 3, 512, false);
  for (const std::string& text : {fast, after, guard_settings()}) {
    for (const char* line : {"archive_mode = 'off'\n", "restore_command = ''\n", "primary_conninfo = ''\n",
                             "listen_addresses = ''\n", "shared_preload_libraries = ''\n"})
      EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_NE(fast.find("fsync = 'off'"), std::string::npos);
  EXPECT_EQ(after.find("fsync"), std::string::npos);
  EXPECT_NE(after.find("recovery_target_time = '2026-11-27 23:54:24+00'"), std::string::npos);
}

TEST(RestoredSettings, LimitsAreThoseOfTheSource) {
  ServerLimits limits = parse_limits(
      "max_connections setting:              200\nmax_worker_processes setting:         9\n"
      "max_prepared_xacts setting:           7\n");
  EXPECT_EQ(limits.connections, 200);
  EXPECT_EQ(limits.worker_processes, 9);
  EXPECT_EQ(limits.prepared_transactions, 7);
  EXPECT_EQ(limits.locks_per_transaction, 64);
}

TEST(FindPoint, CommitsAreCountedFromTheStatistics) {
  constexpr std::string_view kStatistics =
      "WAL statistics between 0/1500028 and 0/2000000:\n"
      "Type                                           N      (%)          Record size      (%)\n"
      "----                                           -      ---          -----------      ---\n"
      "Transaction/COMMIT                            62 ( 92.54)                 2546 ( 97.29)\n"
      "Transaction/ABORT                              2 (  2.99)                   71 (  2.71)\n"
      "Transaction/COMMIT_PREPARED                    3 (  4.48)                  120 (  2.71)\n"
      "                                        --------                      --------\n"
      "Total                                         67                          2617 [34.96%]\n";
  EXPECT_EQ(commits_in_statistics(kStatistics), 65u);
  EXPECT_EQ(commits_in_statistics(""), 0u);
}

// pg_waldump waits five seconds for a segment that is not there. /bin/false stands for it: whoever asks it learns nothing.
TEST(FindPoint, WhereTheLogEndsWithItsSegmentNobodyIsAsked) {
  char folder[] = "/tmp/lifeboat-point-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  asio::io_context context(1);
  auto finding = find_point({.tool = "/bin/false", .folder = folder, .user = ""}, Lsn{7u << 24}, 1, 16u << 20, 7,
                            Deadline::after(Duration{5'000}));
  auto point = run_in_test(context, std::move(finding), Duration{5'000});
  ASSERT_TRUE(point) << point.error().text();
  EXPECT_EQ(point->next_record.value, 0u);
  EXPECT_EQ(orphans::log_end_of(point->end), orphans::LogEnd::missing) << point->end;
  rmdir(folder);
}

}  // namespace
}  // namespace lifeboat::recovery
