#include "core/recovery/clean_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/recovery/test_catalogues.hpp"

namespace lifeboat::recovery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

BackupSet checked(const std::string& label, uint64_t segment, std::optional<bool> page_errors) {
  BackupSet set = set_at(label, 1, segment, segment + 1);
  set.page_errors = page_errors;
  return set;
}

Catalogue with(std::vector<BackupSet> sets) {
  Catalogue catalogue = quiet_week();
  catalogue.sets = std::move(sets);
  return catalogue;
}

TEST(NewestCleanSet, NewerOnesWithDamagedPagesArePassedOverAndNamed) {
  CleanSet found = newest_clean_set(with({checked("a", 10, false), checked("b", 20, false), checked("c", 30, true)}));
  ASSERT_TRUE(found.newest_clean);
  EXPECT_EQ(found.newest_clean->label, "b");
  EXPECT_THAT(found.damaged, ElementsAre("c"));
  EXPECT_THAT(found.unchecked, IsEmpty());
  EXPECT_THAT(in_words(found), HasSubstr("without damaged pages is b of 2026-11-27 12:21:00 UTC"));
  EXPECT_THAT(in_words(found), HasSubstr("damaged pages are in c"));
}

TEST(NewestCleanSet, OneThatNobodyCheckedIsNotTakenForClean) {
  CleanSet found = newest_clean_set(with({checked("a", 10, false), checked("b", 20, std::nullopt)}));
  ASSERT_TRUE(found.newest_clean);
  EXPECT_EQ(found.newest_clean->label, "a");
  EXPECT_THAT(found.unchecked, ElementsAre("b"));
  EXPECT_THAT(in_words(found), HasSubstr("not checked: b"));
}

TEST(NewestCleanSet, WhatIsOlderThanTheCleanOneIsNotLookedAt) {
  CleanSet found = newest_clean_set(with({checked("a", 10, true), checked("b", 20, false)}));
  ASSERT_TRUE(found.newest_clean);
  EXPECT_EQ(found.newest_clean->label, "b");
  EXPECT_THAT(found.damaged, IsEmpty());
}

TEST(NewestCleanSet, TheNewestIsTheOneThatStoppedLastHoweverTheyAreListed) {
  CleanSet found = newest_clean_set(with({checked("late", 30, false), checked("early", 10, false)}));
  ASSERT_TRUE(found.newest_clean);
  EXPECT_EQ(found.newest_clean->label, "late");
}

TEST(NewestCleanSet, OneIsOnlyAsCleanAsThoseItRefersTo) {
  auto refers = [](const std::string& label, uint64_t segment, const std::string& to) {
    BackupSet set = checked(label, segment, false);
    set.references = {to};
    return set;
  };
  CleanSet found = newest_clean_set(with({checked("clean", 5, false), checked("damaged", 10, true),
                                          checked("unknown", 15, std::nullopt), refers("on-damaged", 20, "damaged"),
                                          refers("on-unknown", 25, "unknown"), refers("on-none", 30, "expired")}));
  ASSERT_TRUE(found.newest_clean);
  EXPECT_EQ(found.newest_clean->label, "clean");
  EXPECT_THAT(found.damaged, ElementsAre("on-damaged", "damaged"));
  EXPECT_THAT(found.unchecked, ElementsAre("on-none", "on-unknown", "unknown"));
}

// What pgBackRest 2.45 keeps of sets; its list says "error": false of all three.
TEST(NewestCleanSet, OneIsNotCalledCleanBecauseNobodyLookedForErrors) {
  Catalogue catalogue = with({checked("20261101-000000F", 5, false), checked("20261102-000000F", 10, false),
                              checked("20261103-000000F", 15, false), checked("20261104-000000F", 20, true)});
  forget_unchecked(catalogue,
                   "[backrest]\nbackrest-format=5\n\n[backup:current]\n"
                   "20261101-000000F={\"backup-type\":\"full\",\"option-checksum-page\":true,\"option-online\":true}\n"
                   "20261102-000000F={\"backup-type\":\"full\",\"option-checksum-page\":false}\n"
                   "20261103-000000F={\"backup-type\":\"full\"}\n"
                   "[db:history]\n20261102-000000F={\"option-checksum-page\":true}\n");
  CleanSet found = newest_clean_set(catalogue);
  ASSERT_TRUE(found.newest_clean);
  EXPECT_EQ(found.newest_clean->label, "20261101-000000F");
  EXPECT_THAT(found.damaged, ElementsAre("20261104-000000F")) << "errors that were found are no less there";
  EXPECT_THAT(found.unchecked, ElementsAre("20261103-000000F", "20261102-000000F"));
  forget_unchecked(catalogue, "");
  EXPECT_FALSE(newest_clean_set(catalogue).newest_clean)
      << "an index that could not be read says of nothing that it is";
}

TEST(NewestCleanSet, WhereNoneIsCleanNoneIsNamed) {
  CleanSet found = newest_clean_set(with({checked("a", 10, true), checked("b", 20, std::nullopt)}));
  EXPECT_FALSE(found.newest_clean);
  EXPECT_THAT(in_words(found), HasSubstr("No backup is known to be without damaged pages"));
  EXPECT_FALSE(newest_clean_set(with({})).newest_clean);
}

}  // namespace
}  // namespace lifeboat::recovery
