#include "core/measure/measure.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lifeboat::measure {
namespace {

MonoTime at(int64_t ms) { return MonoTime{std::chrono::milliseconds(ms)}; }

// Journeys every 50 ms, reads and writes in turn; those sent within [down, up) fail.
std::vector<Sample> history(int64_t from, int64_t to, int64_t down, int64_t up) {
  std::vector<Sample> out;
  for (int64_t ms = from, n = 0; ms < to; ms += 50, ++n) {
    bool ok = ms < down || ms >= up;
    out.push_back({at(ms), at(ms + 10), n % 2 == 1, n % 2 == 1 ? "k" + std::to_string(ms) : "", ok, ok ? 200 : 503});
  }
  return out;
}

Sample good(int64_t sent, int64_t done, bool write = false) {
  return {.sent = at(sent),
          .done = at(done),
          .write = write,
          .key = write ? "k" + std::to_string(sent) : "",
          .ok = true,
          .status = 200};
}
Sample bad(int64_t sent, int64_t done, bool write = false) {
  return {.sent = at(sent),
          .done = at(done),
          .write = write,
          .key = write ? "k" + std::to_string(sent) : "",
          .ok = false,
          .status = 503};
}

TEST(Measure, RecoveryTimeIsFromTheLastGoodAnswerToTheNext) {
  Recovery recovery = measure_recovery(history(0, 10'000, 3'000, 5'000), at(3'000), at(10'000));
  EXPECT_TRUE(recovery.recovered);
  // Reads at 2900 and 5000, writes at 2950 and 5050, each answered 10 ms later.
  EXPECT_EQ(recovery.rta, Duration{2'100});
  EXPECT_EQ(recovery.all_served, Duration{2'010});
  EXPECT_EQ(recovery.tenth_served, Duration{2'010});
  EXPECT_EQ(recovery.failed_later, 0u);
}

TEST(Measure, TheLastGoodAnswerMayComeAfterTheFault) {
  // A fault that users feel a second later: a lease that still ran, a cache that still knew.
  Recovery recovery = measure_recovery(history(0, 10'000, 4'000, 5'000), at(3'000), at(10'000));
  EXPECT_TRUE(recovery.recovered);
  EXPECT_EQ(recovery.rta, Duration{1'100});
  EXPECT_GE(*recovery.first_served, Duration{2'000});
}

TEST(Measure, ReadsThatSucceedDoNotHideWritesThatFail) {
  std::vector<Sample> samples = history(0, 10'000, 3'000, 5'000);
  for (Sample& sample : samples) {
    if (!sample.write) sample.ok = true;
  }
  Recovery recovery = measure_recovery(samples, at(3'000), at(10'000));
  EXPECT_EQ(recovery.rta, Duration{2'100});
  EXPECT_EQ(recovery.all_served, Duration{2'010}) << "all means reads and writes";
}

TEST(Measure, ALuckyAnswerInTheMiddleIsNotTheEnd) {
  std::vector<Sample> samples = history(0, 10'000, 3'000, 6'000);
  for (Sample& sample : samples) {
    if (sample.sent == at(4'000) || sample.sent == at(4'050)) sample.ok = true;
  }
  Recovery recovery = measure_recovery(samples, at(3'000), at(10'000));
  EXPECT_EQ(recovery.all_served, Duration{3'010});
  EXPECT_LT(*recovery.tenth_served, Duration{1'020});
}

TEST(Measure, AFailureLongAfterIsSaidButDoesNotMoveTheMilestone) {
  std::vector<Sample> samples = history(0, 20'000, 3'000, 5'000);
  samples[300].ok = false;  // sent at 15 s
  Recovery recovery = measure_recovery(samples, at(3'000), at(20'000));
  EXPECT_EQ(recovery.all_served, Duration{2'010});
  EXPECT_EQ(recovery.failed_later, 1u);
}

TEST(Measure, AnOutageWithoutEndIsNotRecovered) {
  Recovery recovery = measure_recovery(history(0, 10'000, 3'000, 20'000), at(3'000), at(10'000));
  EXPECT_FALSE(recovery.recovered);
  EXPECT_GE(recovery.rta, Duration{7'000}) << "it lasts to the end of what was seen, at least";
  EXPECT_FALSE(recovery.first_served);
  EXPECT_FALSE(recovery.tenth_served);
  EXPECT_FALSE(recovery.all_served);
}

TEST(Measure, WritesThatNeverComeBackAreNotRecoveredThoughReadsAre) {
  std::vector<Sample> samples = history(0, 10'000, 3'000, 5'000);
  for (Sample& sample : samples) {
    if (sample.write && sample.sent >= at(3'000)) sample.ok = false;
  }
  EXPECT_FALSE(measure_recovery(samples, at(3'000), at(10'000)).recovered);
}

TEST(Measure, NothingGoodAtAllIsNotRecovered) {
  Recovery recovery = measure_recovery(history(0, 10'000, 0, 20'000), at(3'000), at(10'000));
  EXPECT_FALSE(recovery.recovered);
  EXPECT_EQ(recovery.error_rate, 1);
}

TEST(Measure, NobodyAskingAfterTheFaultProvesNothing) {
  EXPECT_FALSE(measure_recovery(history(0, 2'000, 10'000, 10'000), at(3'000), at(10'000)).recovered);
  EXPECT_FALSE(measure_recovery({}, at(3'000), at(10'000)).recovered);
}

TEST(Measure, NoFaultMeansTheUsualTimeOfAnAnswer) {
  Recovery recovery = measure_recovery(history(0, 10'000, 0, 0), at(3'000), at(10'000));
  EXPECT_TRUE(recovery.recovered);
  EXPECT_LE(recovery.rta, Duration{10});
  EXPECT_EQ(recovery.error_rate, 0);
  EXPECT_EQ(recovery.all_served, recovery.first_served);
}

// A network that swallows everything: users wait for their timeout, while others that ask later are served at once.
TEST(Measure, TimeoutsThatEndAfterTheRecoveryBelongToTheOutage) {
  std::vector<Sample> samples;
  for (bool write : {false, true}) {
    for (int64_t sent = 0; sent < 3'000; sent += 100) samples.push_back(good(sent, sent + 10, write));
    for (int64_t sent = 3'000; sent < 5'000; sent += 100) samples.push_back(bad(sent, sent + 1'500, write));
    for (int64_t sent = 5'000; sent < 6'400; sent += 100) samples.push_back(good(sent, sent + 10, write));
  }
  Recovery recovery = measure_recovery(samples, at(3'000), at(6'405));
  EXPECT_TRUE(recovery.recovered) << "the last to give up asked long before the last that was served";
  EXPECT_EQ(recovery.rta, Duration{2'100})
      << "nobody had given up yet when the first was served again, or it was just then";
  Recovery too_early = measure_recovery(samples, at(3'000), at(4'900));
  EXPECT_FALSE(too_early.recovered);
}

TEST(Measure, OneTimeoutLongerThanTheOutageDoesNotHideIt) {
  std::vector<Sample> samples;
  for (bool write : {false, true}) {
    samples.push_back(good(0, 10, write));
    samples.push_back(bad(100, 3'100, write));
    samples.push_back(good(2'500, 2'510, write));
    samples.push_back(good(4'000, 4'010, write));
  }
  Recovery recovery = measure_recovery(samples, at(100), at(5'000));
  EXPECT_TRUE(recovery.recovered);
  EXPECT_EQ(recovery.rta, Duration{2'500});
}

TEST(Measure, TimeInWhichNobodyAsksIsNoOutage) {
  Recovery recovery = measure_recovery({good(100, 110), good(8'000, 8'400), good(9'000, 9'010)}, at(200), at(10'000));
  EXPECT_TRUE(recovery.recovered);
  EXPECT_EQ(recovery.rta, Duration{400}) << "one user waited 400 ms";
  // With one failure amid it nobody can say when it was well again.
  recovery = measure_recovery({good(100, 110), bad(4'000, 4'010), good(8'000, 8'400)}, at(200), at(10'000));
  EXPECT_EQ(recovery.rta, Duration{8'290});
}

TEST(Measure, SlowAnswersThatOverlapAreOneWait) {
  // Three asked while the server hung; all were answered at once when it went on.
  Recovery recovery = measure_recovery(
      {good(0, 10), good(100, 1'500), good(600, 1'500), good(1'100, 1'500), good(1'600, 1'610)}, at(50), at(5'000));
  EXPECT_EQ(recovery.rta, Duration{1'400});
}

TEST(Measure, WhoAskedFirstWaitedLongestWhoeverIsAnsweredFirst) {
  // Nobody is turned away: three wait from 150, 200 and 350 on, and the last of them is answered first.
  std::vector<Sample> samples{good(50, 60),   good(100, 110), good(150, 520), good(200, 530),
                              good(350, 510), good(550, 560), good(600, 610)};
  EXPECT_EQ(measure_recovery(samples, at(120), at(1'000)).rta, Duration{360});
}

TEST(Measure, OneThatIsSlowWhileOthersAreServedIsNoOutage) {
  std::vector<Sample> samples{good(50, 60), good(100, 700)};
  for (int64_t sent = 150; sent < 1'000; sent += 50) samples.push_back(good(sent, sent + 10));
  EXPECT_EQ(measure_recovery(samples, at(120), at(1'000)).rta, Duration{60});
}

TEST(Measure, WhatEndedBeforeTheFaultDoesNotCount) {
  std::vector<Sample> samples = history(0, 20'000, 1'000, 6'000);
  Recovery recovery = measure_recovery(samples, at(10'000), at(20'000));
  EXPECT_LE(recovery.rta, Duration{10});
  EXPECT_EQ(recovery.error_rate, 0);
}

TEST(Measure, WritesOfAWindowHaveTheirLongestGap) {
  std::vector<Sample> samples = history(0, 20'000, 12'000, 12'500);
  EXPECT_EQ(longest_write_gap(samples, at(10'000), at(20'000)), Duration{600});
  EXPECT_LE(longest_write_gap(samples, at(15'000), at(20'000)), Duration{10});
  EXPECT_EQ(longest_write_gap({good(1, 2)}, at(0), at(10)), Duration{0}) << "nobody wrote";
}

TEST(Measure, PercentilesAreThoseOfGoodAnswersByNearestRank) {
  std::vector<Sample> samples;
  for (int64_t ms = 1; ms <= 100; ++ms) samples.push_back(good(ms, ms + ms));
  samples.push_back(bad(50, 9'000));
  Latency latency = latency_of(samples, at(0), at(1'000));
  EXPECT_DOUBLE_EQ(latency.p50_ms, 50);
  EXPECT_DOUBLE_EQ(latency.p95_ms, 95);
  EXPECT_DOUBLE_EQ(latency.p99_ms, 99);
  EXPECT_DOUBLE_EQ(latency_of({}, at(0), at(1)).p99_ms, 0);
  EXPECT_DOUBLE_EQ(latency_of({good(0, 7)}, at(0), at(1)).p50_ms, 7);
}

TEST(Measure, LossCountsAcknowledgedWritesThatAreGone) {
  std::vector<Sample> samples = history(0, 3'000, 10'000, 10'000);
  Loss loss = measure_loss(samples, {"k2950", "k2850", "never-written"}, at(0), at(3'100), at(3'000));
  EXPECT_EQ(loss.lost, 2u);
  EXPECT_EQ(loss.acknowledged, 30u);
  EXPECT_EQ(loss.oldest_age, Duration{140});
  EXPECT_EQ(loss.keys, (std::vector<std::string>{"k2850", "k2950"}));
}

TEST(Measure, AWriteThatNobodyAcknowledgedIsNotLost) {
  Loss loss = measure_loss({bad(100, 1'600, true), good(200, 210, true)}, {"k100"}, at(0), at(5'000), at(300));
  EXPECT_EQ(loss.acknowledged, 1u);
  EXPECT_EQ(loss.lost, 0u);
  EXPECT_FALSE(loss.oldest_age);
}

TEST(Measure, WhatACutOffServerTookAfterTheFaultIsLostToo) {
  Loss loss = measure_loss(history(0, 4'000, 10'000, 10'000), {"k2950", "k3950"}, at(0), at(5'000), at(3'000));
  EXPECT_EQ(loss.oldest_age, Duration{1'000});
}

std::vector<Ack> acks(int64_t from, int64_t to, int64_t every = 20) {
  std::vector<Ack> out;
  for (int64_t ms = from; ms < to; ms += every) out.push_back({at(ms - 5), at(ms)});
  return out;
}

TEST(Measure, AHandoverIsNoDoubleAcknowledgement) {
  DoubleAcks both = double_acknowledged({{"a", acks(0, 1'000)}, {"b", acks(1'010, 3'000)}, {"c", {}}});
  EXPECT_EQ(both.time, Duration{0});
  EXPECT_EQ(both.count, 0u);
}

TEST(Measure, AWayThereAndBackIsNoDoubleAcknowledgement) {
  std::vector<Ack> first = acks(0, 1'000), again = acks(5'000, 6'000);
  first.insert(first.end(), again.begin(), again.end());
  EXPECT_EQ(double_acknowledged({{"a", first}, {"b", acks(1'010, 4'990)}}).time, Duration{0});
}

TEST(Measure, OverlappingWritersAreCounted) {
  DoubleAcks both = double_acknowledged({{"a", acks(0, 2'000)}, {"b", acks(1'500, 3'000)}});
  EXPECT_EQ(both.time, Duration{480});
  EXPECT_EQ(both.count, 50u);
}

TEST(Measure, OneStrayWriteInTheMiddleIsCounted) {
  DoubleAcks both = double_acknowledged({{"a", acks(0, 2'000)}, {"b", {{at(995), at(1'005)}}}});
  EXPECT_EQ(both.time, Duration{1});
  EXPECT_EQ(both.count, 1u);
  // In a silence of the other one it is a handover there and back, not two at once.
  std::vector<Ack> with_pause = acks(0, 1'000), later = acks(1'400, 2'000);
  with_pause.insert(with_pause.end(), later.begin(), later.end());
  EXPECT_EQ(double_acknowledged({{"a", with_pause}, {"b", {{at(1'190), at(1'195)}}}}).count, 0u);
}

TEST(Measure, ThreeWritersAreComparedTwoByTwo) {
  EXPECT_EQ(double_acknowledged({{"a", acks(0, 101)}, {"b", acks(0, 101)}, {"c", acks(0, 101)}}).time, Duration{300});
}

TEST(Measure, OrderOfTheLinesDoesNotMatter) {
  std::vector<Sample> samples = history(0, 10'000, 3'000, 5'000);
  std::ranges::reverse(samples);
  EXPECT_EQ(measure_recovery(samples, at(3'000), at(10'000)).rta, Duration{2'100});
  std::vector<Ack> mixed = acks(0, 2'000);
  std::ranges::reverse(mixed);
  EXPECT_EQ(double_acknowledged({{"a", mixed}, {"b", acks(1'500, 3'000)}}).time, Duration{480});
}

TEST(Measure, SamplesSurviveBeingWrittenAndRead) {
  Sample sample{at(1), at(2), true, "k", false, 503, "no", "10.0.0.1"};
  auto again = read_samples(to_text(encode_sample(sample)) + "\n{\"cut");
  ASSERT_TRUE(again);
  ASSERT_EQ(again->size(), 1u);
  EXPECT_EQ(again->front().key, "k");
  EXPECT_EQ(again->front().done, at(2));
  EXPECT_TRUE(again->front().write);
  EXPECT_EQ(again->front().address, "10.0.0.1");
  auto acked = read_acks(to_text(encode_ack({at(3), at(4)})) + "\n");
  ASSERT_TRUE(acked);
  EXPECT_EQ(acked->front().done, at(4));
}

TEST(Measure, LinesThatNoWitnessWroteAreRefusedByNumber) {
  auto nonsense = read_samples("{\"sent_ns\":1,\"done_ns\":2}\nnonsense\n");
  ASSERT_FALSE(nonsense);
  EXPECT_NE(nonsense.error().text().find("line 2"), std::string::npos) << nonsense.error().text();
  EXPECT_FALSE(read_acks("{\"done_ns\":1}\n"));
}

}  // namespace
}  // namespace lifeboat::measure
