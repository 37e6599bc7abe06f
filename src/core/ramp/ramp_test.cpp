#include "core/ramp/ramp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/ramp/shares.hpp"

namespace lifeboat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

MonoTime at(int64_t ms) { return MonoTime{} + milliseconds(ms); }

RampRules rules() {
  return {.start = 10,
          .step = 25,
          .interval = seconds(10),
          .max_error_rate = 0.01,
          .max_p95_ms = 500,
          .min_requests = 10,
          .window = seconds(5),
          .confirm = seconds(2)};
}

RampSample well() { return {.requests = 5, .errors = 0, .p95_ms = 40, .user_error_rate = 0, .user_p95_ms = 50}; }

// Feeds the same sample once a second until the ramp ends or the time is over; the shares it went through.
std::vector<double> run(const RampRules& with, RampSample sample, int64_t limit_s, RampPhase* phase) {
  RampState state = begin_ramp(with, 0, at(0));
  std::vector<double> shares{state.share};
  for (int64_t second = 1; second <= limit_s && state.phase == RampPhase::ramping; ++second) {
    state = step_ramp(with, state, sample, at(second * 1000)).state;
    if (shares.back() != state.share) shares.push_back(state.share);
  }
  *phase = state.phase;
  return shares;
}

TEST(Ramp, GoesFromTenToAHundredInStepsWhenUsersAreWell) {
  RampPhase phase{};
  auto shares = run(rules(), well(), 60, &phase);
  EXPECT_THAT(shares, testing::ElementsAre(10, 35, 60, 85, 100));
  EXPECT_EQ(phase, RampPhase::completed);
  EXPECT_EQ(ramp_stages(rules(), 0), shares);
}

