#include "lab/protection.hpp"

#include <gtest/gtest.h>

namespace lifeboat::lab {
namespace {

Json standby(std::string_view name, bool streams, std::string_view upstream = "a") {
  return JsonObject{{"member", name}, {"connected", true}, {"streaming", streams}, {"upstream", upstream}};
}

Json status_with(JsonArray standbys, bool writable = true) {
  standbys.push_back(JsonObject{{"member", "a"}, {"connected", true}});
  return JsonObject{
      {"databases",
       JsonObject{{"main", JsonObject{{"holder", "a"}, {"writable", writable}, {"members", std::move(standbys)}}}}}};
}

TEST(Protection, OneStandbyThatStreamsFromTheHolderIsSomeAndOnlyAllOfThemAreWhole) {
  Json one = status_with({standby("b", true), standby("c", false)});
  EXPECT_TRUE(protected_by(one, Protection::some));
  EXPECT_FALSE(protected_by(one, Protection::whole));
  EXPECT_TRUE(protected_by(status_with({standby("b", true), standby("c", true)}), Protection::whole));
}

TEST(Protection, NobodyIsProtectedByAStandbyOfAnotherOrWhereNobodyWritesOrNothingIsSaid) {
  EXPECT_FALSE(protected_by(status_with({standby("b", true, "c")}), Protection::some));
  EXPECT_FALSE(protected_by(status_with({standby("b", true)}, false), Protection::some));
  EXPECT_FALSE(protected_by(status_with({}), Protection::some));
  EXPECT_FALSE(protected_by(nullptr, Protection::some));
}

TEST(Protection, HoldersAreNamedInTurn) {
  EXPECT_EQ(holders_in(status_with({})), "a ");
  EXPECT_EQ(holders_in(nullptr), "");
}

}  // namespace
}  // namespace lifeboat::lab
