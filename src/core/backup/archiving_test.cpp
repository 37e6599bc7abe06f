#include "core/backup/archiving.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::backup {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr Duration kRpo = minutes(5);

// A primary's archiving as it is looked at each second.
struct Watched {
  Archiving archiving;
  wire::ArchiveReport report;
  std::string member = "east-1";
  MonoTime now{};

  // What waits grows older meanwhile.
  std::string after(Duration span, Duration rpo = kRpo) {
    for (Duration gone{}; gone < span; gone += seconds(1)) {
      now += seconds(1);
      if (report.waiting > 0) report.waiting_ms += 1'000;
      archiving.observe(member, &report, rpo, now);
    }
    return archiving.trouble();
  }
  void waits(int64_t segments, Duration oldest) {
    report.waiting = segments;
    report.waiting_ms = oldest.count();
  }
};

TEST(Archiving, ThatStandsStillIsToldWhenTheOldestSegmentHasWaitedForTheRpo) {
  Watched it;
  it.report.stream_bytes = it.report.stream_ms = 0;  // the stream is healthy
  EXPECT_EQ(it.after(minutes(10)), "");
  it.waits(3, seconds(0));
  EXPECT_EQ(it.after(minutes(5)), "");
  std::string told = it.after(minutes(2));
  EXPECT_THAT(told, testing::AllOf(HasSubstr("3 finished segments"), HasSubstr("east-1"), HasSubstr("7 min")));
}

TEST(Archiving, IsGivenThreeMinutesByTheStrictestRpoAndAnHourByTheLaxest) {
  Watched strict, lax;
  strict.waits(1, seconds(0));
  EXPECT_EQ(strict.after(minutes(3), seconds(0)), "");
  EXPECT_NE(strict.after(minutes(2), seconds(0)), "");
  lax.waits(1, seconds(0));
  EXPECT_EQ(lax.after(minutes(59), minutes(10'000)), "");
  EXPECT_NE(lax.after(minutes(3), minutes(10'000)), "");
}

TEST(Archiving, OfAServerThatWasStoppedWithMuchLeftIsGivenAMinuteToGetRidOfIt) {
  Watched it;
  it.waits(40, minutes(600));
  EXPECT_EQ(it.after(seconds(50)), "");
  it.waits(1, seconds(2));
  EXPECT_EQ(it.after(seconds(50)), "");
  it.waits(40, minutes(600));
  EXPECT_EQ(it.after(seconds(50)), "") << "the minute begins anew";
  EXPECT_NE(it.after(seconds(20)), "");
}

TEST(Archiving, NearTheBoundIsNotInAndOutOfTrouble) {
  Watched it;
  it.waits(9, minutes(5));
  ASSERT_NE(it.after(minutes(2)), "");
  it.waits(9, minutes(4));
  EXPECT_NE(it.after(seconds(5)), "") << "one segment got through";
  it.waits(2, minutes(1));
  EXPECT_EQ(it.after(seconds(5)), "");
  it.waits(9, minutes(4));
  EXPECT_EQ(it.after(seconds(5)), "") << "where it began from";
}

TEST(Archiving, AProblemIsToldWhenItLastsAndAHiccupIsNot) {
  for (auto which : {&wire::ArchiveReport::problem, &wire::ArchiveReport::failed}) {
    Watched it;
    for (int time = 0; time < 5; ++time) {
      it.report.*which = "the certificate has expired";
      EXPECT_EQ(it.after(minutes(2)), "");
      (it.report.*which).clear();
      EXPECT_EQ(it.after(seconds(1)), "");
    }
    it.report.*which = "the certificate has expired";
    EXPECT_THAT(it.after(minutes(4)), testing::AllOf(HasSubstr("east-1"), HasSubstr("the certificate has expired")));
    (it.report.*which).clear();
    EXPECT_EQ(it.after(seconds(1)), "");
  }
}

TEST(Archiving, SaysWhyTheSegmentsWait) {
  Watched it;
  it.waits(3, minutes(6));
  it.report.failed = "unable to connect";
  EXPECT_THAT(it.after(minutes(2)), testing::AllOf(HasSubstr("3 finished segments"), HasSubstr("unable to connect")));
}

TEST(Archiving, OfANewPrimaryIsJudgedAnewAndOfASilentAgentStaysAsItWas) {
  Watched it;
  it.waits(3, minutes(6));
  std::string told = it.after(minutes(2));
  ASSERT_NE(told, "");
  it.archiving.observe("east-1", nullptr, kRpo, it.now + minutes(1));
  EXPECT_EQ(it.archiving.trouble(), told);
  it.member = "west-1";
  EXPECT_EQ(it.after(seconds(1)), "");
}

}  // namespace
}  // namespace lifeboat::backup
