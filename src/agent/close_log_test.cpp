// The end of the log within reach of a restore, on a real server.
#include <gmock/gmock.h>

#include <fstream>

#include "agent/test_pair.hpp"
#include "core/backup/messages.hpp"

namespace lifeboat {
namespace {

// The archiver tells of the last file it archived, and of a segment and the mark of a backup that began in the one before it tells
// whichever came last. What is done stands beside each segment.
Task<bool> a_segment_that_is_done_is_not_waited_for(Pair& p) {
  REQUIRE(co_await p.stand_up());
  for (int segment = 1; segment < 30; ++segment)
    std::ofstream(fmt::format("{}/a/database/data/pg_wal/archive_status/{:08X}{:016X}.done", p.folder, 1, segment));
  auto closing = p.controller.ask("a", wire::LogClose{kService});
  auto closed = co_await std::move(closing);
  REQUIRE(closed);
  EXPECT_THAT(text_or(*closed, "segment"), testing::StartsWith("00000001"));
  auto on_standby = p.controller.ask("b", wire::LogClose{kService});
  auto refused = co_await std::move(on_standby);
  REQUIRE(!refused);
  EXPECT_THAT(refused.error().text(), testing::HasSubstr("it takes no writes"));
  co_return true;
}

class CloseLog : public PairTest {};
TEST_F(CloseLog, ASegmentThatIsDoneIsNotWaitedFor) { play(a_segment_that_is_done_is_not_waited_for(*pair)); }

}  // namespace
}  // namespace lifeboat
