#include "core/recovery/copies.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

using testing::HasSubstr;

KnownCopy copy(std::string name, std::string order, std::string state) {
  std::string wish = "latest for " + order;
  return {
      .name = std::move(name), .asked_as = "undo", .order = std::move(order), .state = std::move(state), .wish = wish};
}
KnownCopy wanted(const std::string& order) { return copy("undo", order, ""); }

TEST(Copies, AnOrderThatIsRepeatedFindsItsOwnCopy) {
  for (const char* state : {"running", "done"}) {
    std::vector<KnownCopy> copies{copy("undo", "R-2", state)};
    auto choice = choose_copy(copies, wanted("R-2"), true);
    ASSERT_TRUE(choice) << choice.error().text();
    EXPECT_TRUE(choice->there);
    EXPECT_FALSE(choice->give_up);
  }
}

TEST(Copies, AFinishedOneOfAnotherOrderIsNeverTakenForTheOneThatIsOrdered) {
  std::vector<KnownCopy> copies{copy("undo", "R-1", "done")};
  auto choice = choose_copy(copies, wanted("R-2"), true);
  ASSERT_TRUE(choice) << choice.error().text();
  EXPECT_FALSE(choice->there);
  EXPECT_TRUE(choice->give_up);
  EXPECT_EQ(choice->name, "undo");
  auto kept = choose_copy(copies, wanted("R-2"), false);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().kind, ErrorKind::conflict);
  EXPECT_THAT(kept.error().text(), HasSubstr("R-1"));
  EXPECT_THAT(kept.error().hint, HasSubstr("--again"));
}

TEST(Copies, OneThatIsBeingMadeForAnotherOrderIsLeftAlone) {
  std::vector<KnownCopy> copies{copy("undo", "R-1", "running")};
  auto choice = choose_copy(copies, wanted("R-2"), true);
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().kind, ErrorKind::conflict);
}

TEST(Copies, OneThatFailedIsTakenUpByWhoeverComes) {
  std::vector<KnownCopy> copies{copy("undo", "R-1", "failed")};
  auto choice = choose_copy(copies, wanted("R-2"), false);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->name, "undo");
  EXPECT_FALSE(choice->there || choice->give_up);
}

TEST(Copies, OneWhoseDataLeadIsNotTouchedAndTheNextGetsANameOfItsOwn) {
  std::vector<KnownCopy> copies{copy("undo", "R-1", "adopted")};
  auto second = choose_copy(copies, wanted("R-2"), true);
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(second->name, "undo-2");
  EXPECT_FALSE(second->there || second->give_up);
  copies.push_back(copy("undo-2", "R-2", "adopted"));
  EXPECT_EQ(choose_copy(copies, wanted("R-3"), false)->name, "undo-3");
  // Not one that somebody else's copy has.
  copies.push_back({.name = "undo-3", .asked_as = "undo-3", .state = "done"});
  EXPECT_EQ(choose_copy(copies, wanted("R-3"), false)->name, "undo-4");
  EXPECT_FALSE(choose_copy(copies, wanted("R-2"), true)) << "that very copy has been given away";
}

TEST(Copies, ANameMeansTheNewestThatWasOrderedByIt) {
  std::vector<KnownCopy> copies{copy("undo", "R-1", "adopted"), copy("undo-10", "R-10", "done"),
                                copy("undo-9", "R-9", "adopted")};
  ASSERT_NE(copy_called(copies, "undo"), nullptr);
  EXPECT_EQ(copy_called(copies, "undo")->name, "undo-10");
  EXPECT_EQ(copy_called(copies, "undo-9")->name, "undo-9");
  EXPECT_EQ(copy_called(copies, "undo-2"), nullptr);
}

TEST(Copies, ALongNameStaysShortEnoughForTheSocketBelowIt) {
  std::string name(48, 'a');
  std::vector<KnownCopy> copies{{.name = name, .asked_as = name, .state = "adopted", .wish = "old"}};
  auto choice = choose_copy(copies, {.name = name, .asked_as = name, .wish = "new"}, false);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->name, std::string(46, 'a') + "-2");
  copies.push_back({.name = choice->name, .asked_as = name, .state = "done"});
  EXPECT_EQ(copy_called(copies, name)->name, choice->name);
}

TEST(Copies, OneOfAnAgentThatKnewOfNoOrdersIsOfAnother) {
  auto listed = parse_json(R"({"name":"undo","state":"done","wish":{"name":"undo","target":{"kind":"latest"}}})");
  ASSERT_TRUE(listed);
  KnownCopy old = known_copy(*listed);
  EXPECT_EQ(old.asked_as, "undo");
  EXPECT_TRUE(choose_copy(std::vector{old}, wanted("R-2"), true)->give_up);
}

}  // namespace
}  // namespace lifeboat::recovery
