// What postgres.clean-point makes of a log whose newest part is in no archive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/test_restores.hpp"
#include "core/backup/messages.hpp"
#include "core/recovery/messages.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;

class CleanPoint : public RestoresTest {
 protected:
  CleanPoint() {
    world.agents.on_call = [this](std::string, std::string method, Json) -> Result<Json> {
      if (method == wire::LogClose::kMethod) return fail(ErrorKind::refused, "this host is cut off");
      if (method == wire::RestoreCleanPoint::kMethod) return found;
      return fail(ErrorKind::unsupported, method);
    };
  }

  Result<Outcome> look() {
    return world.apply(postgres_clean_point_action(),
                       R"({"service":"orders","since":"1h","member":"two","encrypted":true})");
  }

  Json found;
};

TEST_F(CleanPoint, ADamageThatIsArchivedIsFoundWhereTheLogCannotBeClosed) {
  found = JsonObject{{"found", true},
                     {"good_to_the_end", false},
                     {"restores_used", 1},
                     {"restore_to", JsonObject{{"xid", "before:77"}, {"lsn", "0/5000000"}}}};
  auto outcome = look();
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_EQ(text_or(outcome->data, "target"), "before:77");
  EXPECT_THAT(world.lines, testing::Contains(HasSubstr("this host is cut off")));
}

TEST_F(CleanPoint, NothingFoundIsNoAnswerWhileTheNewestPartIsInNoArchive) {
  found = JsonObject{{"found", false}, {"good_to_the_end", true}, {"restores_used", 1}};
  auto outcome = look();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::refused);
  EXPECT_THAT(outcome.error().text(), HasSubstr("this host is cut off"));
}

}  // namespace
}  // namespace lifeboat
