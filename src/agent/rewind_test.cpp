// Old data that get the history of another server, by real pg_rewind.
#include <algorithm>

#include "agent/postgres_files.hpp"
#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class Rewind : public PairTest {};

// "a" becomes a standby of "b", in this way.
Task<bool> reprotected(Pair& p, std::string how, uint64_t timeline = 0) {
  auto following = p.reprotect("a", "b", timeline);
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  EXPECT_EQ(text_or(*followed, "how"), how);
  co_return true;
}

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
  REQUIRE(co_await reprotected(p, "copied"));
  co_return true;
}
TEST_F(Rewind, DataWhoseRewindWasCutOffAreReplacedAndNeverLed) { play(rewind_was_cut_off(*pair)); }

Task<bool> on(Pair& p, std::string host, std::string statement) {
  auto asking = pg_query_once(p.socket_of(host), statement, {}, Deadline::after(Duration{30'000}));
  auto done = co_await std::move(asking);
  EXPECT_TRUE(done) << statement << ": " << done.error().text();
  co_return done.has_value();
}

pid_t running(const Pair& p, const std::string& host, const std::string& program) {
  for (pid_t pid : processes_in(p.folder + "/" + host)) {
    auto name = read_file(fmt::format("/proc/{}/comm", pid));
    if (name && *name == program + "\n") return pid;
  }
  return -1;
}

enum class Dies { rewind_alone, with_its_agent };

Task<> reprotect_a(Pair& p, std::optional<Result<Json>>& how) {
  auto following = p.reprotect("a", "b");
  how = co_await std::move(following);
}

// What was written on "b" alone arrives in the data of "a" while they are rewound, and that takes a while.
Task<bool> rewind_is_killed(Pair& p, Dies what) {
  REQUIRE(co_await p.stand_up());
  REQUIRE(co_await p.fail_over_to_b());
  REQUIRE(co_await on(
      p, "b", "CREATE TABLE much AS SELECT i, repeat(md5(i::text), 30) AS text FROM generate_series(1, 100000) i"));
  auto naming = value(p, "b", "SELECT pg_relation_filepath('much')");
  std::string much = p.data_of("a") + "/" + co_await std::move(naming);
  // So that no copy takes its place at once.
  REQUIRE(co_await on(p, "b", "ALTER ROLE replicator NOREPLICATION"));
  std::optional<Result<Json>> how;
  Scope background(p.context.get_executor(), [](std::string_view, std::string_view text) { ADD_FAILURE() << text; });
  background.spawn("reprotect", reprotect_a(p, how));
  pid_t rewind = -1;
  auto begun = p.until([&] { return (rewind = running(p, "a", "pg_rewind")) > 0; }, Duration{30'000});
  REQUIRE(co_await std::move(begun));
  std::error_code not_there;
  auto wrote = p.until([&] { return fs::file_size(much, not_there) > 0 && !not_there; }, Duration{30'000});
  REQUIRE(co_await std::move(wrote));
  kill(rewind, SIGSTOP);
  REQUIRE(running(p, "a", "pg_rewind") == rewind);
  EXPECT_TRUE(fs::exists(p.folder + "/a/database/spoiled"));
  if (what == Dies::rewind_alone) {
    kill(rewind, SIGKILL);
    auto ended = p.until([&] { return how.has_value(); }, Duration{30'000});
    REQUIRE(co_await std::move(ended));
    REQUIRE(!how->has_value());
    EXPECT_NE(how->error().text().find("not rewound (pg_rewind ended with 137"), std::string::npos)
        << how->error().text();
  } else {
    p.agents["a"]->kill_now();
    kill(rewind, SIGKILL);
    REQUIRE(co_await p.start_anew("a"));
  }
  auto told = p.until([&] { return p.controller.is("a", ServerState::parked); });
  REQUIRE(co_await std::move(told));
  EXPECT_TRUE(fs::exists(p.folder + "/a/database/spoiled"));
  auto wrong = p.lead("a");
  auto refused = co_await std::move(wrong);
  EXPECT_FALSE(refused.has_value());
  --p.term;  // nobody holds that one
  EXPECT_TRUE(p.server_is_gone("a"));
  REQUIRE(co_await on(p, "b", "ALTER ROLE replicator REPLICATION"));
  REQUIRE(co_await reprotected(p, "copied"));
  EXPECT_FALSE(fs::exists(p.folder + "/a/database/spoiled"));
  EXPECT_TRUE(co_await becomes(p, "a", "SELECT count(*) FROM much", "100000"));
  auto stopping = background.stop(Duration{100});
  co_await std::move(stopping);
  co_return true;
}
TEST_F(Rewind, OneThatIsKilledInTheMiddleLeavesDataThatAreOnlyReplaced) {
  play(rewind_is_killed(*pair, Dies::rewind_alone));
}
TEST_F(Rewind, OneThatIsKilledTogetherWithItsAgentLeavesDataThatAreOnlyReplaced) {
  play(rewind_is_killed(*pair, Dies::with_its_agent));
}

const std::string kSegment = "SELECT pg_walfile_name(pg_current_wal_insert_lsn())";

// The slots from which writes are read back hold none of the log before now.
Task<bool> make_slots_anew(Pair& p, std::string host) {
  REQUIRE(co_await becomes(p, host,
                           "SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical' AND "
                           "confirmed_flush_lsn IS NOT NULL",
                           "2"));
  auto listing = p.sql(host, "SELECT slot_name, database FROM pg_replication_slots WHERE slot_type = 'logical'");
  auto slots = co_await std::move(listing);
  REQUIRE(slots.has_value());
  for (size_t row = 0; row < slots->rows.size(); ++row) {
    PgParams params = p.socket_of(host);
    params["dbname"] = slots->text(row, "database");
    std::string name = sql_literal(slots->text(row, "slot_name"));
    for (const std::string& statement : {"SELECT pg_drop_replication_slot(" + name + ")",
                                         "SELECT pg_create_logical_replication_slot(" + name + ", 'test_decoding')"}) {
      auto doing = pg_query_once(params, statement, {}, Deadline::after(Duration{20'000}));
      auto done = co_await std::move(doing);
      EXPECT_TRUE(done) << done.error().text();
      REQUIRE(done.has_value());
    }
  }
  co_return true;
}

struct Segments {
  std::string before,
      fork;  // a whole one behind the last checkpoint that both have, and that in which the histories part
};

// "a" writes what "b" never gets, and has had a checkpoint since; then it dies, and "b" leads.
Task<bool> parts_far_from_a_checkpoint(Pair& p, Segments& segments) {
  REQUIRE(co_await p.stand_up());
  REQUIRE(co_await on(p, "a", "CHECKPOINT"));
  for (int note = 1; note <= 2; ++note) {
    REQUIRE(co_await on(p, "a", fmt::format("INSERT INTO notes VALUES ({})", note)));
    auto naming = value(p, "a", kSegment);
    segments.before = co_await std::move(naming);
    REQUIRE(co_await on(p, "a", "SELECT pg_switch_wal()"));
  }
  REQUIRE(co_await make_slots_anew(p, "a"));
  REQUIRE(co_await on(p, "a", "ALTER ROLE replicator NOLOGIN"));
  REQUIRE(co_await becomes(p, "b", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'replicator'", "f"));
  REQUIRE(co_await on(p, "a", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication"));
  REQUIRE(co_await becomes(p, "a", "SELECT count(*) FROM pg_stat_replication", "0"));
  REQUIRE(co_await on(p, "a", "INSERT INTO notes VALUES (4711)"));
  auto naming = value(p, "a", kSegment);
  segments.fork = co_await std::move(naming);
  EXPECT_GT(segments.fork, segments.before);
  REQUIRE(co_await on(p, "a", "SELECT pg_switch_wal()"));
  REQUIRE(co_await on(p, "a", "CHECKPOINT"));
  REQUIRE(co_await p.fail_over_to_b());
  REQUIRE(co_await on(p, "b", "ALTER ROLE replicator LOGIN"));
  co_return true;
}

// Cases 61 and 62, kubeblocks-addons#3171 and cloudnative-pg#3698: the log that a rewind needed was gone, no archive was asked for it, and the
// old primary waited for ever.
Task<bool> log_is_gone(Pair& p) {
  Segments segments;
  REQUIRE(co_await parts_far_from_a_checkpoint(p, segments));
  REQUIRE(fs::remove(p.data_of("a") + "/pg_wal/" + segments.before));
  REQUIRE(co_await on(p, "b", "ALTER ROLE replicator NOREPLICATION"));
  auto first = p.reprotect("a", "b");
  auto failed = co_await std::move(first);
  REQUIRE(!failed.has_value());
  EXPECT_NE(failed.error().text().find("could not find previous WAL record"), std::string::npos)
      << failed.error().text();
  EXPECT_NE(failed.error().text().find("not copied"), std::string::npos) << failed.error().text();
  // It changed nothing, so they are what they were.
  EXPECT_FALSE(fs::exists(p.folder + "/a/database/spoiled"));
  auto rests = p.until([&] { return p.controller.is("a", ServerState::stopped); });
  EXPECT_TRUE(co_await std::move(rests));
  EXPECT_TRUE(p.controller.member("a")->primary_data);
  REQUIRE(co_await on(p, "b", "ALTER ROLE replicator REPLICATION"));
  REQUIRE(co_await reprotected(p, "copied"));
  REQUIRE(!p.controller.orphans.empty());
  EXPECT_TRUE(p.controller.orphans.back().complete);
  EXPECT_EQ(p.controller.orphans.back().changes, 1);
  auto changes = read_file(p.controller.orphans.back().folder + "/changes.jsonl");
  REQUIRE(changes.has_value());
  EXPECT_NE(changes->find("4711"), std::string::npos) << *changes;
  EXPECT_TRUE(co_await becomes(p, "a", "SELECT string_agg(id::text, ' ' ORDER BY id) FROM notes", "1 2"));
  co_return true;
}
TEST_F(Rewind, ThatLacksTheLogBeforeTheForkIsACopyAndWhatOnlyItHadIsSaved) { play(log_is_gone(*pair)); }

// Then nobody can tell what is in them.
Task<bool> log_of_the_fork_is_gone(Pair& p) {
  Segments segments;
  REQUIRE(co_await parts_far_from_a_checkpoint(p, segments));
  REQUIRE(fs::remove(p.data_of("a") + "/pg_wal/" + segments.fork));
  REQUIRE(co_await reprotected(p, "copied"));
  REQUIRE(!p.controller.orphans.empty());
  const wire::OrphansSaved& saved = p.controller.orphans.back();
  EXPECT_FALSE(saved.complete);
  EXPECT_TRUE(std::ranges::any_of(saved.remarks, [](const std::string& remark) {
    return remark.find("how much was set aside cannot be told") != std::string::npos;
  }));
  REQUIRE(!saved.kept.empty());
  EXPECT_TRUE(fs::exists(saved.kept + "/PG_VERSION"));
  EXPECT_TRUE(co_await becomes(p, "a", "SELECT string_agg(id::text, ' ' ORDER BY id) FROM notes", "1 2"));
  co_return true;
}
TEST_F(Rewind, ThatLacksTheLogOfTheForkIsACopyAndTheOldDataAreKept) { play(log_of_the_fork_is_gone(*pair)); }

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
  REQUIRE(co_await reprotected(p, "rewound", 2));
  EXPECT_TRUE(fs::exists(p.data_of("a") + "/standby.signal"));
  co_return true;
}
TEST_F(Rewind, DataOfAKilledStandbyAreRewound) { play(was_killed_as_a_standby(*pair)); }

// Case 58, patroni#3648: what was asked of the source before a rewind was never answered in time, and nothing came after it.
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

// With synchronous replication the users of the new primary wait for the very member that is to be rewound, and take every connection;
// what was asked of the new primary over one of those was refused for ever. pg_rewind needs one, a copy does not.
Task<bool> source_has_no_connection_left(Pair& p) {
  REQUIRE(co_await p.stand_up());
  REQUIRE(co_await p.fail_over_to_b());
  auto asking = p.sql("b",
                      "SELECT current_setting('max_connections')::int - "
                      "current_setting('superuser_reserved_connections')::int AS users");
  auto rows = co_await std::move(asking);
  REQUIRE(rows.has_value());
  std::vector<std::unique_ptr<PgConnection>> taken;
  for (int left = std::stoi(rows->text(0, "users")); left > 0; --left) {
    auto connecting = PgConnection::connect(p.socket_of("b"), Deadline::after(Duration{20'000}));
    auto connected = co_await std::move(connecting);
    if (connected) taken.push_back(std::move(*connected));
  }
  REQUIRE(co_await reprotected(p, "copied"));
  co_return true;
}
TEST_F(Rewind, IsACopyWhenTheUsersHaveTakenEveryConnection) { play(source_has_no_connection_left(*pair)); }

}  // namespace
}  // namespace lifeboat
