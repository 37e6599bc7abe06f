#include "core/recovery/anomaly.hpp"

#include <gtest/gtest.h>

#include "core/recovery/test_catalogues.hpp"

namespace lifeboat::recovery {
namespace {

std::vector<BackupSet> usual(size_t count) {
  std::vector<BackupSet> out;
  for (size_t index = 0; index < count; ++index) {
    out.push_back(set_at("s" + std::to_string(index), 1, 10 + index, 10 + index));
    out.back().bytes += index * 20'000'000;
  }
  return out;
}

TEST(Anomalies, AreNotSeenInBackupsThatGrowAsUsual) { EXPECT_TRUE(anomalies_of(usual(6)).empty()); }

TEST(Anomalies, DataThatNoLongerCompressLookEncrypted) {
  auto sets = usual(6);
  sets.back().repository_copied_bytes = sets.back().copied_bytes;
  auto found = anomalies_of(sets);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].set, "s5");
  EXPECT_EQ(found[0].what, "compresses 1.0 : 1, usually 5.0 : 1");
}

TEST(Anomalies, ADatabaseThatLostHalfOfItsSizeIsOne) {
  auto sets = usual(6);
  sets.back().bytes = 300'000'000;
  EXPECT_EQ(anomalies_of(sets).size(), 1u);
}

TEST(Anomalies, AreNotJudgedWithoutHistory) {
  auto sets = usual(3);
  sets.back().bytes = 1;
  EXPECT_TRUE(anomalies_of(sets).empty());
}

TEST(Anomalies, MeasuredEntropyAndFailedPagesNeedNoHistory) {
  auto sets = usual(1);
  sets.back().page_errors = true;
  EXPECT_EQ(anomalies_of(sets, {{"s0", 7.99}}).size(), 2u);
  EXPECT_EQ(anomalies_of(sets, {{"s0", 4.2}}).size(), 1u);
}

}  // namespace
}  // namespace lifeboat::recovery
