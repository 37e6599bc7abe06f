// Commits that nobody waits for any more, with real servers: what PostgreSQL says only in its log is in the report.
#include <memory>

#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class CancelledCommits : public PairTest {};

Task<> insert(Pair& p, std::string id, std::shared_ptr<std::optional<bool>> committed) {
  auto asking =
      pg_query_once(p.socket_of("a"), "INSERT INTO notes VALUES (" + id + ")", {}, Deadline::after(Duration{30'000}));
  auto done = co_await std::move(asking);
  *committed = done.has_value();
}

// Gives what became of an insert that waits for a standby and is cut short by `how`; nothing when it never waited.
Task<std::optional<bool>> cut_short(Pair& p, std::string id, std::string how) {
  auto committed = std::make_shared<std::optional<bool>>();
  asio::co_spawn(p.context, insert(p, std::move(id), committed), asio::detached);
  std::string cutting = "SELECT " + how + "(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  for (Deadline patience = Deadline::after(Duration{15'000}); !*committed && !patience.passed();) {
    auto asking = p.sql("a", cutting);
    auto asked = co_await std::move(asking);
    co_await sleep_for(Duration{20});
  }
  co_return *committed;
}

// Case 18, patroni#1412: a commit whose wait was cancelled was seen by others, and was lost with its primary.
Task<bool> story_of_a_wait(Pair& p) {
  p.controller.hosts["a"].configuration.servers.find(kService)->sync = SyncSet{"db-a", {"db-b"}, 1};
  p.controller.hosts["b"].configuration.servers.find(kService)->sync = SyncSet{"db-b", {"db-a"}, 1};
  REQUIRE(co_await p.stand_up());
  EXPECT_EQ(p.controller.member("a")->cancelled, CancelledWaits{}) << p.controller.member("a")->cancelled.not_counted;

  // "b" receives no more.
  for (const std::string bar :
       {"ALTER ROLE replicator NOLOGIN", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication"}) {
    auto barring = p.sql("a", bar);
    REQUIRE((co_await std::move(barring)).has_value());
  }
  auto waits = [&]() -> const CancelledWaits& { return p.controller.member("a")->cancelled; };
  auto cancelling = cut_short(p, "1", "pg_cancel_backend");
  EXPECT_EQ(co_await std::move(cancelling), true) << "its client is told that it is committed";
  auto first = p.until([&] { return waits().count == 1; });
  EXPECT_TRUE(co_await std::move(first));
  EXPECT_EQ(waits().alone, 1);
  EXPECT_FALSE(waits().last_at.empty());
  auto ending = cut_short(p, "2", "pg_terminate_backend");
  EXPECT_EQ(co_await std::move(ending), false);
  auto second = p.until([&] { return waits().count == 2; });
  EXPECT_TRUE(co_await std::move(second));
  EXPECT_EQ(waits().alone, 2);
  auto reading = p.sql("a", "SELECT count(*) AS kept FROM notes");
  auto kept = co_await std::move(reading);
  REQUIRE(kept.has_value());
  EXPECT_EQ(kept->text(0, "kept"), "2");

  auto admitting = p.sql("a",
                         "DO $$ BEGIN PERFORM set_config('synchronous_commit', 'local', false);"
                         " ALTER ROLE replicator LOGIN; END $$");
  REQUIRE((co_await std::move(admitting)).has_value());
  auto arriving = p.until([&] { return waits().alone == 0; });
  EXPECT_TRUE(co_await std::move(arriving));
  EXPECT_EQ(waits().count, 2);

  // What is known of a server that has ended is told until there is another.
  kill(p.postmaster_of("a"), SIGKILL);
  auto stopping = p.until([&] { return p.controller.is("a", ServerState::stopped); });
  REQUIRE(co_await std::move(stopping));
  EXPECT_EQ(waits().count, 2);
  auto leading = p.lead("a");
  auto led = co_await std::move(leading);
  EXPECT_TRUE(led) << led.error().text();
  auto anew = p.until([&] { return p.controller.is("a", ServerState::primary) && waits().count == 0; });
  EXPECT_TRUE(co_await std::move(anew));
  co_return true;
}
TEST_F(CancelledCommits, AreCountedAndAreAloneUntilAStandbyHasThem) { play(story_of_a_wait(*pair)); }

}  // namespace
}  // namespace lifeboat
