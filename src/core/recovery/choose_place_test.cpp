#include "core/recovery/choose_place.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

std::vector<RestorePlace> three() {
  return {{.member = "east-1", .host = "db-east-1", .region = "east", .connected = true, .holder = true},
          {.member = "east-2", .host = "db-east-2", .region = "east", .connected = true, .streams = true},
          {.member = "west-1", .host = "db-west-1", .region = "west", .connected = true, .streams = true}};
}

TEST(ChoosePlace, AStandbyNearThePrimaryIsPreferred) { EXPECT_EQ(choose_place(three(), "", true)->member, "east-2"); }

TEST(ChoosePlace, OneThatLacksSomethingIsGivenUpBeforeOneThatHasEverything) {
  auto places = three();
  places.push_back({.member = "east-3", .host = "db-east-3", .region = "east", .connected = true});
  EXPECT_EQ(choose_place(places, "", true)->member, "east-3");
}

TEST(ChoosePlace, ThePrimaryItselfIsTheLastResort) {
  auto places = three();
  places[1].connected = false;
  places[2].candidate = false;
  EXPECT_EQ(choose_place(places, "", true)->member, "east-1");
  EXPECT_EQ(choose_place(places, "", false)->member, "west-1");
}

TEST(ChoosePlace, WhoIsNamedIsTakenByMemberOrByHost) {
  EXPECT_EQ(choose_place(three(), "west-1", true)->host, "db-west-1");
  EXPECT_EQ(choose_place(three(), "db-east-1", true)->member, "east-1");
  EXPECT_EQ(choose_place(three(), "south", true).error().kind, ErrorKind::not_found);
}

TEST(ChoosePlace, WhoCannotBeAskedIsNamedWithTheReason) {
  auto places = three();
  places[2].connected = false;
  auto none = choose_place(places, "west-1", true);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().kind, ErrorKind::unreachable);
  EXPECT_THAT(none.error().what, testing::HasSubstr("west-1: its agent is not connected"));
}

}  // namespace
}  // namespace lifeboat::recovery
