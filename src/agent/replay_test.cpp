// What an agent says of a standby whose replay does not go on: from that, a controller knows whom it would wait for in vain.
#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class HeldUpReplay : public PairTest {};

// Case 24, cloudnative-pg#11134: nobody saw that the replay of a replica did not go on.
// A reader on the standby holds a lock that the next record of the log needs.
Task<bool> a_reader_holds_it_up(Pair& p) {
  REQUIRE(co_await p.stand_up());
  Deadline deadline = Deadline::after(Duration{60'000});
  for (bool there = false; !there;) {
    auto asking = p.sql("b", "SELECT count(*) FROM notes");
    there = (co_await std::move(asking)).has_value();
    REQUIRE(!deadline.passed());
  }
  auto connecting = PgConnection::connect(p.socket_of("b"), deadline);
  auto reader = co_await std::move(connecting);
  REQUIRE(reader.has_value());
  auto reading = (*reader)->query("BEGIN", {}, deadline);
  REQUIRE((co_await std::move(reading)).has_value());
  reading = (*reader)->query("SELECT count(*) FROM notes", {}, deadline);
  REQUIRE((co_await std::move(reading)).has_value());
  EXPECT_EQ(p.controller.member("b")->replay_still_ms, 0);
  auto locking = p.sql("a", "ALTER TABLE notes ADD COLUMN more text");
  REQUIRE((co_await std::move(locking)).has_value());
  auto still = p.until([&] { return p.controller.member("b")->replay_still_ms >= 2'000; }, Duration{20'000});
  EXPECT_TRUE(co_await std::move(still)) << p.controller.member("b")->replay_still_ms;
  reading = (*reader)->query("COMMIT", {}, deadline);
  EXPECT_TRUE((co_await std::move(reading)).has_value());
  auto moves = p.until([&] { return p.controller.member("b")->replay_still_ms == 0; }, Duration{20'000});
  EXPECT_TRUE(co_await std::move(moves)) << p.controller.member("b")->replay_still_ms;
  co_return true;
}
TEST_F(HeldUpReplay, ByALockIsToldWithItsTimeUntilItMovesAgain) { play(a_reader_holds_it_up(*pair)); }

// Case 35, patroni#1402: nobody saw that a replica is delayed on purpose.
Task<bool> it_is_delayed(Pair& p) {
  REQUIRE(co_await p.stand_up());
  EXPECT_EQ(p.controller.member("b")->replay_delay, "");
  for (const char* statement : {"ALTER SYSTEM SET recovery_min_apply_delay = '60min'", "SELECT pg_reload_conf()"}) {
    auto setting = p.sql("b", statement);
    REQUIRE((co_await std::move(setting)).has_value());
  }
  auto told = p.until([&] { return p.controller.member("b")->replay_delay == "1h"; }, Duration{20'000});
  EXPECT_TRUE(co_await std::move(told)) << p.controller.member("b")->replay_delay;
  EXPECT_EQ(p.controller.member("a")->replay_delay, "");
  co_return true;
}
TEST_F(HeldUpReplay, OnPurposeIsTold) { play(it_is_delayed(*pair)); }

}  // namespace
}  // namespace lifeboat
