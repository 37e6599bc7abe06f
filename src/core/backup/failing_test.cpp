#include "core/backup/failing.hpp"

#include <gtest/gtest.h>

namespace lifeboat::backup {
namespace {

using std::chrono::seconds;

TEST(Failing, IsCountedFromTheFirstFailureToTheLastAndEndedByASuccess) {
  Failing it;
  MonoTime begun{};
  EXPECT_EQ(it.failed(begun), Duration{0});
  EXPECT_EQ(it.failed(begun + seconds(90)), Duration{90'000});
  it.went_well();
  EXPECT_EQ(it.failed(begun + seconds(100)), Duration{0});
}

}  // namespace
}  // namespace lifeboat::backup
