// Whom commits wait for, with real servers: an order that comes late changes nothing any more.
#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class SyncOrders : public PairTest {};

Task<bool> story_of_a_late_order(Pair& p) {
  p.controller.hosts["a"].configuration.servers.find(kService)->sync = SyncSet{"db-a", {"db-b"}, 1};
  REQUIRE(co_await p.stand_up());
  auto tell = [&](uint64_t number, std::vector<std::string> members) {
    p.controller.tell("a", wire::SyncWith{kService, "db-a", p.term, SyncSet{"db-a", std::move(members), 1, number}});
  };
  auto report = [&]() -> const MemberReport& { return *p.controller.member("a"); };
  const std::string both = R"(ANY 1 ("db-b", "db-c"))", one = R"(ANY 1 ("db-b"))";
  tell(5, {"db-b", "db-c"});
  auto heard = p.until([&] { return report().sync_number == 5 && report().sync == both; });
  REQUIRE(co_await std::move(heard));
  tell(7, {"db-b"});
  auto newest = p.until([&] { return report().sync_number == 7 && report().sync == one; });
  REQUIRE(co_await std::move(newest));

  // From a controller that does not know that it leads no more, say. What is asked after it is answered after it.
  tell(6, {"db-c"});
  p.controller.tell("a", wire::LookAgain{kService, "db-a", 99});
  auto looked = p.until([&] { return report().mark == 99; });
  REQUIRE(co_await std::move(looked));
  EXPECT_EQ(report().sync_number, 7u);
  EXPECT_EQ(report().sync, one);
  auto asking = p.sql("a", "SELECT pg_reload_conf()");
  REQUIRE((co_await std::move(asking)).has_value());
  auto showing = p.sql("a", "SHOW synchronous_standby_names");
  auto shown = co_await std::move(showing);
  REQUIRE(shown.has_value());
  EXPECT_EQ(shown->text(0, "synchronous_standby_names"), one);
  // One of the same number is carried out: what came of the first try may not be in the server's settings.
  tell(7, {"db-b", "db-c"});
  auto again = p.until([&] { return report().sync == both; });
  EXPECT_TRUE(co_await std::move(again));
  co_return true;
}
TEST_F(SyncOrders, ThatComeLateChangeNothing) { play(story_of_a_late_order(*pair)); }

}  // namespace
}  // namespace lifeboat
