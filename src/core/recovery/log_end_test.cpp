#include "core/recovery/log_end.hpp"

#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

LogWriter member(const std::string& name, ServerState state, bool writes = false) {
  LogWriter out{.member = name, .host = "db-" + name, .connected = true, .writes = writes};
  out.report.state = state;
  out.report.term = writes ? 3 : 0;
  return out;
}

TEST(LogEnd, IsTheWritersAsLongAsOneWrites) {
  auto end = who_ends_the_log({member("a", ServerState::standby), member("b", ServerState::primary, true)}, "vault");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->host, "db-b");
  EXPECT_EQ(end->member, "b");
}

TEST(LogEnd, IsTheRepositorysWhenNobodyCanWrite) {
  auto end = who_ends_the_log({member("a", ServerState::absent), member("b", ServerState::stopped)}, "vault");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->host, "vault");
  EXPECT_EQ(end->member, "");
  EXPECT_FALSE(who_ends_the_log({member("a", ServerState::absent)}, ""));
}

TEST(LogEnd, OfAnUnfinishedSegmentHasNothingBehindItsLastRecord) {
  EXPECT_TRUE(ends_with_record(1000, 100, 1100));
  EXPECT_TRUE(ends_with_record(8000, 9000, 17'048)) << "headers of the pages that it goes over";
  EXPECT_FALSE(ends_with_record(1000, 100, 1400)) << "a record that cannot be read is damage";
  EXPECT_FALSE(ends_with_record(0, 0, 500)) << "nothing of it can be read";
}

TEST(LogEnd, IsReachedWhenTheLastRecordThatCameIsReplayed) {
  UnfinishedSegment end{"000000010000000000000007", Lsn{0x7013498}};
  EXPECT_TRUE(is_all_received(end, end.name, Lsn{0x70134C8}));
  EXPECT_FALSE(is_all_received(end, end.name, Lsn{0x7013498})) << "the record itself is not in";
  EXPECT_FALSE(is_all_received(end, "000000010000000000000006", Lsn{0x70134C8}));
  EXPECT_FALSE(is_all_received(std::nullopt, end.name, Lsn{0x70134C8}));
}

// A primary that goes on unseen would find half of its segment in the archive, and could archive nothing any more.
TEST(LogEnd, IsNobodysWhileOneMayWriteUnseen) {
  LogWriter away = member("a", ServerState::stopped);
  away.connected = false;
  EXPECT_FALSE(who_ends_the_log({away, member("b", ServerState::standby)}, "vault"));
  for (ServerState state : {ServerState::primary, ServerState::starting, ServerState::hung, ServerState::changing})
    EXPECT_FALSE(who_ends_the_log({member("a", state)}, "vault")) << enum_name(state);
  LogWriter held = member("a", ServerState::stopped);
  held.report.term = 4;
  EXPECT_FALSE(who_ends_the_log({held}, "vault"));
}

TEST(CleanSearch, FindsNothingOnlyInALogWhoseEndIsThere) {
  EXPECT_TRUE(is_an_answer(true, true));
  EXPECT_FALSE(is_an_answer(true, false));
  EXPECT_TRUE(is_an_answer(false, false)) << "a damage that was found is what it is";
}

TEST(RestoreToTheEnd, MayLackTheNewestWhenTheLogCouldNotBeClosed) {
  RecoveryTarget latest{.kind = TargetKind::latest}, moment{.kind = TargetKind::time};
  EXPECT_TRUE(may_lack_the_newest(latest, false));
  EXPECT_FALSE(may_lack_the_newest(latest, true));
  EXPECT_FALSE(may_lack_the_newest(moment, false)) << "a point that was reached is read back from the log";
}

}  // namespace
}  // namespace lifeboat::recovery
