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

}  // namespace
}  // namespace lifeboat::recovery
