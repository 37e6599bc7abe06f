#include "core/recovery/window.hpp"

#include <gtest/gtest.h>

#include "core/recovery/test_catalogues.hpp"

namespace lifeboat::recovery {
namespace {

void remove_segment(Catalogue& catalogue, uint64_t number) {
  std::erase_if(catalogue.segments, [&](const WalSegment& segment) { return segment.number == number; });
}

TEST(SegmentNames, AreReadAsTheyAreWritten) {
  EXPECT_EQ(segment_name(2, 0x1ff, kSegment), "0000000200000001000000FF");
  EXPECT_EQ(parse_segment_name("0000000200000001000000FF", kSegment), (SegmentName{2, 0x1ff}));
  EXPECT_FALSE(parse_segment_name("000000020000000100000100", kSegment)) << "no such segment of 16 MB";
  EXPECT_TRUE(parse_segment_name("000000020000000100000100", uint64_t{1} << 20));
}

TEST(SegmentNames, TellTheSizeOfSegments) {
  BackupSet set;
  set.start_lsn = Lsn{0x9000028};
  set.stop_lsn = Lsn{0x9100050};
  set.wal_start = set.wal_stop = "000000010000000000000009";
  EXPECT_EQ(segment_bytes_of({set}), kSegment);
  set.wal_start = "000000010000000000000002";
  set.wal_stop = "000000010000000000000002";
  EXPECT_EQ(segment_bytes_of({set}), uint64_t{64} << 20);
  set.wal_stop = "0000000100000000000000FF";
  EXPECT_EQ(segment_bytes_of({set}), std::nullopt);
}

TEST(RestorableWindow, ReachesFromTheFirstConsistentPointToTheEndOfTheArchive) {
  auto window = window_of(quiet_week());
  ASSERT_TRUE(window) << window.error().text();
  EXPECT_EQ(window->oldest, minutes_after_noon(11));
  EXPECT_EQ(window->newest, minutes_after_noon(50));
  EXPECT_EQ(window->newest_lsn, segment_begin(51, kSegment));
  EXPECT_TRUE(window->gaps.empty());
}

TEST(RestorableWindow, AMissingSegmentInTheMiddleIsAGapThatEndsWhatEarlierSetsReach) {
  Catalogue catalogue = quiet_week();
  remove_segment(catalogue, 20);
  remove_segment(catalogue, 21);
  auto window = window_of(catalogue);
  ASSERT_TRUE(window);
  ASSERT_EQ(window->gaps.size(), 1u);
  EXPECT_EQ(window->gaps[0].first, 20u);
  EXPECT_EQ(window->gaps[0].last, 21u);
  EXPECT_EQ(window->gaps[0].after, minutes_after_noon(19));
  EXPECT_EQ(window->gaps[0].before, minutes_after_noon(22));
  EXPECT_EQ(window->reach[0].to, segment_begin(20, kSegment));
  EXPECT_FALSE(window->reach[0].to_end);
  EXPECT_TRUE(window->reach[1].to_end);
}

TEST(RestorableWindow, ASetWithoutItsOwnLogIsUnusable) {
  Catalogue catalogue = quiet_week();
  remove_segment(catalogue, 31);
  auto window = window_of(catalogue);
  ASSERT_TRUE(window);
  EXPECT_FALSE(window->reach[1].unusable.empty());
  EXPECT_EQ(window->newest, minutes_after_noon(30));
}

TEST(RestorableWindow, ASetWithDamagedPagesIsUnusableAndOneThatNobodyCheckedIsNot) {
  Catalogue catalogue = quiet_week();
  catalogue.sets[0].page_errors = true;
  catalogue.sets[1].page_errors = std::nullopt;
  auto window = window_of(catalogue);
  ASSERT_TRUE(window);
  EXPECT_NE(window->reach[0].unusable.find("page checksums failed"), std::string::npos);
  EXPECT_EQ(window->reach[1].unusable, "");
  EXPECT_EQ(window->oldest, minutes_after_noon(31)) << "what only the damaged one reaches cannot be restored";
  EXPECT_EQ(window->newest, minutes_after_noon(50));
}

TEST(RestorableWindow, FollowsTheHistoryAcrossAFork) {
  Catalogue catalogue = quiet_week();
  // Timeline 2 leaves timeline 1 in segment 40; timeline 1 went on to 50, which belongs to nobody now.
  archive(catalogue, 2, 40, 60);
  catalogue.histories.push_back({2, "1\t0/28800000\tno recovery target specified\n"});
  auto window = window_of(catalogue);
  ASSERT_TRUE(window) << window.error().text();
  EXPECT_EQ(window->timeline, 2u);
  EXPECT_TRUE(window->gaps.empty());
  EXPECT_EQ(window->newest, minutes_after_noon(60));
  SegmentChain chain(catalogue, *lineage_of(catalogue, 2));
  EXPECT_EQ(chain.find(39)->timeline, 1u);
  EXPECT_EQ(chain.find(40)->timeline, 2u);
  auto old = window_of(catalogue, 1);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->newest, minutes_after_noon(50));
}

// Case 70, wal-g#1390: a verification left a timeline out and told of log that was lost.
TEST(RestorableWindow, FollowsTheHistoryAcrossFiveForksAndFindsAGapBetweenThem) {
  Catalogue catalogue = quiet_week();
  std::string history;
  for (uint64_t timeline = 2; timeline <= 6; ++timeline) {
    // Each leaves the one before in the middle of its last segment but ten.
    uint64_t fork = 20 + 10 * timeline;
    archive(catalogue, timeline, fork, fork + 20);
    Lsn at{fork * kSegment + kSegment / 2};
    history += std::to_string(timeline - 1) + "\t" + ScalarText<Lsn>::format(at) + "\tx\n";
    catalogue.histories.push_back({timeline, history});
  }
  auto window = window_of(catalogue);
  ASSERT_TRUE(window) << window.error().text();
  EXPECT_EQ(window->timeline, 6u);
  EXPECT_TRUE(window->gaps.empty());
  EXPECT_EQ(window->newest, minutes_after_noon(100));
  SegmentChain chain(catalogue, *lineage_of(catalogue, 6));
  for (uint64_t number : {39, 40, 49, 50, 65, 79, 80, 100})
    EXPECT_EQ(chain.find(number)->timeline, number < 40 ? 1 : std::min<uint64_t>(6, number / 10 - 2)) << number;
  std::erase_if(catalogue.segments,
                [](const WalSegment& segment) { return segment.number == 65 && segment.timeline == 4; });
  window = window_of(catalogue);
  ASSERT_TRUE(window);
  ASSERT_EQ(window->gaps.size(), 1u) << "that another timeline went on there is no help";
  EXPECT_EQ(window->gaps[0].first, 65u);
}

TEST(RestorableWindow, WithoutAHistoryFileSaysSo) {
  Catalogue catalogue = quiet_week();
  archive(catalogue, 2, 40, 60);
  auto window = window_of(catalogue);
  ASSERT_FALSE(window);
  EXPECT_NE(window.error().what.find("history of timeline 2"), std::string::npos);
}

}  // namespace
}  // namespace lifeboat::recovery
