#include "core/ownership/held_answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::ownership {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(HeldAnswers, WaitForAQuestionThatWasPutAfterThem) {
  HeldAnswers<int> held;
  EXPECT_FALSE(held.asks()) << "there is nothing to ask for";
  held.hold(1);
  EXPECT_TRUE(held.asks());
  held.hold(2);
  EXPECT_FALSE(held.asks()) << "one question at a time";
  EXPECT_THAT(held.may_be_said(true), ElementsAre(1)) << "the second came after the question";
  EXPECT_TRUE(held.asks());
  EXPECT_THAT(held.may_be_said(true), ElementsAre(2));
  EXPECT_FALSE(held.asks());
}

TEST(HeldAnswers, AreNotGivenByOneThatIsNotKnownToLead) {
  HeldAnswers<int> held;
  held.hold(1);
  EXPECT_TRUE(held.asks());
  held.hold(2);
  EXPECT_THAT(held.may_be_said(false), IsEmpty());
  EXPECT_TRUE(held.asks()) << "that was not known of the second";
  held.forget();
  EXPECT_THAT(held.may_be_said(true), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::ownership
