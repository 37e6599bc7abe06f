// Old data that get the history of another server, by real pg_rewind.
#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class Rewind : public PairTest {};

// Case 57, patroni#3652: a rewind was cut off, and a server was started on what it left.
// A rewind that was cut off leaves data of no history at all: never led, never started, replaced as a whole.
Task<bool> rewind_was_cut_off(Pair& p) {
  REQUIRE(co_await p.stand_up());
  REQUIRE(co_await p.fail_over_to_b());
  REQUIRE(write_file_atomic(p.folder + "/a/database/spoiled", "").has_value());
  REQUIRE(co_await p.start_anew("a"));
  auto told = p.until([&] { return p.controller.is("a", ServerState::parked); });
  REQUIRE(co_await std::move(told));
  auto wrong = p.lead("a");
  auto refused = co_await std::move(wrong);
  EXPECT_FALSE(refused.has_value());
  EXPECT_TRUE(p.server_is_gone("a"));
  --p.term;  // nobody holds that one
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  EXPECT_EQ(text_or(*followed, "how"), "copied");
  co_return true;
}
TEST_F(Rewind, DataWhoseRewindWasCutOffAreReplacedAndNeverLed) { play(rewind_was_cut_off(*pair)); }

// Data that were a standby's and were not shut down: what is started alone to end them in good order refuses to be a standby.
Task<bool> was_killed_as_a_standby(Pair& p) {
  REQUIRE(co_await p.stand_up());
  // "b" never receives the last of it, as a standby does not that is promoted although another was ahead of it.
  for (const std::string statement :
       {"ALTER ROLE replicator NOLOGIN", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication"}) {
    auto barring = p.sql("a", statement);
    REQUIRE((co_await std::move(barring)).has_value());
  }
  auto cut = p.until([&] { return !p.controller.member("b")->streaming; });
  REQUIRE(co_await std::move(cut));
  auto writing = p.sql("a", "INSERT INTO notes VALUES (4711)");
  EXPECT_TRUE((co_await std::move(writing)).has_value());
  REQUIRE(co_await p.fail_over_to_b());
  auto admitting = p.sql("b", "ALTER ROLE replicator LOGIN");
  REQUIRE((co_await std::move(admitting)).has_value());
  REQUIRE(write_file_atomic(p.data_of("a") + "/standby.signal", "").has_value());
  auto following = p.reprotect("a", "b", 2);
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  EXPECT_EQ(text_or(*followed, "how"), "rewound");
  EXPECT_TRUE(fs::exists(p.data_of("a") + "/standby.signal"));
  co_return true;
}
TEST_F(Rewind, DataOfAKilledStandbyAreRewound) { play(was_killed_as_a_standby(*pair)); }

// On a disk so slow that a checkpoint takes longer than anybody waits, each attempt asked for one more, and none ever began. The new primary
// has had the one that shows its timeline; its checkpointer answers nothing more here.
Task<bool> source_has_no_time_for_a_checkpoint(Pair& p) {
  REQUIRE(co_await p.stand_up());
  REQUIRE(co_await p.fail_over_to_b());
  auto flushing = p.sql("b", "CHECKPOINT");
  REQUIRE((co_await std::move(flushing)).has_value());
  auto looking = p.sql("b", "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
  auto found = co_await std::move(looking);
  REQUIRE(found.has_value());
  pid_t checkpointer = std::stoi(found->text(0, "pid"));
  kill(checkpointer, SIGSTOP);
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  kill(checkpointer, SIGCONT);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  EXPECT_EQ(text_or(*followed, "how"), "rewound");
  co_return true;
}
TEST_F(Rewind, NoCheckpointIsAskedForThatIsNotNeeded) { play(source_has_no_time_for_a_checkpoint(*pair)); }

}  // namespace
}  // namespace lifeboat
