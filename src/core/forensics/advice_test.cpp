#include "core/forensics/advice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/forensics/report.hpp"

namespace lifeboat::forensics {
namespace {

using testing::HasSubstr;
using testing::Not;

Report with_flood() {
  Report report;
  Surge later{.table = "shop.public.orders", .kind = DeedKind::updated, .rows = 50, .transactions = 40};
  later.first.xid = 900;
  Surge first{.table = "shop.public.users", .kind = DeedKind::updated, .rows = 12'000, .transactions = 9'000};
  first.first.xid = 757;
  report.surges = {later, first};
  return report;
}
Finding finding(uint32_t xid, double score) {
  Finding out;
  out.transaction.xid = xid;
  out.score = score;
  out.before.xid = xid;
  out.deeds.push_back({});
  return out;
}

TEST(ForensicsAdvice, NothingStandsOutOnlyWhenThereIsNeitherATransactionNorAFlood) {
  Advice none = advise(to_json(Report{}));
  EXPECT_EQ(none.summary, "nothing stands out");
  EXPECT_EQ(none.target, "");
}

TEST(ForensicsAdvice, AFloodOfSmallUpdatesIsNamedAndRestoredToBeforeItsFirst) {
  Advice advice = advise(to_json(with_flood()));
  EXPECT_EQ(advice.target, "before:757");
  EXPECT_THAT(advice.summary, HasSubstr("12000 rows of shop.public.users updated by 9000 small transactions"));
  EXPECT_THAT(advice.summary, HasSubstr("restore to before:757"));
  EXPECT_THAT(advice.summary, HasSubstr("restore to before:900"));
  EXPECT_THAT(advice.summary, Not(HasSubstr("nothing")));
}

TEST(ForensicsAdvice, TheMostUnusualTransactionGoesFirstAndTheFloodIsNamedBesideIt) {
  Report report = with_flood();
  report.findings = {finding(1'200, 300), finding(800, 90)};
  report.left_out = 3;
  Advice advice = advise(to_json(report));
  EXPECT_EQ(advice.target, "before:1200");
  EXPECT_THAT(advice.summary, HasSubstr("5 transactions stand out; restore to before:1200"));
  EXPECT_THAT(advice.summary, HasSubstr("shop.public.users"));
}

}  // namespace
}  // namespace lifeboat::forensics
