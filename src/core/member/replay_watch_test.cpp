#include "core/member/replay_watch.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

MonoTime at(int64_t ms) { return MonoTime{std::chrono::milliseconds(ms)}; }

ServerLook standby(uint64_t written, uint64_t replayed) {
  ServerLook look;
  look.in_recovery = true;
  look.written = Lsn{written};
  look.replayed = Lsn{replayed};
  return look;
}

TEST(ReplayWatch, StandsStillWhileThereIsMoreAndNothingIsReplayed) {
  ReplayWatch watch;
  EXPECT_EQ(watch.still(), Duration{0});
  watch.saw(standby(200, 100), at(1'000));
  watch.saw(standby(300, 100), at(3'000));
  EXPECT_EQ(watch.still(), Duration{2'000});
  watch.saw(standby(300, 150), at(4'000));
  EXPECT_EQ(watch.still(), Duration{0}) << "it moves";
}

TEST(ReplayWatch, OneThatHasReplayedAllOrWaitsForTheRestOfARecordDoesNotStandStill) {
  ReplayWatch watch;
  watch.saw(standby(200, 200), at(1'000));
  watch.saw(standby(200, 200), at(60'000));
  EXPECT_EQ(watch.still(), Duration{0});
  ServerLook waits = standby(300, 200);
  waits.waits_for_log = true;
  watch.saw(waits, at(61'000));
  watch.saw(waits, at(90'000));
  EXPECT_EQ(watch.still(), Duration{0}) << "the log ends in the middle of a record";
  watch.saw(standby(400, 200), at(91'000));
  watch.saw(standby(400, 200), at(93'000));
  EXPECT_EQ(watch.still(), Duration{3'000}) << "from the last look that saw it wait";
}

TEST(ReplayWatch, TheTimeSinceTheLastLookIsNotCounted) {
  ReplayWatch watch;
  watch.saw(standby(200, 100), at(1'000));
  EXPECT_EQ(watch.still(), Duration{0}) << "however long nobody looks";
  ServerLook primary = standby(500, 100);
  primary.in_recovery = false;
  watch.saw(primary, at(9'000));
  EXPECT_EQ(watch.still(), Duration{0});
}

}  // namespace
}  // namespace lifeboat
