#include "core/member/pulse.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

using std::chrono::milliseconds;

constexpr Duration kLease{2'000};
MonoTime at(int64_t ms) { return MonoTime{milliseconds(ms)}; }

TEST(Pulse, OneThatAnswersLives) {
  Pulse pulse;
  EXPECT_FALSE(pulse.hung(at(100'000), kLease));
  pulse.asked(Pulse::look, at(100'000));
  pulse.answered(Pulse::look);
  EXPECT_EQ(pulse.silent_for(at(200'000)), MonoTime::duration{});
}

TEST(Pulse, SilenceOfOneThatDoesNothingIsDeathWithinALease) {
  Pulse pulse;
  pulse.used(50, at(9'990));
  pulse.asked(Pulse::look, at(10'000));
  pulse.asked(Pulse::look, at(10'500));  // the first counts
  EXPECT_FALSE(pulse.hung(at(11'690), kLease));
  EXPECT_TRUE(pulse.hung(at(11'700), kLease));
}

TEST(Pulse, AnAnswerToOneQuestionIsNoneToTheOther) {
  Pulse pulse;
  pulse.asked(Pulse::knock, at(10'000));
  pulse.asked(Pulse::look, at(10'010));
  pulse.answered(Pulse::look);
  EXPECT_TRUE(pulse.waits_for(Pulse::knock));
  EXPECT_TRUE(pulse.hung(at(11'700), kLease)) << "who is there is served, and nobody new is";
  pulse.answered(Pulse::knock);
  EXPECT_FALSE(pulse.hung(at(11'700), kLease));
}

TEST(Pulse, WhatAFormerServerWasAskedIsNoSilenceOfThisOne) {
  Pulse pulse(at(12'000));
  pulse.asked(Pulse::look, at(10'000));
  EXPECT_FALSE(pulse.hung(at(13'000), kLease));
  EXPECT_TRUE(pulse.hung(at(13'700), kLease));
}

TEST(Pulse, OneThatIsAtWorkIsGivenTime) {
  Pulse pulse;
  pulse.asked(Pulse::knock, at(10'000));
  for (int64_t ms = 10'000; ms < 20'000; ms += 500) {
    pulse.used(ms, at(ms));
    EXPECT_FALSE(pulse.hung(at(ms), kLease)) << ms;
  }
  pulse.used(20'000, at(20'000));
  EXPECT_TRUE(pulse.hung(at(20'000), kLease)) << "but not for ever";
}

TEST(Pulse, OneThatWasAtWorkAndStoppedIsDead) {
  Pulse pulse;
  pulse.asked(Pulse::knock, at(10'000));
  pulse.used(1, at(12'000));
  EXPECT_FALSE(pulse.hung(at(12'900), kLease));
  pulse.used(1, at(13'000));
  EXPECT_TRUE(pulse.hung(at(13'000), kLease));
}

}  // namespace
}  // namespace lifeboat
