#include "core/recovery/forecast.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

using std::chrono::hours;

constexpr uint64_t kGigabyte = 1'000'000'000;
const Moment kFirst = *ScalarText<Moment>::parse("2026-01-01 00:00:00Z");

RestoreTiming timing(hours after, uint64_t bytes, double copy, double replay, std::string target = "latest") {
  return {.at = kFirst + after,
          .target = std::move(target),
          .bytes = bytes,
          .seconds = copy + replay + 1,
          .copy_seconds = copy,
          .replay_seconds = replay};
}

TEST(Forecast, WithoutAMeasurementThereIsNone) {
  EXPECT_EQ(forecast({}, kGigabyte), std::nullopt);
  RestoreTiming failed{.at = kFirst, .problem = "a file is damaged"};
  EXPECT_EQ(forecast({failed}, kGigabyte), std::nullopt);
}

TEST(Forecast, SilenceSaysNothingOfABackup) {
  EXPECT_TRUE(speaks_of_the_backup(ErrorKind::refused));
  EXPECT_TRUE(speaks_of_the_backup(ErrorKind::not_found));
  for (ErrorKind kind : {ErrorKind::unreachable, ErrorKind::timed_out, ErrorKind::unknown_outcome, ErrorKind::cancelled,
                         ErrorKind::invalid_input, ErrorKind::unsupported, ErrorKind::conflict, ErrorKind::internal})
    EXPECT_FALSE(speaks_of_the_backup(kind)) << to_string(kind);
}

TEST(Forecast, CopyingGrowsWithTheSizeAndTheRestDoesNot) {
  auto one = forecast({timing(hours(0), kGigabyte, 10, 3)}, 4 * kGigabyte);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->expected, Duration{44'000});
  EXPECT_EQ(one->samples, 1u);
}

TEST(Forecast, WithoutASizeItIsTheLastOne) {
  auto two = forecast({timing(hours(1), 2 * kGigabyte, 20, 0), timing(hours(0), kGigabyte, 10, 0)}, 0);
  EXPECT_EQ(two->expected, Duration{21'000});
  EXPECT_EQ(two->newest, kFirst + hours(1));
}

TEST(Forecast, OneSlowRestoreIsTheWorstButNotWhatIsExpected) {
  auto some = forecast(
      {timing(hours(0), kGigabyte, 10, 3), timing(hours(1), kGigabyte, 90, 3), timing(hours(2), kGigabyte, 10, 5)}, 0);
  EXPECT_EQ(some->expected, Duration{14'000});
  EXPECT_EQ(some->longest, Duration{96'000});
}

TEST(Forecast, OneThatEndsWithTheBackupSaysNothingOfReplay) {
  auto some = forecast({timing(hours(0), kGigabyte, 10, 30), timing(hours(1), kGigabyte, 10, 0, "immediate"),
                        timing(hours(2), kGigabyte, 10, 0, "immediate")},
                       0);
  EXPECT_EQ(some->expected, Duration{41'000});
}

TEST(Forecast, OnlyTheNewestTwentyCount) {
  std::vector<RestoreTiming> many;
  for (int index = 0; index < 20; ++index) many.push_back(timing(hours(1000), kGigabyte, 500, 0));
  for (int index = 0; index < 20; ++index) many.push_back(timing(hours(2000 + index), kGigabyte, 5, 0));
  EXPECT_EQ(forecast(many, 0)->longest, Duration{6'000});
}

TEST(Forecast, GrowthIsToldPerMonthOnceThereIsADayOfIt) {
  std::vector<RestoreTiming> day{timing(hours(0), kGigabyte, 10, 0), timing(hours(1), kGigabyte, 11, 0),
                                 timing(hours(2), kGigabyte, 12, 0)};
  EXPECT_EQ(forecast(day, 0)->per_month, std::nullopt);
  std::vector<RestoreTiming> months{timing(hours(0), kGigabyte, 10, 0), timing(hours(720), kGigabyte, 12, 0),
                                    timing(hours(1440), kGigabyte, 14, 0), timing(hours(1500), kGigabyte, 90, 0)};
  Duration grows = *forecast(months, 0)->per_month;
  EXPECT_GE(grows, Duration{2'000});
  EXPECT_LT(grows, Duration{40'000});
  EXPECT_THAT(in_words(*forecast(months, 0)), testing::HasSubstr("more each month"));
}

TEST(Forecast, ALevelHistoryIsSaidToBeLevel) {
  std::vector<RestoreTiming> level{timing(hours(0), kGigabyte, 10, 0), timing(hours(24), kGigabyte, 10, 0),
                                   timing(hours(48), kGigabyte, 10, 0)};
  EXPECT_EQ(in_words(*forecast(level, 0)),
            "about 11.0 s, 11.0 s at worst, by 3 restores, the last 2026-01-03 00:00:00 UTC; no longer than before");
}

}  // namespace
}  // namespace lifeboat::recovery
