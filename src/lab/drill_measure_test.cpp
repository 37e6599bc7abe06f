#include "lab/drill_measure.hpp"

#include <gtest/gtest.h>

namespace lifeboat::lab {
namespace {

constexpr int64_t kMs = 1'000'000;

// One good or bad answer every 20 ms.
Samples every_20ms(int64_t from_ms, int64_t to_ms, bool ok, bool write = true) {
  Samples out;
  for (int64_t at = from_ms; at < to_ms; at += 20) {
    out.push_back({.sent_ns = (at - 2) * kMs, .done_ns = at * kMs, .ok = ok, .write = write, .key = "k" + std::to_string(at)});
  }
  return out;
}

Samples operator+(Samples a, const Samples& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(DrillMeasure, RecoveryTimeIsFromTheLastGoodAnswerToTheNext) {
  Samples users = every_20ms(1000, 2000, true) + every_20ms(2000, 4500, false) + every_20ms(4500, 6000, true);
  auto gap = longest_gap(users, true, 2000 * kMs, 6000 * kMs);
  ASSERT_TRUE(gap);
  EXPECT_EQ(gap->from_ns, 1980 * kMs);
  EXPECT_EQ(gap->to_ns, 4500 * kMs);
}

TEST(DrillMeasure, AnOutageThatDoesNotEndIsLongerThanAnyThatDid) {
  Samples users = every_20ms(1000, 2000, true) + every_20ms(3000, 4000, true) + every_20ms(4000, 4100, false);
  auto gap = longest_gap(users, true, 2000 * kMs, 6000 * kMs);
  ASSERT_TRUE(gap);
  EXPECT_EQ(gap->to_ns, 0);
}

TEST(DrillMeasure, ServersThatTakeTurnsDoNotOverlap) {
  EXPECT_EQ(double_acknowledged_ns({every_20ms(0, 2000, true), every_20ms(2010, 4000, true)}), 0);
  EXPECT_EQ(double_acknowledged_ns({every_20ms(0, 2020, true), every_20ms(1500, 4000, true)}), 500 * kMs);
  // One acknowledgement in the middle of the other's counts.
  EXPECT_EQ(double_acknowledged_ns({every_20ms(0, 2000, true), every_20ms(1000, 1001, true)}), kMs);
  EXPECT_EQ(double_acknowledged_ns({every_20ms(0, 2000, true), every_20ms(1000, 1500, false)}), 0);
}

TEST(DrillMeasure, WritableIsWhenAnotherServerOrTheSameAfterASilenceAcknowledges) {
  Samples cut_off = every_20ms(0, 3500, true), promoted = every_20ms(4000, 6000, true);
  EXPECT_EQ(writable_again_ns({cut_off, promoted}, 2000 * kMs), 4000 * kMs);
  Samples restarted = every_20ms(0, 2000, true) + every_20ms(2700, 4000, true);
  EXPECT_EQ(writable_again_ns({restarted, {}}, 2000 * kMs), 2700 * kMs);
  EXPECT_EQ(writable_again_ns({every_20ms(0, 2000, true)}, 2000 * kMs), 0);
}

TEST(DrillMeasure, AllAreServedWhenNoFailureFollows) {
  Samples users = every_20ms(1000, 2000, true) + every_20ms(2000, 3000, false) + every_20ms(3000, 3100, true) +
                  every_20ms(3100, 3200, false) + every_20ms(3200, 5000, true);
  EXPECT_EQ(all_served_ns(users, 2000 * kMs, 5000 * kMs), 3200 * kMs);
}

TEST(DrillMeasure, OnlyAcknowledgedWritesCanBeLost) {
  Samples users = every_20ms(1000, 1100, true) + every_20ms(1100, 1200, false);
  Lost lost = lost_between(users, {"k1040", "k1060", "k1120", "unknown"}, 0, 5000 * kMs);
  EXPECT_EQ(lost.lost, 2);
  EXPECT_EQ(lost.oldest_ns, 1040 * kMs);
}

TEST(DrillMeasure, LeavesOutALineThatWasCutOff) {
  Samples samples = read_samples("{\"kind\":\"write\",\"sent_ns\":1,\"done_ns\":5,\"ok\":true,\"key\":\"a\"}\n{\"kind\":\"wri");
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_TRUE(samples[0].write);
}

}  // namespace
}  // namespace lifeboat::lab
