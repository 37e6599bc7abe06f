#include "core/lease/lease.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

MonoTime at(int64_t ms) { return MonoTime{std::chrono::milliseconds(ms)}; }
Lease two_seconds() { return Lease{.length = Duration{2000}}; }

TEST(Lease, CountsFromWhenTheRenewalWasSent) {
  Lease lease = two_seconds();
  ASSERT_TRUE(take_grant(lease, 1, at(1000), at(1010)));
  take_renewal(lease, 1, at(1400), at(1900));
  EXPECT_EQ(lease.until, at(3400));
  EXPECT_TRUE(lease.held(at(2899)));
  EXPECT_FALSE(lease.held(at(2900)));
}

TEST(Lease, RefusesATermItHasSeen) {
  Lease lease = two_seconds();
  ASSERT_TRUE(take_grant(lease, 4, at(1000), at(1000)));
  drop(lease);
  EXPECT_FALSE(take_grant(lease, 4, at(2000), at(2000)));
  EXPECT_TRUE(take_grant(lease, 5, at(2000), at(2000)));
}

TEST(Lease, RefusesAGrantThatComesTooLate) {
  Lease lease = two_seconds();
  EXPECT_FALSE(take_grant(lease, 1, at(1000), at(2500)));
  EXPECT_EQ(lease.floor, 0u);
}

TEST(Lease, AnAnswerAfterTheEndDoesNotBringItBack) {
  Lease lease = two_seconds();
  ASSERT_TRUE(take_grant(lease, 1, at(1000), at(1000)));
  take_renewal(lease, 1, at(2400), at(2600));
  EXPECT_FALSE(lease.held(at(2600)));
}

TEST(Lease, AnswersOutOfOrderNeverShortenIt) {
  Lease lease = two_seconds();
  ASSERT_TRUE(take_grant(lease, 1, at(1000), at(1000)));
  take_renewal(lease, 1, at(1800), at(1900));
  take_renewal(lease, 1, at(1400), at(1950));
  EXPECT_EQ(lease.until, at(3800));
}

// Case 2, cloudnative-pg#7407: a primary that was cut off went on taking writes while another one was promoted.
TEST(Lease, StopsBeforeAnybodyElseCanBeGranted) {
  // The granting side counts the same length from a later moment, whatever the network did in between.
  for (int64_t delay = 0; delay < 1500; delay += 100) {
    Lease lease = two_seconds();
    if (!take_grant(lease, 1, at(1000), at(1000 + delay))) continue;
    MonoTime granted_elsewhere = at(1000) + std::chrono::milliseconds(2000);
    EXPECT_LE(lease.fence_at() + lease.margin(), granted_elsewhere);
  }
}

}  // namespace
}  // namespace lifeboat
