#include "core/detection/pace.hpp"

#include <gtest/gtest.h>

namespace lifeboat::detection {
namespace {

using std::chrono::milliseconds;

constexpr Duration kEvery{250};
MonoTime at(int64_t ms) { return MonoTime{milliseconds(ms)}; }

const Asked kDatabase{"database/east-1", "east", true, kEvery};
const Asked kBalancer{"balancer/east", "east", false, kEvery};

// Both answered at 10 s.
Pace after_answers() {
  Pace pace;
  for (const Asked& each : {kDatabase, kBalancer}) pace.heard(each, true, at(10'000), at(10'000));
  return pace;
}

TEST(Pace, ASparedTargetIsAskedRarelyWhileItsRegionAnswers) {
  int asked = 0;
  Pace pace;
  for (int64_t ms = 10'000; ms < 60'000; ms += 250) {
    EXPECT_TRUE(pace.is_due(kBalancer, at(ms)));
    pace.heard(kBalancer, true, at(ms), at(ms));
    if (!pace.is_due(kDatabase, at(ms))) continue;
    ++asked;
    pace.heard(kDatabase, true, at(ms), at(ms + 1));
  }
  EXPECT_EQ(asked, 5);
}

TEST(Pace, ItIsAskedAtOnceWhenItsRegionFallsSilent) {
  Pace pace = after_answers();
  EXPECT_FALSE(pace.is_due(kDatabase, at(10'250))) << "the others may just be about to answer";
  EXPECT_TRUE(pace.is_due(kDatabase, at(10'500)));
}

TEST(Pace, OneThatDoesNotAnswerIsAskedEveryTime) {
  Pace pace = after_answers();
  pace.heard(kDatabase, false, at(10'010), at(10'100));
  EXPECT_TRUE(pace.is_due(kDatabase, at(10'250)));
}

TEST(Pace, WithoutNeighboursNothingIsSpared) {
  Pace pace;
  pace.heard(kDatabase, true, at(10'000), at(10'000));
  EXPECT_TRUE(pace.is_due(kDatabase, at(10'250)));
  pace.heard({"balancer/west", "west", false, kEvery}, true, at(10'240), at(10'240));
  EXPECT_TRUE(pace.is_due(kDatabase, at(10'250))) << "of another region";
}

TEST(Pace, WhatIsAskedRarelyAnywayIsNotAskedMoreRarely) {
  Asked rarely = kDatabase;
  rarely.every = 2 * kSparedEvery;
  EXPECT_FALSE(after_answers().is_due(rarely, at(10'000) + kSparedEvery));
  EXPECT_TRUE(after_answers().is_due(rarely, at(10'000) + 2 * kSparedEvery));
}

}  // namespace
}  // namespace lifeboat::detection
