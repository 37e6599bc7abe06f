#include "core/ownership/past.hpp"

#include <gtest/gtest.h>

namespace lifeboat::ownership {
namespace {

TEST(Past, WhoWasGrantedTheRightHasLedOnlyWhenItTookWrites) {
  Past past = no_past();
  was_granted(past, false, {});
  EXPECT_FALSE(past.led);
  EXPECT_FALSE(past.ever_written);
  for (const char* note : {"vacant", "standby-attached", "automatic-failover"}) EXPECT_FALSE(tells_of_writes(note));
  ASSERT_TRUE(tells_of_writes("promoted") && tells_of_writes("holder-writable"));
  took_writes(past);
  EXPECT_TRUE(past.led && past.ever_written);
  was_granted(past, true, {});
  EXPECT_TRUE(past.led) << "the same one goes on";
  was_granted(past, false, {});
  EXPECT_FALSE(past.led);
  EXPECT_TRUE(past.ever_written);
}

// The first grant after that is to one whose history may be the older one. It did not take writes, and so the second goes on no more
// than the first did.
TEST(Past, AfterAStoreFromAnOlderCopyNobodyHasLedUntilSomebodyTakesWrites) {
  Past past;
  left_terms_out(past, 103);
  EXPECT_TRUE(past.restored);
  EXPECT_EQ(past.above, 103u);
  EXPECT_FALSE(past.sync_sets.empty()) << "whom commits waited for is not known";
  was_granted(past, false, {});
  EXPECT_FALSE(past.restored) << "who holds the right is known again";
  EXPECT_FALSE(past.led);
  was_granted(past, true, {});
  EXPECT_FALSE(past.led);
  took_writes(past);
  EXPECT_TRUE(past.led);
}

}  // namespace
}  // namespace lifeboat::ownership
