#include "core/recovery/anomaly.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/recovery/test_catalogues.hpp"

namespace lifeboat::recovery {
namespace {

std::vector<BackupSet> usual(size_t count) {
  std::vector<BackupSet> out;
  for (size_t index = 0; index < count; ++index) {
    out.push_back(set_at("s" + std::to_string(index), 1, 10 + index, 10 + index));
    out.back().bytes += index * 20'000'000;
    out.back().repository_bytes += index * 4'000'000;
  }
  return out;
}

// The same number of bytes, and hardly any of them saved.
BackupSet& encrypt(BackupSet& set) {
  set.repository_bytes = set.bytes * 3 / 4;
  set.repository_copied_bytes = set.copied_bytes * 3 / 4;
  return set;
}

// A differential that copied so much of the database, of which so much is stored.
void make_partial(BackupSet& set, uint64_t copied, uint64_t stored) {
  set.type = BackupType::diff;
  set.copied_bytes = copied;
  set.repository_copied_bytes = stored;
}

std::vector<std::string> labels(const std::vector<Anomaly>& found) {
  std::vector<std::string> out;
  for (const Anomaly& one : found) out.push_back(one.set);
  return out;
}
using Labels = std::vector<std::string>;

TEST(Anomalies, AreNotSeenInBackupsThatGrowAsUsual) { EXPECT_TRUE(anomalies_of(usual(6)).empty()); }

TEST(Anomalies, DataThatNoLongerCompressLookEncrypted) {
  auto sets = usual(6);
  encrypt(sets.back());
  auto found = anomalies_of(sets);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].set, "s5");
  EXPECT_EQ(found[0].what, "compresses 1.3 : 1, usually 5.0 : 1");
}

TEST(Anomalies, OneBackupBeforeIsEnoughToSeeThatAllWasEncrypted) {
  auto sets = usual(2);
  encrypt(sets[1]);
  EXPECT_EQ(labels(anomalies_of(sets)), Labels{"s1"});
}

TEST(Anomalies, AreOfWholeDatabasesWhateverTheTypeOfTheBackups) {
  auto sets = usual(2);
  make_partial(encrypt(sets[1]), 900'000'000, 700'000'000);
  EXPECT_EQ(labels(anomalies_of(sets)), Labels{"s1"});
}

TEST(Anomalies, ABackupThatLookedWrongStaysSoAndMakesNoneAfterItUsual) {
  auto sets = usual(2);
  for (int week = 0; week < 6; ++week) {
    sets.push_back(usual(2 + sets.size()).back());
    encrypt(sets.back());
  }
  EXPECT_EQ(labels(anomalies_of(sets)), (Labels{"s3", "s4", "s5", "s6", "s7", "s8"}));
  // Data as they were again: what was wrong in between still waits for somebody to look.
  sets.push_back(usual(10).back());
  EXPECT_EQ(labels(anomalies_of(sets)), (Labels{"s3", "s4", "s5", "s6", "s7", "s8"}));
}

TEST(Anomalies, WhatGetsWorseALittleEachTimeIsSeenInTheEnd) {
  auto sets = usual(8);
  for (size_t index = 0; index < sets.size(); ++index)
    sets[index].repository_bytes = sets[index].repository_bytes * (10 + index) / 10;
  EXPECT_TRUE(anomalies_of({sets.begin(), sets.begin() + 6}).empty());
  sets.push_back(usual(9).back());
  sets.back().repository_bytes = sets.back().repository_bytes * 18 / 10;
  EXPECT_EQ(labels(anomalies_of(sets)), Labels{"s8"});
}

TEST(Anomalies, EndWhenAPersonHasLookedAndThatIsHowTheDatabaseIsFromThenOn) {
  auto sets = usual(3);
  encrypt(sets[2]);
  ASSERT_EQ(labels(anomalies_of(sets)), Labels{"s2"});
  Moment looked = sets[2].stopped;
  EXPECT_TRUE(anomalies_of(sets, looked).empty());
  // Another one like it, and then one like before.
  sets.push_back(usual(4).back());
  encrypt(sets[3]);
  EXPECT_TRUE(anomalies_of(sets, looked).empty());
  sets.push_back(usual(5).back());
  encrypt(sets[4]).repository_bytes *= 2;
  EXPECT_EQ(labels(anomalies_of(sets, looked)), Labels{"s4"});
}

TEST(Anomalies, AfterTheDataWereRestoredALookAtTheNewestBackupPassesTheBadOnesToo) {
  auto sets = usual(5);
  encrypt(sets[3]);
  ASSERT_EQ(labels(anomalies_of(sets)), Labels{"s3"});
  Moment looked = sets[4].stopped;
  EXPECT_TRUE(anomalies_of(sets, looked).empty());
  // What was encrypted is not what later ones are measured by.
  sets.push_back(usual(6).back());
  EXPECT_TRUE(anomalies_of(sets, looked).empty());
  sets.push_back(usual(7).back());
  encrypt(sets.back());
  EXPECT_EQ(labels(anomalies_of(sets, looked)), Labels{"s6"});
}

TEST(Anomalies, ADatabaseThatLostHalfOfItsSizeIsOne) {
  auto sets = usual(6);
  sets.back().bytes = 300'000'000;
  sets.back().repository_bytes = 60'000'000;
  EXPECT_EQ(anomalies_of(sets).size(), 1u);
}

TEST(Anomalies, SizesAreNotJudgedWithoutHistory) {
  auto sets = usual(3);
  sets.back().bytes = 5;
  sets.back().repository_bytes = 1;
  EXPECT_TRUE(anomalies_of(sets).empty());
}

TEST(Anomalies, AnEncryptedTableIsSeenInADifferentialThatCopiedIt) {
  auto sets = usual(6);
  for (size_t index = 1; index < 6; ++index) make_partial(sets[index], 200'000'000, 40'000'000);
  EXPECT_TRUE(anomalies_of(sets).empty());
  make_partial(sets.back(), 200'000'000, 180'000'000);
  auto found = anomalies_of(sets);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].what, "what changed compresses 1.1 : 1, usually 5.0 : 1");
}

TEST(Anomalies, AQuietNightIsNoMeasureOfABusyDay) {
  auto sets = usual(6);
  for (size_t index = 1; index < 5; ++index) make_partial(sets[index], 100'000, 5'000);
  make_partial(sets.back(), 50'000'000, 25'000'000);
  EXPECT_TRUE(anomalies_of(sets).empty()) << "a twentieth of the database";
  make_partial(sets.back(), 300'000'000, 150'000'000);
  EXPECT_EQ(anomalies_of(sets).size(), 2u);
}

TEST(Anomalies, FailedPagesNeedNoHistory) {
  auto sets = usual(1);
  sets.back().page_errors = true;
  EXPECT_EQ(anomalies_of(sets).size(), 1u);
}

}  // namespace
}  // namespace lifeboat::recovery
