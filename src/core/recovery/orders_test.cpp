#include "core/recovery/orders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::recovery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<OrderUnderWay> kRestore{{"restore", "undo", "ada"}};
const std::vector<OrderUnderWay> kLooks{{"clean-point", "", "ada"}, {"forensics", "", "bob"}};

std::string refusal(std::string_view what, std::span<const OrderUnderWay> under_way) {
  auto may = may_begin(what, "shop", under_way);
  return may ? std::string() : may.error().text();
}

TEST(OrdersOfPeople, ALookBarsNoRestoreAndARestoreNoLook) {
  EXPECT_EQ(refusal("restore", kLooks), "");
  EXPECT_EQ(refusal("adopt", kLooks), "");
  EXPECT_EQ(refusal("forensics", kRestore), "");
  EXPECT_EQ(refusal("clean-point", kRestore), "");
}

TEST(OrdersOfPeople, NothingBarsAStop) {
  EXPECT_EQ(refusal("stop", kRestore), "");
  EXPECT_EQ(refusal("stop", kLooks), "");
  EXPECT_EQ(refusal("stop", std::vector<OrderUnderWay>{{"stop", "undo", "bob"}}), "");
}

TEST(OrdersOfPeople, TheDatabasesPlaceIsTakenByOneAtATimeAndWhoIsRefusedLearnsHowTheOtherIsEnded) {
  EXPECT_THAT(refusal("restore", kRestore), HasSubstr("lifeboat restores stop shop undo"));
  EXPECT_THAT(refusal("adopt", kRestore), HasSubstr("restore undo of shop is under way, by ada"));
  EXPECT_THAT(refusal("clean-point", kLooks), HasSubstr("lifeboat restores stop shop clean-point"));
  EXPECT_THAT(refusal("restore", std::vector<OrderUnderWay>{{"adopt", "undo", "ada", true}}),
              testing::Not(HasSubstr("restores stop")));
}

TEST(OrdersOfPeople, AStopMeansWhatItNamesOrAllThereIs) {
  std::vector<OrderUnderWay> all = kLooks;
  all.push_back({"restore", "undo", "ada"});
  all.push_back({"stop", "undo", "bob"});
  EXPECT_THAT(*meant_by_stop("undo", all), ElementsAre(2));
  EXPECT_THAT(*meant_by_stop("forensics", all), ElementsAre(1));
  EXPECT_THAT(*meant_by_stop("", all), ElementsAre(0, 1, 2)) << "a stop does not end another one";
  EXPECT_THAT(*meant_by_stop("another", all), IsEmpty());
}

TEST(OrdersOfPeople, ASwapIsNotEndedHalfWay) {
  auto refused = meant_by_stop("undo", std::vector<OrderUnderWay>{{"restore", "undo", "ada", true}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_TRUE(meant_by_stop("clean-point", std::vector<OrderUnderWay>{{"restore", "undo", "ada", true}}));
}

}  // namespace
}  // namespace lifeboat::recovery
