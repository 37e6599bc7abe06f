#include "core/clean_point/costs.hpp"

#include <gtest/gtest.h>

namespace lifeboat::clean_point {
namespace {

TEST(CleanPointCosts, EachKindOfMoveTellsItsOwn) {
  Costs costs{.restore = 60, .per_commit = 0.01, .step = 2, .check = 1};
  learn(costs, {.fresh = false, .from = 100, .to = 101, .seconds = 0.05});
  EXPECT_NEAR(costs.step, 0.04, 1e-9);
  learn(costs, {.fresh = false, .from = 101, .to = 10'101, .seconds = 1.04});
  EXPECT_NEAR(costs.per_commit, 0.0001, 1e-9);
  learn(costs, {.fresh = true, .to = 20'000, .seconds = 7.04});
  EXPECT_NEAR(costs.restore, 5, 1e-9);
  EXPECT_EQ(costs.check, 1);
}

TEST(CleanPointCosts, NothingIsLearntToBeFree) {
  Costs costs{.restore = 60, .per_commit = 0.01, .step = 2, .check = 1};
  learn(costs, {.fresh = true, .to = 100'000, .seconds = 1});
  learn(costs, {.fresh = false, .from = 5, .to = 6, .seconds = 0});
  learn(costs, {.fresh = false, .from = 5, .to = 6'000, .seconds = 0});
  EXPECT_GT(costs.restore, 0);
  EXPECT_GT(costs.step, 0);
  EXPECT_GE(costs.per_commit, 0);
}

}  // namespace
}  // namespace lifeboat::clean_point
