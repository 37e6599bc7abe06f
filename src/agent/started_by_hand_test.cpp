// Somebody starts PostgreSQL on a member's data with PostgreSQL's own tools, beside the agent.
#include <cstdlib>

#include "agent/postgres_server.hpp"
#include "agent/test_pair.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

class StartedByHand : public PairTest {};

// As its data's owner would, who in these tests is whoever runs the servers.
bool start_by_hand(Pair& p, const std::string& host) {
  std::string line = fmt::format("{} -D {} -l /dev/null -W start", postgres_program("pg_ctl"), p.data_of(host));
  if (geteuid() == 0) line = fmt::format("runuser -u postgres -- {}", line);
  return std::system((line + " </dev/null >/dev/null 2>&1").c_str()) == 0;
}

// Case 6, repmgr#766: an old primary was started again by the system's own service, and there were two.
Task<bool> an_old_primary(Pair& p) {
  REQUIRE(co_await p.stand_up());
  REQUIRE(co_await p.fail_over_to_b());
  auto stopped = p.until([&] { return p.controller.is("a", ServerState::stopped); });
  REQUIRE(co_await std::move(stopped));
  REQUIRE(start_by_hand(p, "a"));
  for (int look = 0; look < 40; ++look) {
    auto asking = p.takes_writes("a");
    EXPECT_FALSE(co_await std::move(asking)) << "look " << look;
    co_await sleep_for(Duration{50});
  }
  auto told = p.until([&] { return p.controller.member("a")->reason.contains("by hand"); });
  EXPECT_TRUE(co_await std::move(told)) << p.controller.member("a")->reason;
  EXPECT_TRUE(p.server_is_gone("a"));
  auto asking = p.takes_writes("b");
  EXPECT_TRUE(co_await std::move(asking));
  co_return true;
}
TEST_F(StartedByHand, AnOldPrimaryIsEndedAndReachedByNobody) { play(an_old_primary(*pair)); }

}  // namespace
}  // namespace lifeboat
