#include "core/detection/neighbours.hpp"

#include <gtest/gtest.h>

namespace lifeboat::detection {
namespace {

using std::chrono::milliseconds;

MonoTime at(int64_t ms) { return MonoTime{milliseconds(ms)}; }

// Asked every second from one time to another, never answered.
void ask(Neighbours& neighbours, int64_t from_ms, int64_t to_ms) {
  for (int64_t ms = from_ms; ms <= to_ms; ms += 1'000) neighbours.asked("west-1", at(ms));
}

TEST(Neighbours, WhoDoesNotAnswerForTenSecondsIsSilentUntilItDoes) {
  Neighbours neighbours;
  EXPECT_FALSE(neighbours.is_silent("west-1", at(50'000))) << "nobody asked it";
  ask(neighbours, 1'000, 10'000);
  EXPECT_FALSE(neighbours.is_silent("west-1", at(10'999)));
  ask(neighbours, 11'000, 60'000);
  EXPECT_TRUE(neighbours.is_silent("west-1", at(60'500)));
  neighbours.answered("west-1", at(60'000));
  EXPECT_FALSE(neighbours.is_silent("west-1", at(60'600)));
  ask(neighbours, 61'000, 70'000);
  EXPECT_FALSE(neighbours.is_silent("west-1", at(70'500)));
}

TEST(Neighbours, WhoAnswersLateIsNotSilent) {
  Neighbours neighbours;
  for (int64_t ms = 1'000; ms <= 60'000; ms += 1'000) {
    neighbours.asked("west-1", at(ms));
    if (ms > 3'000) neighbours.answered("west-1", at(ms - 3'000));
    EXPECT_FALSE(neighbours.is_silent("west-1", at(ms)));
  }
}

TEST(Neighbours, AnAnswerThatIsHeardOnceMoreIsNone) {
  Neighbours neighbours;
  ask(neighbours, 1'000, 1'000);
  neighbours.answered("west-1", at(1'000));
  ask(neighbours, 2'000, 20'000);
  neighbours.answered("west-1", at(1'000));
  neighbours.answered("west-1", at(90'000));
  neighbours.answered("west-2", at(20'000));
  EXPECT_TRUE(neighbours.is_silent("west-1", at(20'000)));
}

TEST(Neighbours, WhoIsNotAskedAnyMoreIsNotSilent) {
  Neighbours neighbours;
  ask(neighbours, 1'000, 20'000);
  EXPECT_TRUE(neighbours.is_silent("west-1", at(25'000)));
  EXPECT_FALSE(neighbours.is_silent("west-1", at(25'001)));
}

// It stood still, and so did its questions; or it leads again after another did.
TEST(Neighbours, AfterAPauseTheTimeBeginsAnew) {
  Neighbours neighbours;
  ask(neighbours, 1'000, 9'000);
  ask(neighbours, 30'000, 39'000);
  EXPECT_FALSE(neighbours.is_silent("west-1", at(39'500)));
  ask(neighbours, 40'000, 40'000);
  EXPECT_TRUE(neighbours.is_silent("west-1", at(40'000)));
}

}  // namespace
}  // namespace lifeboat::detection
