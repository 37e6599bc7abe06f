#include "core/recovery/segment_fill.hpp"

#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

constexpr uint64_t kSegment = 16u << 20;
constexpr uint64_t kRecord = 64u << 10;

TEST(SegmentFill, LeavesTheRoomThatIsAskedForAndLessThanARecordMore) {
  for (uint64_t offset : {uint64_t{0}, uint64_t{5'000'000}, uint64_t{12'345'678}}) {
    Lsn at{7 * kSegment + offset};
    uint64_t end = offset + records_to_fill(at, kSegment, 500'000, kRecord) * kRecord;
    EXPECT_LE(end + 500'000, kSegment) << offset;
    EXPECT_GT(end + 500'000 + kRecord, kSegment) << offset;
  }
}

TEST(SegmentFill, DoesNothingWhereLittleIsLeft) {
  EXPECT_EQ(records_to_fill(Lsn{kSegment - 1'000'000}, kSegment, 500'000, kRecord), 0u);
  EXPECT_EQ(records_to_fill(Lsn{0}, kSegment, kSegment, kRecord), 0u)
      << "so much is written that the next one is begun anyway";
}

TEST(SegmentFill, ABusyLogGetsMoreRoom) {
  EXPECT_EQ(room_for(0, Duration{100}, Duration{300}), 256u << 10);
  EXPECT_EQ(room_for(1'000'000, Duration{100}, Duration{300}), (256u << 10) + 3'000'000);
  EXPECT_EQ(room_for(1'000, Duration{0}, Duration{300}), (256u << 10) + 300'000);
}

}  // namespace
}  // namespace lifeboat::recovery
