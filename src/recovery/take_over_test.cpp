#include "recovery/take_over.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr uint64_t kSegment = 16u << 20;

LogFate fate(const char* name, Lsn at = Lsn{0x3012345}) { return fate_of_log(name, 2, at, kSegment); }

TEST(TakeOver, TheLogEndsInTheSegmentThatHoldsThePoint) {
  EXPECT_EQ(fate("000000020000000000000002"), LogFate::stays);
  EXPECT_EQ(fate("000000020000000000000003"), LogFate::cut);
  EXPECT_EQ(fate("000000020000000000000004"), LogFate::goes);
}

TEST(TakeOver, APointAtTheBeginOfASegmentLeavesNothingOfIt) {
  EXPECT_EQ(fate("000000020000000000000003", Lsn{0x3000000}), LogFate::goes);
  EXPECT_EQ(fate("000000020000000000000002", Lsn{0x3000000}), LogFate::stays);
}

TEST(TakeOver, HistoriesThatBeginBehindThePointGo) {
  EXPECT_EQ(fate("000000030000000000000003"), LogFate::goes);
  EXPECT_EQ(fate("00000003.history"), LogFate::goes);
  EXPECT_EQ(fate("00000002.history"), LogFate::stays);
  EXPECT_EQ(fate("000000010000000000000003"), LogFate::stays) << "the older history up to where they parted";
}

TEST(TakeOver, WhatIsNoLogIsLeftAlone) {
  EXPECT_EQ(fate("archive_status"), LogFate::stays);
  EXPECT_EQ(fate("000000020000000000000003.00000028.backup"), LogFate::stays);
}

TEST(TakeOver, SettingsThatReachOutOrBringLogInAreNotTaken) {
  std::string out = settings_for_member(
      "# by hand\nwork_mem = '64MB'\nArchive_Command = 'curl evil'\nrestore_command='cp'\nprimary_conninfo = 'host=x'\n"
      "recovery_target_time = '2024-01-01'\nshared_preload_libraries = 'evil'\ninclude 'other.conf'\n");
  EXPECT_THAT(out, HasSubstr("work_mem = '64MB'\n"));
  for (const char* gone : {"curl", "'cp'", "host=x", "2024-01-01", "evil", "include"})
    EXPECT_THAT(out, Not(HasSubstr(gone)));
  EXPECT_THAT(out, HasSubstr("restore_command = ''\n"));
}

}  // namespace
}  // namespace lifeboat::recovery
