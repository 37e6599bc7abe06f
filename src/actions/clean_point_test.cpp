// What postgres.clean-point makes of a log whose newest part is in no archive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/test_world.hpp"
#include "core/backup/messages.hpp"
#include "core/recovery/messages.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;

class CleanPoint : public testing::Test {
 protected:
  CleanPoint() {
    world.add_region("north");
    world.add_region("south");
    world.add_host("db-1", "north", "127.0.0.1");
    world.add_host("db-2", "south", "127.0.0.2");
    world.add_host("vault", "south", "127.0.0.3");
    PostgresService orders;
    orders.members.add("one", PostgresMember{.host = {"db-1"}});
    orders.members.add("two", PostgresMember{.host = {"db-2"}});
    orders.backups = Backups{.repository_host = Identifier{"vault"}};
    world.plan.services.add("orders", orders);
    DatabaseView view{.service = "orders", .term = 1, .holder = "one", .writable = true};
    for (const std::string name : {"one", "two"}) {
      MemberView member{.member = name, .connected = true};
      member.report.state = name == "one" ? ServerState::primary : ServerState::standby;
      view.members.push_back(member);
    }
    world.databases.views["orders"] = view;
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
  TestWorld world;
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
