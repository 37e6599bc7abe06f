#include "core/recovery/target.hpp"

#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

std::string read_and_written(std::string_view text) {
  auto moment = ScalarText<Moment>::parse(text);
  return moment ? ScalarText<Moment>::format(*moment) : "refused: " + moment.error();
}

TEST(Moments, AreReadInEveryFormThatNamesItsZone) {
  EXPECT_EQ(read_and_written("2024-01-01 14:30:00+00"), "2024-01-01T14:30:00Z");
  EXPECT_EQ(read_and_written("2024-01-01T14:30:00Z"), "2024-01-01T14:30:00Z");
  EXPECT_EQ(read_and_written("2024-01-01 14:30:00.25 UTC"), "2024-01-01T14:30:00.25Z");
  EXPECT_EQ(read_and_written("2024-01-01 14:30:00.123456+02:00"), "2024-01-01T12:30:00.123456Z");
  EXPECT_EQ(read_and_written("2024-01-01 00:30-0530"), "2024-01-01T06:00:00Z");
}

TEST(Moments, WithoutAZoneAreRefusedAndTheFormIsNamed) {
  auto without = ScalarText<Moment>::parse("2024-01-01 14:30:00");
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().find("zone is missing"), std::string::npos);
  EXPECT_NE(without.error().find("2024-01-01 14:30:00+00"), std::string::npos);
  for (std::string_view wrong : {"", "yesterday", "2024-02-30 10:00:00Z", "2024-01-01 24:00:00Z",
                                 "2024-01-01 10:00:00+99", "2024-01-01 10:00:00.1234567Z", "2024-01-01 10:00:00Zx"})
    EXPECT_FALSE(ScalarText<Moment>::parse(wrong)) << wrong;
}

TEST(Moments, ForPostgresKeepEveryMicrosecond) {
  auto moment = ScalarText<Moment>::parse("2024-01-01 14:30:00.000001+00");
  ASSERT_TRUE(moment);
  EXPECT_EQ(moment_for_postgres(*moment), "2024-01-01 14:30:00.000001+00");
}

TEST(Targets, ExactlyOneMustBeNamed) {
  EXPECT_FALSE(parse_target({}));
  EXPECT_FALSE(parse_target({.to_lsn = "0/1", .latest = true}));
  EXPECT_TRUE(parse_target({.latest = true}));
}

TEST(Targets, ATransactionNeedsItsSide) {
  auto before = parse_target({.to_xid = "before:4711"});
  ASSERT_TRUE(before);
  EXPECT_EQ(before->kind, TargetKind::xid_before);
  EXPECT_EQ(before->xid, 4711u);
  EXPECT_EQ(target_settings(*before)[1].second, "off");
  EXPECT_EQ(target_settings(*parse_target({.to_xid = "after:4711"}))[1].second, "on");
  for (std::string wrong : {"4711", "before:", "before:-1", "after:4711x", "before:2", "around:5"})
    EXPECT_FALSE(parse_target({.to_xid = wrong})) << wrong;
}

TEST(Targets, AreTheSameAfterJson) {
  for (const TargetWords& words :
       {TargetWords{.to = "2024-01-01 14:30:00.5+00"}, TargetWords{.to_lsn = "16/B374D848"},
        TargetWords{.to_xid = "after:77"}, TargetWords{.to_name = "before the move"}, TargetWords{.latest = true}}) {
    auto target = parse_target(words);
    ASSERT_TRUE(target);
    auto again = target_from_json(to_json(*target));
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(*again, *target) << in_words(*target);
  }
}

}  // namespace
}  // namespace lifeboat::recovery
