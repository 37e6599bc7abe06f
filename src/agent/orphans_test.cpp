// Writes that only an old primary had, with real servers: they are saved before anything of it is given up, and they can be made
// again on the new one.
#include <algorithm>

#include "agent/test_pair.hpp"
#include "core/orphans/replay.hpp"

namespace lifeboat {
namespace {

class OrphanedWrites : public PairTest {
 protected:
  void play(Task<bool> story) { PairTest::play(std::move(story), Duration{120'000}); }
};

Task<bool> do_all(Pair& p, std::string host, std::vector<std::string> statements) {
  for (const std::string& statement : statements) {
    auto doing = p.sql(host, statement);
    auto done = co_await std::move(doing);
    EXPECT_TRUE(done) << statement << ": " << done.error().text();
    if (!done) co_return false;
  }
  co_return true;
}

const std::string kSlots =
    "SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical' AND confirmed_flush_lsn IS NOT NULL";

// "a" leads with its slots, "b" has all of it and then receives no more.
Task<bool> stand_up_and_part(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto making =
      do_all(p, "a",
             {"CREATE TABLE people (id int PRIMARY KEY, name text, tags text[], score float8, twice int GENERATED "
              "ALWAYS AS (id * 2) STORED)",
              "CREATE TABLE ledger (who int, what text)", "ALTER TABLE ledger REPLICA IDENTITY FULL",
              "CREATE TABLE log (line text)", "INSERT INTO people SELECT i, 'old ' || i FROM generate_series(1, 5) i",
              "INSERT INTO ledger VALUES (1, NULL), (2, 'two')", "INSERT INTO log VALUES ('first')"});
  REQUIRE(co_await std::move(making));
  auto slots = becomes(p, "a", kSlots, "2");  // of the databases app and postgres
  REQUIRE(co_await std::move(slots));
  auto barring = do_all(p, "a", {"ALTER ROLE replicator NOLOGIN"});
  REQUIRE(co_await std::move(barring));
  auto barred = becomes(p, "b", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'replicator'", "f");
  REQUIRE(co_await std::move(barred));
  auto cutting = do_all(p, "a", {"SELECT pg_terminate_backend(pid) FROM pg_stat_replication"});
  REQUIRE(co_await std::move(cutting));
  auto cut = becomes(p, "a", "SELECT count(*) FROM pg_stat_replication", "0");
  REQUIRE(co_await std::move(cut));
  co_return true;
}

// "a" dies and "b" goes on without what it never received.
Task<bool> fail_over_to_b(Pair& p) {
  REQUIRE(co_await p.fail_over_to_b());
  auto admitting = do_all(p, "b", {"ALTER ROLE replicator LOGIN"});
  REQUIRE(co_await std::move(admitting));
  co_return true;
}

Task<Result<std::string>> saved_file(Pair& p, std::string id, std::string file) {
  std::string text;
  for (int64_t offset = 0;;) {
    auto asking = p.controller.ask("a", wire::ReadOrphans{kService, id, file, offset});
    CO_TRY(Json piece, co_await std::move(asking));
    text += text_or(piece, "text");
    offset = int_or(piece, "next");
    if (bool_or(piece, "end")) co_return text;
  }
}

std::vector<orphans::Kept> changes_in(const std::string& text) {
  std::vector<orphans::Kept> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    auto line = decode<orphans::Kept>(*parse_json(text.substr(at, end - at)));
    EXPECT_TRUE(line);
    if (line) out.push_back(std::move(*line));
    at = end + 1;
  }
  return out;
}

// Looks the rows up on a server and judges each change.
Task<std::map<std::string, int>> judged(Pair& p, std::string host, std::vector<orphans::Kept> changes) {
  std::map<std::string, std::optional<orphans::Row>> rows;
  for (const orphans::Kept& change : changes) {
    for (const TextMap<Json>& key : orphans::keys_of(change)) {
      wire::WantedRow wanted{"app", change.table, change.types.names(), key};
      wire::LookUpRows question{kService, {wanted}};
      auto asking = p.controller.ask(host, question);
      auto answer = co_await std::move(asking);
      EXPECT_TRUE(answer) << answer.error().text();
      const Json& found = member(*answer, "rows").get_array().at(0);
      EXPECT_EQ(text_or(found, "error"), "");
      auto& row = rows[*orphans::row_name(change, key)];
      if (!bool_or(found, "found")) continue;
      row.emplace();
      for (const auto& [name, one] : member(found, "values").get_object())
        (*row)[std::string(name)] = one.is_string() ? std::optional(std::string(one.get_string())) : std::nullopt;
    }
  }
  std::map<std::string, int> out;
  for (const orphans::Kept& change : changes) ++out[std::string(enum_name(orphans::judge(change, rows).verdict))];
  co_return out;
}

Task<Result<ProcessResult>> psql(Pair& p, std::string host, std::string script) {
  ProcessSpec spec;
  PgParams at = p.socket_of(host);
  spec.argv = {"psql", "-X", "-q", "-h", at["host"], "-p", at["port"], "-U", "postgres", "-d", "app"};
  spec.input = std::move(script);
  auto running = run_process(std::move(spec), Deadline::after(Duration{20'000}));
  co_return co_await std::move(running);
}

Task<bool> given_back(Pair& p) {
  REQUIRE(co_await stand_up_and_part(p));
  auto writing = do_all(p, "a",
                        {"INSERT INTO people VALUES (10, E'it''s \\\\ new\\nline', '{a,\"b c\"}', 'NaN')",
                         "UPDATE people SET name = 'renamed' WHERE id = 1", "UPDATE people SET id = 20 WHERE id = 2",
                         "DELETE FROM people WHERE id = 3", "UPDATE ledger SET what = 'one' WHERE who = 1",
                         "DELETE FROM ledger WHERE who = 2", "UPDATE log SET line = 'changed'",
                         "CREATE TABLE only_here (x int)", "INSERT INTO only_here VALUES (1)"});
  REQUIRE(co_await std::move(writing));
  auto wanted_people = value(p, "a", "SELECT string_agg(p::text, '|' ORDER BY id) FROM people p WHERE id <> 11");
  std::string people = co_await std::move(wanted_people);
  auto wanted_ledger = value(p, "a", "SELECT string_agg(l::text, '|' ORDER BY who) FROM ledger l");
  std::string ledger = co_await std::move(wanted_ledger);
  REQUIRE(co_await fail_over_to_b(p));
  MonoTime asked = boot_now();
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  fmt::print("[  figure  ] orphans saved and rewound: {} ms\n", ms_since(asked));
  EXPECT_EQ(text_or(*followed, "how"), "rewound");
  REQUIRE(!p.controller.orphans.empty());
  const wire::OrphansSaved saved = p.controller.orphans.front();
  EXPECT_EQ(saved.member, "db-a");
  EXPECT_EQ(saved.timeline, 1u);
  EXPECT_TRUE(saved.complete);
  EXPECT_EQ(saved.transactions, 9);
  EXPECT_EQ(saved.changes, 8);
  EXPECT_EQ(saved.without_rows, 1);  // CREATE TABLE
  EXPECT_EQ(saved.undecoded, 0);
  auto about = [&](std::string_view words) {
    return std::ranges::any_of(saved.remarks, [&](const std::string& r) { return r.find(words) != r.npos; });
  };
  EXPECT_TRUE(about("public.log has no primary key"));

  auto reading = saved_file(p, saved.id, "changes.jsonl");
  auto text = co_await std::move(reading);
  REQUIRE(text.has_value());
  auto changes = changes_in(*text);
  REQUIRE(changes.size() == 8);
  EXPECT_EQ(*changes[0].after.find("name"), Json("it's \\ new\nline"));
  EXPECT_EQ(changes[0].database, "app");
  EXPECT_NE(changes[0].committed_at.find("UTC"), std::string::npos);
  EXPECT_EQ(*changes[2].key.find("id"), Json("2"));
  EXPECT_EQ(*changes[2].after.find("id"), Json("20"));
  EXPECT_TRUE(changes[4].before.find("what")->is_null());  // the whole old row, for REPLICA IDENTITY FULL
  EXPECT_EQ(changes[6].table, "public.log");
  EXPECT_TRUE(changes[6].key.empty());
  auto escaping = saved_file(p, saved.id, "../../../secrets/agent-a");
  EXPECT_FALSE((co_await std::move(escaping)).has_value());

  // What is known to be missing on the new primary is judged, and then made again there.
  std::vector<orphans::Kept> keyed;
  for (const auto& change : changes) {
    if (change.table == "public.people") keyed.push_back(change);
  }
  auto judging = judged(p, "b", keyed);
  EXPECT_EQ((co_await std::move(judging))["applies"], 4);
  auto reading_sql = saved_file(p, saved.id, "replay.sql");
  auto sql = co_await std::move(reading_sql);
  REQUIRE(sql.has_value());
  auto creating = do_all(p, "b", {"CREATE TABLE only_here (x int)"});
  REQUIRE(co_await std::move(creating));
  auto replaying = psql(p, "b", *sql);
  auto replayed = co_await std::move(replaying);
  REQUIRE(replayed.has_value());
  EXPECT_EQ(replayed->exit_code, 0) << replayed->err;
  auto people_now = value(p, "b", "SELECT string_agg(p::text, '|' ORDER BY id) FROM people p");
  EXPECT_EQ(co_await std::move(people_now), people);
  auto ledger_now = value(p, "b", "SELECT string_agg(l::text, '|' ORDER BY who) FROM ledger l");
  EXPECT_EQ(co_await std::move(ledger_now), ledger);
  auto judging_again = judged(p, "b", keyed);
  auto again = co_await std::move(judging_again);
  EXPECT_EQ(again["applies"] + again["conflict"], 0);
  // The slots are where they are needed now, and nowhere else.
  auto there = becomes(p, "b", kSlots, "2");
  EXPECT_TRUE(co_await std::move(there));
  auto gone = becomes(p, "a", kSlots, "0");
  EXPECT_TRUE(co_await std::move(gone));
  co_return true;
}
TEST_F(OrphanedWrites, AreReadBackRowByRowAndCanBeMadeAgain) { play(given_back(*pair)); }

Task<bool> not_before_noted(Pair& p) {
  REQUIRE(co_await stand_up_and_part(p));
  auto writing = do_all(p, "a", {"INSERT INTO people VALUES (10, 'precious')"});
  REQUIRE(co_await std::move(writing));
  REQUIRE(co_await fail_over_to_b(p));
  p.controller.notes_orphans = false;
  bool ended = false;
  auto follow = [](Pair& pair, bool& done) -> Task<> {
    auto following = pair.reprotect("a", "b");
    auto followed = co_await std::move(following);
    EXPECT_TRUE(followed) << followed.error().text();
    done = true;
  };
  Scope scope(p.context.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
  scope.spawn("follow", follow(p, ended));
  // It is said again and again, and the old data stay what they are.
  auto said = p.until([&] { return p.controller.orphans.size() >= 3; });
  REQUIRE(co_await std::move(said));
  EXPECT_FALSE(ended);
  EXPECT_FALSE(fs::exists(p.folder + "/a/database/spoiled"));
  EXPECT_FALSE(fs::exists(p.data_of("a") + "/standby.signal"));
  // An agent that was killed in the middle finds what it had saved, and says it anew.
  REQUIRE(co_await p.start_anew("a"));
  p.controller.notes_orphans = true;
  std::string id = p.controller.orphans.front().id;
  p.controller.orphans.clear();
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(!p.controller.orphans.empty());
  EXPECT_EQ(p.controller.orphans.front().id, id);
  EXPECT_EQ(p.controller.orphans.front().changes, 1);
  auto stopping = scope.stop(Duration{100});
  co_await std::move(stopping);
  co_return true;
}
TEST_F(OrphanedWrites, NothingIsRewoundBeforeTheyStandInTheJournal) { play(not_before_noted(*pair)); }

Task<bool> cannot_be_decoded(Pair& p) {
  REQUIRE(co_await stand_up_and_part(p));
  auto writing = do_all(p, "a",
                        {"INSERT INTO people VALUES (10, 'precious'), (11, 'too')",
                         "DO $$ BEGIN INSERT INTO people VALUES (12, 'in a part'); EXCEPTION WHEN others THEN NULL; "
                         "END $$",
                         "TRUNCATE log",
                         "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = "
                         "'logical'"});
  REQUIRE(co_await std::move(writing));
  REQUIRE(co_await fail_over_to_b(p));
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  EXPECT_EQ(text_or(*followed, "how"), "copied");
  REQUIRE(!p.controller.orphans.empty());
  // First it asks whether another has the same, then it has it written down.
  EXPECT_TRUE(p.controller.orphans.front().waits);
  const wire::OrphansSaved saved = p.controller.orphans.back();
  EXPECT_FALSE(saved.waits);
  EXPECT_FALSE(saved.complete);
  // Rows of a subtransaction are its transaction's, and an emptied table is no less than written rows.
  EXPECT_EQ(saved.undecoded, 3);
  auto reading = saved_file(p, saved.id, "log.txt");
  auto text = co_await std::move(reading);
  REQUIRE(text.has_value());
  EXPECT_NE(text->find("NOT DECODED; 2 × INSERT"), std::string::npos) << *text;
  EXPECT_NE(text->find("NOT DECODED; 1 × INSERT"), std::string::npos) << *text;
  EXPECT_NE(text->find("NOT DECODED; 1 × TRUNCATE"), std::string::npos) << *text;
  // The old data lie beside the new, whole, and nobody can start them by mistake.
  REQUIRE(!saved.kept.empty());
  EXPECT_TRUE(fs::exists(saved.kept + "/PG_VERSION"));
  struct stat info{};
  REQUIRE(stat(saved.kept.c_str(), &info) == 0);
  EXPECT_EQ(info.st_mode & 0777, 0500u);
  auto there = becomes(p, "a", "SELECT count(*) FROM people", "5");
  EXPECT_TRUE(co_await std::move(there));
  co_return true;
}
TEST_F(OrphanedWrites, WhatCannotBeDecodedIsCountedAndTheOldDataAreKept) { play(cannot_be_decoded(*pair)); }

// One that followed the old primary cannot read back what it has, and need not when the old primary itself did.
Task<bool> saved_by_another(Pair& p) {
  REQUIRE(co_await stand_up_and_part(p));
  auto writing = do_all(p, "a",
                        {"INSERT INTO people VALUES (10, 'precious')",
                         "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = "
                         "'logical'"});
  REQUIRE(co_await std::move(writing));
  REQUIRE(co_await fail_over_to_b(p));
  p.controller.same_as = "database.db-c.1.3000000";
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  EXPECT_EQ(text_or(*followed, "how"), "rewound");
  for (const wire::OrphansSaved& said : p.controller.orphans) EXPECT_TRUE(said.waits);
  co_return true;
}
TEST_F(OrphanedWrites, WhatAnotherHasSavedCompletelyIsNotKeptTwice) { play(saved_by_another(*pair)); }

// A slot holds what a standby has not confirmed, and the last 256 MiB of log.
Task<bool> slot_goes_on(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto slots = becomes(p, "a", kSlots, "2");
  REQUIRE(co_await std::move(slots));
  auto asking = value(p, "a", "SELECT pg_current_wal_lsn()");
  std::string position = co_await std::move(asking);
  std::string much =
      "SELECT count(pg_logical_emit_message(false, 'test', repeat('x', 1048000))) FROM generate_series(1, 100)";
  for (int part = 0; part < 3; ++part) {
    auto writing = do_all(p, "a", {much});
    REQUIRE(co_await std::move(writing));
  }
  auto advanced = becomes(p, "a",
                          "SELECT bool_and(confirmed_flush_lsn >= '" + position +
                              "') FROM pg_replication_slots WHERE slot_type = 'logical'",
                          "t");
  EXPECT_TRUE(co_await std::move(advanced));
  auto holding = value(p, "a",
                       "SELECT bool_and(pg_current_wal_lsn() - confirmed_flush_lsn >= 256 * 1048576) FROM "
                       "pg_replication_slots WHERE slot_type = 'logical'");
  EXPECT_EQ(co_await std::move(holding), "t");
  co_return true;
}
TEST_F(OrphanedWrites, TheSlotHoldsWhatTheStandbyHasNotAndTheLastOfTheLog) { play(slot_goes_on(*pair)); }

}  // namespace
}  // namespace lifeboat
