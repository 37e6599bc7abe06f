// For tests of actions on copies: a database "orders" with a primary in the north, a standby in the south, and backups on a host of their
// own.
#pragma once

#include <gtest/gtest.h>

#include "actions/test_world.hpp"

namespace lifeboat {

class RestoresTest : public testing::Test {
 protected:
  RestoresTest() {
    world.add_region("north");
    world.add_region("south");
    world.add_host("db-1", "north", "127.0.0.1");
    world.add_host("db-2", "south", "127.0.0.2");
    world.add_host("vault", "south", "127.0.0.3");
    PostgresService orders;
    orders.members.add("one", PostgresMember{.host = {"db-1"}});
    orders.members.add("two", PostgresMember{.host = {"db-2"}});
    orders.backups = Backups{.repository_host = Identifier{"vault"}, .repository_path = "backups"};
    world.plan.services.add("orders", orders);
    DatabaseView view{.service = "orders", .term = 1, .holder = "one", .writable = true};
    for (const std::string name : {"one", "two"}) {
      MemberView member{.member = name, .connected = true};
      member.report.state = name == "one" ? ServerState::primary : ServerState::standby;
      view.members.push_back(member);
    }
    world.databases.views["orders"] = view;
  }

  TestWorld world;
};

}  // namespace lifeboat
