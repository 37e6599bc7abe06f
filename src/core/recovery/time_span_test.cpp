#include "core/recovery/time_span.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

using testing::HasSubstr;

Moment moment(const std::string& text) { return ScalarText<Moment>::parse(text).value_or(Moment{}); }
const Moment kNow = moment("2024-01-01 15:00:00+00");
constexpr Duration kHour{3'600'000};

TEST(TimeSpan, IsTheTimeBeforeNowWhenNothingIsGiven) {
  auto span = parse_span("", "", kHour, kNow);
  ASSERT_TRUE(span) << span.error().text();
  EXPECT_EQ(span->from, moment("2024-01-01 14:00:00+00"));
  EXPECT_EQ(span->to, kNow);
}

TEST(TimeSpan, ReachesBackFromTheEndThatIsGiven) {
  auto span = parse_span("", "2023-12-31 12:00:00+01", kHour, kNow);
  ASSERT_TRUE(span) << span.error().text();
  EXPECT_EQ(span->from, moment("2023-12-31 10:00:00+00"));
  EXPECT_EQ(span->to, moment("2023-12-31 11:00:00+00"));
}

TEST(TimeSpan, AMomentWithoutAZoneIsRefusedWithTheOptionThatHasIt) {
  auto from = parse_span("2024-01-01 14:00:00", "", kHour, kNow);
  ASSERT_FALSE(from);
  EXPECT_EQ(from.error().kind, ErrorKind::invalid_input);
  EXPECT_THAT(from.error().text(), HasSubstr("--from '2024-01-01 14:00:00'"));
  auto to = parse_span("", "yesterday", kHour, kNow);
  ASSERT_FALSE(to);
  EXPECT_THAT(to.error().text(), HasSubstr("--to 'yesterday'"));
}

TEST(TimeSpan, AnEndThatIsNotBehindTheBeginIsRefused) {
  EXPECT_FALSE(parse_span("2024-01-01 15:00:00+00", "", kHour, kNow));
  EXPECT_FALSE(parse_span("2024-01-01 14:00:00+00", "2024-01-01 13:00:00+00", kHour, kNow));
}

}  // namespace
}  // namespace lifeboat::recovery
