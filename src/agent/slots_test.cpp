// The slots of a new primary: made although something hinders them at first, each by itself.

#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class SlotsOfAPrimary : public PairTest {};

bool is_told(Pair& p, std::string_view slot) {
  const MemberReport* report = p.controller.member("b");
  return report != nullptr &&
         std::ranges::any_of(report->handicaps, [&](const std::string& one) { return one.contains(slot); });
}

Task<bool> slots_are_full(Pair& p) {
  REQUIRE(co_await p.stand_up());
  // PostgreSQL takes no such name for a slot, whatever is done.
  p.controller.hosts["b"].configuration.servers.find(kService)->archive.slot = "no-slot";
  p.controller.configure("b");
  auto filling = p.sql("b", "SELECT pg_create_physical_replication_slot('user_' || n) FROM generate_series(1, 20) n");
  auto filled = co_await std::move(filling);
  EXPECT_TRUE(filled) << filled.error().text();
  auto stepping = p.step_down("a");
  REQUIRE((co_await std::move(stepping)).has_value());
  auto leading = p.lead("b");
  REQUIRE((co_await std::move(leading)).has_value());

  auto told = p.until([&] { return is_told(p, "db_a") && is_told(p, "no-slot"); });
  EXPECT_TRUE(co_await std::move(told));
  co_await sleep_for(Duration{5'000});
  auto freeing =
      p.sql("b", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name ~ 'user'");
  REQUIRE((co_await std::move(freeing)).has_value());
  auto mended = p.until([&] { return is_told(p, "no-slot") && !is_told(p, "db_a"); });
  EXPECT_TRUE(co_await std::move(mended));
  auto following = p.follow("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  EXPECT_EQ(text_or(*followed, "how"), "started");

  // Once for each state of affairs, not with every try.
  auto log = read_file(p.folder + "/b.log");
  REQUIRE(log.has_value());
  size_t times = 0;
  for (size_t at = log->find("could not all be made"); at != log->npos; at = log->find("could not all be made", at + 1))
    ++times;
  EXPECT_GE(times, 1u) << *log;
  EXPECT_LE(times, 2u) << *log;
  co_return true;
}
TEST_F(SlotsOfAPrimary, AreTriedAgainUntilTheyAreMadeEachByItself) { play(slots_are_full(*pair)); }

}  // namespace
}  // namespace lifeboat