// A handover comes before the ramp, and those who waited for it are in the users' figures for a while.
TEST(Ramp, WhatUsersSawBeforeItIsNotHeldAgainstIt) {
  RampState state = begin_ramp(rules(), 0, at(10'000));
  RampSample sample = well();
  sample.user_error_rate = 0.2;
  sample.user_p95_ms = 3'000;
  for (int64_t second = 11; second <= 14; ++second) {
    sample.users_from = at(second * 1000 - 5'000);
    auto decision = step_ramp(rules(), state, sample, at(second * 1000));
    ASSERT_EQ(decision.verdict, RampVerdict::hold) << decision.reason;
    EXPECT_FALSE(decision.state.breach_since);
    state = decision.state;
  }
  sample.users_from = at(10'000);
  for (int64_t second = 15; second <= 17; ++second) state = step_ramp(rules(), state, sample, at(second * 1000)).state;
  EXPECT_EQ(state.phase, RampPhase::rolled_back) << "of its own time they count";
}

TEST(Ramp, NothingRisesOnWhatUsersSawBeforeIt) {
  RampState state = begin_ramp(rules(), 0, at(100'000));
  RampSample sample = well();
  sample.users_from = at(99'000);
  for (int64_t second = 101; second <= 130; ++second)
    state = step_ramp(rules(), state, sample, at(second * 1000)).state;
  EXPECT_EQ(state.share, 10);
  sample.users_from = at(126'000);
  int64_t rose = 0;
  for (int64_t second = 131; rose == 0 && second <= 150; ++second) {
    state = step_ramp(rules(), state, sample, at(second * 1000)).state;
    if (state.share > 10) rose = second;
  }
  EXPECT_EQ(rose, 140) << "a whole interval of its own";
}

TEST(Ramp, TakesEachStageForAWholeInterval) {
  RampState state = begin_ramp(rules(), 0, at(0));
  for (int64_t second = 1; second < 10; ++second) {
    auto decision = step_ramp(rules(), state, well(), at(second * 1000));
    ASSERT_EQ(decision.verdict, RampVerdict::hold) << second;
    state = decision.state;
  }
  EXPECT_EQ(step_ramp(rules(), state, well(), at(10'000)).verdict, RampVerdict::advance);
}

TEST(Ramp, GoesBackToNothingWithTheMeasuredReasonWhenErrorsStand) {
  RampState state = begin_ramp(rules(), 0, at(0));
  RampSample bad = well();
  bad.errors = 1;
  RampDecision decision;
  for (int64_t second = 1; second <= 4; ++second) {
    decision = step_ramp(rules(), state, bad, at(second * 1000));
    state = decision.state;
  }
  EXPECT_EQ(decision.verdict, RampVerdict::roll_back);
  EXPECT_EQ(state.share, 0);
  EXPECT_THAT(decision.reason, testing::HasSubstr("error rate 20.0 % (4 of 20), limit 1 %"));
}

TEST(Ramp, EveryBoundAloneTakesItBack) {
  std::vector<RampSample> bad(4, well());
  bad[0].errors = 5;
  bad[1].p95_ms = 501;
  bad[2].user_error_rate = 0.02;
  bad[3].user_p95_ms = 501;
  for (const RampSample& sample : bad) {
    RampPhase phase{};
    run(rules(), sample, 60, &phase);
    EXPECT_EQ(phase, RampPhase::rolled_back);
  }
}

TEST(Ramp, AShortBreachOnlyStopsTheRiseAndTheIntervalBeginsAgain) {
  RampState state = begin_ramp(rules(), 0, at(0));
  for (int64_t second = 1; second <= 18; ++second) {
    RampSample sample = well();
    if (second == 9 || second == 10) sample.user_p95_ms = 900;
    auto decision = step_ramp(rules(), state, sample, at(second * 1000));
    ASSERT_EQ(decision.verdict, RampVerdict::hold) << second;
    state = decision.state;
  }
  for (int64_t second = 19; second <= 21; ++second) state = step_ramp(rules(), state, well(), at(second * 1000)).state;
  EXPECT_EQ(state.share, 35);
}

TEST(Ramp, WithoutRequestsThereIsNoVerdictAndAtLastNoUsersThere) {
  RampRules with = rules();
  with.patience = seconds(100);
  RampSample nobody;
  RampPhase phase{};
  auto shares = run(with, nobody, 99, &phase);
  EXPECT_EQ(phase, RampPhase::ramping);
  EXPECT_EQ(shares.size(), 1u);
  shares = run(with, nobody, 101, &phase);
  EXPECT_EQ(phase, RampPhase::rolled_back);
}

TEST(Ramp, AfterARestartGoesOnFromTheShareInForce) {
  RampState state = begin_ramp(rules(), 60, at(0));
  EXPECT_EQ(state.share, 60);
  for (int64_t second = 1; second <= 10; ++second) state = step_ramp(rules(), state, well(), at(second * 1000)).state;
  EXPECT_EQ(state.share, 85);
}

// Thousands of random worlds: places that are well, broken, slow, silent or flapping, sampled at uneven times. The
// invariants are checked against what the simulation knows, not against what the ramp says.
TEST(Ramp, KeepsItsInvariantsInRandomWorlds) {
  int completed = 0;
  int rolled_back = 0;
  for (uint32_t seed = 1; seed <= 3000; ++seed) {
    std::mt19937 random(seed);
    auto chance = [&](double p) { return std::uniform_real_distribution<>(0, 1)(random) < p; };
    auto between = [&](int least, int most) { return std::uniform_int_distribution<>(least, most)(random); };
    RampRules with{.start = static_cast<double>(between(1, 50)),
                   .step = static_cast<double>(between(1, 60)),
                   .interval = milliseconds(between(100, 20'000)),
                   .max_error_rate = between(0, 10) / 100.0,
                   .max_p95_ms = between(100, 900),
                   .min_requests = static_cast<uint64_t>(between(0, 50)),
                   .window = milliseconds(between(100, 10'000)),
                   .confirm = milliseconds(between(0, 3000)),
                   .patience = seconds(between(30, 200))};
    double sick = chance(0.5) ? 0 : between(0, 100) / 100.0;
    int traffic = chance(0.1) ? 0 : between(1, 40);
    int64_t now = 0;
    RampState state = begin_ramp(with, chance(0.2) ? between(1, 100) : 0, at(0));
    int64_t clear_since = 0;  // since when no sample has shown a user-side breach
    for (int samples = 0; state.phase == RampPhase::ramping; ++samples) {
      ASSERT_LT(samples, 20'000) << "seed " << seed << " never ends";
      now += between(50, 1500);
      RampSample sample{.requests = static_cast<uint64_t>(between(0, traffic)),
                        .user_error_rate = 0,
                        .user_p95_ms = *with.max_p95_ms};
      bool remembers = chance(0.05);
      if (chance(0.5)) sample.users_from = at(remembers ? -1 : now - std::min<int64_t>(now, 100));
      remembers = sample.users_from && *sample.users_from < at(0);
      bool breach = chance(sick);
      if (breach && chance(0.5))
        sample.user_p95_ms = *with.max_p95_ms + 1;
      else if (breach)
        sample.user_error_rate = *with.max_error_rate + 0.001;
      if (breach || remembers) clear_since = now;
      if (!breach && chance(sick / 10)) sample.errors = sample.requests;
      RampDecision decision = step_ramp(with, state, sample, at(now));
      bool rose = decision.state.share > state.share;
      ASSERT_EQ(rose, decision.verdict == RampVerdict::advance) << seed;
      if (rose) {
        ASSERT_FALSE(breach || remembers) << seed;
        ASSERT_GE(milliseconds(now - clear_since), with.interval) << seed;
      }
      if (decision.state.share < state.share) {
        ASSERT_EQ(decision.state.share, 0) << seed;
      }
      if (decision.verdict == RampVerdict::complete) {
        ASSERT_EQ(decision.state.share, 100) << seed;
        ASSERT_FALSE(breach) << seed;
      }
      state = decision.state;
    }
    (state.phase == RampPhase::completed ? completed : rolled_back) += 1;
    ASSERT_TRUE(state.share == 100 || state.share == 0) << seed;
    auto after = step_ramp(with, state, {.requests = 100, .errors = 100}, at(now + 60'000));
    ASSERT_EQ(after.state.share, state.share) << seed;
  }
  EXPECT_GT(completed, 300);
  EXPECT_GT(rolled_back, 300);
}

TEST(Shares, ComeOutRightForAnyNumberOfServersThatAreUp) {
  for (int here = 1; here <= 7; ++here) {
    for (int there = 1; there <= 7; ++there) {
      for (double share : {0.0, 5.0, 10.0, 35.0, 60.0, 85.0, 95.0, 100.0}) {
        Shares wanted{{"east", share}, {"west", 100 - share}};
        auto weights = weights_for(wanted, {{"east", here}, {"west", there}});
        ASSERT_TRUE(weights) << weights.error().text();
        std::vector<WeighedServer> servers;
        for (int index = 0; index < here; ++index) servers.push_back({"east", true, weights->at("east")});
        for (int index = 0; index < there; ++index) servers.push_back({"west", true, weights->at("west")});
        EXPECT_TRUE(same_shares(shares_of(servers), wanted)) << shares_text(shares_of(servers));
        EXPECT_LE(weights->at("east"), kMaxWeight);
        EXPECT_LE(weights->at("west"), kMaxWeight);
      }
    }
  }
}

TEST(Shares, AreRefusedForARegionWithNothingUp) {
  auto weights = weights_for({{"east", 10}, {"west", 90}}, {{"east", 0}, {"west", 3}});
  ASSERT_FALSE(weights);
  EXPECT_EQ(weights.error().kind, ErrorKind::unreachable);
  EXPECT_TRUE(weights_for({{"east", 0}, {"west", 100}}, {{"east", 0}, {"west", 3}}));
}

TEST(Shares, NothingIsNotTheSameAsALittle) {
  EXPECT_FALSE(same_shares({{"east", 0.5}, {"west", 99.5}}, {{"east", 0}, {"west", 100}}));
}

}  // namespace
}  // namespace lifeboat
