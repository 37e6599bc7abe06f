#include "core/member/slots.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

using Names = std::vector<std::string>;
const Names kOthers{"b", "c", "stream"};

TEST(Slots, APrimaryHasOneForEachOfTheOthersAndNoneForItself) {
  SlotChanges changes = slot_changes(true, "a", kOthers, {{.name = "a"}, {.name = "b", .active = true}});
  EXPECT_EQ(changes.drop, Names{"a"});
  EXPECT_EQ(changes.make, (Names{"c", "stream"}));
}

// Case 76, patroni#3641: a slot had lost its log, and its replica stayed broken.
TEST(Slots, OneThatHasLostItsLogIsMadeAnew) {
  SlotChanges changes =
      slot_changes(true, "a", kOthers, {{.name = "b", .lost = true}, {.name = "c"}, {.name = "stream"}});
  EXPECT_EQ(changes.drop, Names{"b"});
  EXPECT_EQ(changes.make, Names{"b"});
}

TEST(Slots, AStandbyKeepsNoneButThoseOfStrangersAndThoseInUse) {
  SlotChanges changes = slot_changes(false, "a", kOthers,
                                     {{.name = "a"}, {.name = "b", .active = true}, {.name = "c"}, {.name = "theirs"}});
  EXPECT_EQ(changes.drop, (Names{"a", "c"}));
  EXPECT_EQ(changes.make, Names{});
}

}  // namespace
}  // namespace lifeboat
