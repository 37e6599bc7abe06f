#include "core/decision/standing.hpp"

#include <gtest/gtest.h>

namespace lifeboat::decision {
namespace {

const JsonObject kEast{{"signal", "region-failure"}, {"subject", "east"}};

JsonObject east(JsonObject more) {
  for (const auto& entry : kEast) more[entry.key()] = entry.value();
  return more;
}

void believe(Standing& standing, std::string_view verdict) {
  fold(standing, "signal-raised", east({{"by", "vantage points"}, {"text", "nothing answers"}}), WallTime{Duration{7}});
  fold(
      standing, "decided",
      east({{"verdict", verdict}, {"scenario", "failover"}, {"reason", "so says the matrix"}, {"superseded", {"R-1"}}}),
      WallTime{Duration{7}});
}

TEST(Standing, ASignalStandsUntilItIsCleared) {
  Standing standing;
  believe(standing, "propose");
  ASSERT_TRUE(standing.signals.contains("region-failure/east"));
  EXPECT_EQ(standing.signals["region-failure/east"].text, "nothing answers");
  EXPECT_EQ(standing.signals["region-failure/east"].since, WallTime{Duration{7}});
  EXPECT_TRUE(standing.owed.empty()) << "nothing was to be started";
  fold(standing, "signal-cleared", JsonObject{{"signal", "region-failure"}, {"subject", "west"}}, {});
  EXPECT_EQ(standing.signals.size(), 1U) << "another region's";
  fold(standing, "signal-cleared", kEast, {});
  EXPECT_TRUE(standing.signals.empty());
}

// Case 32, cloudnative-pg#11346: a failover that was decided and not yet begun was dropped without a word.
TEST(Standing, AStartIsOwedUntilARunStandsOrWasRefused) {
  for (std::string_view ending : {"run-started", "start-refused"}) {
    Standing standing;
    believe(standing, "start");
    ASSERT_EQ(standing.owed.size(), 1U);
    const OwedStart& owed = standing.owed.begin()->second;
    EXPECT_EQ(owed.scenario, "failover");
    EXPECT_EQ(owed.raised.raised_by, "vantage points");
    EXPECT_EQ(owed.superseded, std::vector<std::string>{"R-1"});
    fold(standing, ending, kEast, {});
    EXPECT_TRUE(standing.owed.empty()) << ending;
    EXPECT_EQ(standing.signals.size(), 1U) << "the region is lost all the same";
  }
}

// The signal may pass while its answer is only being opened; what was decided is done.
TEST(Standing, AnOwedStartOutlivesItsSignal) {
  Standing standing;
  believe(standing, "start");
  fold(standing, "signal-cleared", kEast, {});
  EXPECT_EQ(standing.owed.size(), 1U);
}

}  // namespace
}  // namespace lifeboat::decision
