// To which run it is put down that an old primary came back with writes of its own.
#include "controller/orphan_runs.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

class OrphanRunsTest : public ::testing::Test {
 protected:
  StoredEvent event(int second, std::string stream, std::string kind, JsonObject data = {}) {
    return {++seq_,
            WallTime{std::chrono::seconds(1'000'000 + second)},
            std::move(stream),
            std::move(kind),
            JsonObject{{"data", std::move(data)}},
            {}};
  }
  void see(const StoredEvent& what) { runs_.see(what); }
  void promoted(int second, int timeline) { see(event(second, "database/db", "promoted", {{"timeline", timeline}})); }
  void opened(int second, const std::string& id) { see(event(second, "run/" + id, "run-opened")); }
  void finished(int second, const std::string& id) { see(event(second, "run/" + id, "run-finished")); }
  std::string run_of(int second, int timeline) {
    return runs_.run_of(event(second, "database/db", "orphans-saved", {{"timeline", timeline}}));
  }

  OrphanRuns runs_;
  uint64_t seq_ = 0;
};

TEST_F(OrphanRunsTest, TheRunThatPromotedTheSuccessorLostThemWhoeverIsOnWhenTheyComeBack) {
  promoted(0, 1);
  opened(10, "R-1");
  promoted(11, 2);
  finished(20, "R-1");
  EXPECT_EQ(run_of(500, 1), "R-1");  // long after its end
  opened(600, "R-2");
  EXPECT_EQ(run_of(601, 1), "R-1");  // in the run of the way back
  promoted(610, 3);
  EXPECT_EQ(run_of(620, 1), "R-1");
  EXPECT_EQ(run_of(620, 2), "R-2");
}

TEST_F(OrphanRunsTest, ARunThatFollowsAPromotionByItselfIsTheOneAndADistantOneIsNot) {
  opened(10, "R-1");
  finished(20, "R-1");
  promoted(5'000, 2);
  EXPECT_EQ(run_of(5'001, 1), "");
  opened(5'030, "R-2");
  EXPECT_EQ(run_of(5'040, 1), "R-2");
}

TEST_F(OrphanRunsTest, WithoutAPromotionInTheJournalItIsTheRunInWhichTheyCame) {
  opened(10, "R-1");
  EXPECT_EQ(run_of(15, 1), "R-1");
}

}  // namespace
}  // namespace lifeboat
