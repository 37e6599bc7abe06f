#include "core/measure/measure.hpp"

#include <gtest/gtest.h>

namespace lifeboat::measure {
namespace {

MonoTime at(int64_t ms) { return MonoTime{std::chrono::milliseconds(ms)}; }

// Journeys every 50 ms, reads and writes in turn; those sent within [down, up) fail.
std::vector<Sample> history(int64_t from, int64_t to, int64_t down, int64_t up) {
  std::vector<Sample> out;
  for (int64_t ms = from, n = 0; ms < to; ms += 50, ++n) {
    bool ok = ms < down || ms >= up;
    out.push_back({at(ms), at(ms + 10), n % 2 == 1, n % 2 == 1 ? "k" + std::to_string(ms) : "", ok, ok ? 200 : 503, ""});
  }
  return out;
}

TEST(Measure, RecoveryTimeIsFromTheLastGoodAnswerToTheNext) {
  Recovery recovery = measure_recovery(history(0, 10'000, 3'000, 5'000), at(3'000), at(10'000));
  EXPECT_TRUE(recovery.recovered);
  EXPECT_GE(recovery.rta.count(), 2'000);
  EXPECT_LE(recovery.rta.count(), 2'150);
  ASSERT_TRUE(recovery.all_served);
  EXPECT_GE(recovery.all_served->count(), 2'000);
  EXPECT_LE(recovery.all_served->count(), 2'100);
}

TEST(Measure, ReadsThatSucceedDoNotHideWritesThatFail) {
  std::vector<Sample> samples = history(0, 10'000, 3'000, 5'000);
  for (Sample& sample : samples) {
    if (!sample.write) sample.ok = true;
  }
  EXPECT_GE(measure_recovery(samples, at(3'000), at(10'000)).rta.count(), 2'000);
}

TEST(Measure, AnOutageWithoutEndIsNotRecovered) {
  Recovery recovery = measure_recovery(history(0, 10'000, 3'000, 20'000), at(3'000), at(10'000));
  EXPECT_FALSE(recovery.recovered);
  EXPECT_FALSE(recovery.first_served);
  EXPECT_FALSE(recovery.all_served);
}

TEST(Measure, NothingGoodAtAllIsNotRecovered) {
  EXPECT_FALSE(measure_recovery(history(0, 10'000, 0, 20'000), at(3'000), at(10'000)).recovered);
}

TEST(Measure, NoFaultMeansTheUsualGapBetweenAnswers) {
  Recovery recovery = measure_recovery(history(0, 10'000, 0, 0), at(3'000), at(10'000));
  EXPECT_TRUE(recovery.recovered);
  EXPECT_LE(recovery.rta.count(), 100);
  EXPECT_EQ(recovery.error_rate, 0);
}

TEST(Measure, LossCountsAcknowledgedWritesThatAreGone) {
  std::vector<Sample> samples = history(0, 3'000, 10'000, 10'000);
  Loss loss = measure_loss(samples, {"k2950", "k2850", "never-written"}, at(0), at(3'100), at(3'000));
  EXPECT_EQ(loss.lost, 2u);
  EXPECT_EQ(loss.acknowledged, 30u);
  EXPECT_EQ(loss.oldest_age, Duration{140});
  EXPECT_EQ(loss.keys.front(), "k2850");
}

std::vector<Ack> acks(int64_t from, int64_t to, int64_t every = 20) {
  std::vector<Ack> out;
  for (int64_t ms = from; ms < to; ms += every) out.push_back({at(ms - 5), at(ms)});
  return out;
}

TEST(Measure, AHandoverIsNoDoubleAcknowledgement) {
  EXPECT_EQ(double_acknowledged({{"a", acks(0, 1'000)}, {"b", acks(1'010, 3'000)}}), Duration{0});
}

TEST(Measure, OverlappingWritersAreCounted) {
  Duration both = double_acknowledged({{"a", acks(0, 2'000)}, {"b", acks(1'500, 3'000)}});
  EXPECT_GE(both.count(), 480);
  EXPECT_LE(both.count(), 500);
}

TEST(Measure, OneStrayWriteInTheMiddleIsCounted) {
  EXPECT_GE(double_acknowledged({{"a", acks(0, 2'000)}, {"b", {{at(995), at(1'000)}}}}).count(), 1);
}

TEST(Measure, SamplesSurviveBeingWrittenAndRead) {
  Sample sample{at(1), at(2), true, "k", false, 503, "no"};
  auto again = read_samples(to_text(encode_sample(sample)) + "\n{\"cut");
  ASSERT_TRUE(again);
  ASSERT_EQ(again->size(), 1u);
  EXPECT_EQ(again->front().key, "k");
  EXPECT_EQ(again->front().done, at(2));
  EXPECT_FALSE(read_samples("nonsense\n"));
}

}  // namespace
}  // namespace lifeboat::measure
