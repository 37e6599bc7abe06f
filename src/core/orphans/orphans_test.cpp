#include <gtest/gtest.h>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/orphans/decoded.hpp"
#include "core/orphans/lineage.hpp"
#include "core/orphans/replay.hpp"
#include "core/orphans/slot.hpp"
#include "core/orphans/wal.hpp"

namespace lifeboat::orphans {
namespace {

// ---- histories

Lineage lineage(uint64_t timeline, std::string_view text) {
  auto parsed = parse_lineage(timeline, text);
  EXPECT_TRUE(parsed) << parsed.error().text();
  return parsed.value_or(Lineage{});
}

TEST(Lineage, ReadsWhatPostgresWrites) {
  Lineage read = lineage(3, "1\t0/5000148\tno recovery target specified\n\n2\t0/6000000\tbefore 2026-01-01\n");
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0], (Stretch{1, Lsn{0}, Lsn{0x5000148}}));
  EXPECT_EQ(read[1], (Stretch{2, Lsn{0x5000148}, Lsn{0x6000000}}));
  EXPECT_EQ(read[2], (Stretch{3, Lsn{0x6000000}, kNoEnd}));
}

TEST(Lineage, RefusesWhatIsNoHistory) {
  EXPECT_FALSE(parse_lineage(2, "1 nonsense because"));
  EXPECT_FALSE(parse_lineage(2, "2\t0/5000148\tits own parent"));
  EXPECT_FALSE(parse_lineage(3, "2\t0/5000148\tx\n1\t0/6000000\tdownwards"));
  EXPECT_FALSE(parse_lineage(3, "1\t0/5000148\tx\n2\t0/4000000\tbackwards"));
}

TEST(Lineage, AnOldPrimaryPartsWhereTheNewOneWasPromoted) {
  Lineage mine = lineage(1, ""), theirs = lineage(2, "1\t0/5000148\tx\n");
  auto fork = fork_of(mine, theirs);
  ASSERT_TRUE(fork);
  EXPECT_EQ(*fork, (Fork{1, Lsn{0x5000148}}));
  ASSERT_EQ(behind(mine, *fork).size(), 1u);
  EXPECT_EQ(behind(mine, *fork)[0], (Stretch{1, Lsn{0x5000148}, kNoEnd}));
}

// Case 60, patroni#2118: a timeline between two promotions was missing, and no rewind was tried.
// A to B to A, each with a tail that the other never had: what lies behind the fork spans two timelines.
TEST(Lineage, AForkThatLiesBackTwoPromotionsKeepsBothTails) {
  Lineage mine = lineage(3, "1\t0/5000000\tx\n2\t0/7000000\tx\n");
  Lineage theirs = lineage(4, "1\t0/5000000\tx\n2\t0/6000000\tx\n");
  auto fork = fork_of(mine, theirs);
  ASSERT_TRUE(fork);
  EXPECT_EQ(*fork, (Fork{2, Lsn{0x6000000}}));
  auto tail = behind(mine, *fork);
  ASSERT_EQ(tail.size(), 2u);
  EXPECT_EQ(tail[0], (Stretch{2, Lsn{0x6000000}, Lsn{0x7000000}}));
  EXPECT_EQ(tail[1], (Stretch{3, Lsn{0x7000000}, kNoEnd}));
}

// Case 33, patroni#2221: a history that was whole was judged to have parted.
TEST(Lineage, OneThatWentOnFromMineHasPartedNowhere) {
  Lineage one = lineage(2, "1\t0/5000000\tx\n");
  EXPECT_EQ(fork_of(one, one)->at, kNoEnd);
  EXPECT_TRUE(behind(one, *fork_of(one, one)).empty());
}

// Case 63, cloudnative-pg#10928: two sites were promoted in the wrong order, and their histories had parted.
// Two promotions of timeline 2 at different places: the same number is not the same history.
TEST(Lineage, TheSameTimelineNumberBegunElsewhereIsAnotherHistory) {
  auto fork = fork_of(lineage(2, "1\t0/5000000\tx\n"), lineage(2, "1\t0/4000000\tx\n"));
  ASSERT_TRUE(fork);
  EXPECT_EQ(*fork, (Fork{1, Lsn{0x4000000}}));
  EXPECT_FALSE(fork_of(Lineage{{1, Lsn{0}, kNoEnd}}, Lineage{{2, Lsn{0}, kNoEnd}}));
}

// ---- decoded lines, as a server of version 15 said them

RowChange change_of(std::string_view text) {
  auto line = parse_decoded(text);
  EXPECT_TRUE(line) << line.error().text();
  const auto* change = line ? std::get_if<RowChange>(&*line) : nullptr;
  EXPECT_NE(change, nullptr) << text;
  return change == nullptr ? RowChange{} : *change;
}
const Column& column(const std::vector<Column>& columns, std::string_view name) {
  static const Column kNone;
  for (const Column& one : columns) {
    if (one.name == name) return one;
  }
  ADD_FAILURE() << "no column " << name;
  return kNone;
}

TEST(Decoded, AnInsertWithEveryKindOfValue) {
  RowChange change = change_of(
      "table public.t: INSERT: id[integer]:1 n[text]:'it''s \\ a\nnewline' a[integer[]]:'{1,2}' \"We:ird "
      "]:\"[character "
      "varying]:'x]:y' f[double precision]:NaN b[boolean]:true ts[timestamp with time zone]:'2026-11-23 09:27:52+00' "
      "bits[bit]:B'101' by[bytea]:'\\xdead' j[jsonb]:null");
  EXPECT_EQ(change.what, RowChange::What::insert);
  EXPECT_EQ(change.table, "public.t");
  ASSERT_EQ(change.after.size(), 10u);
  EXPECT_EQ(column(change.after, "n").value, "it's \\ a\nnewline");
  EXPECT_EQ(column(change.after, "a").type, "integer[]");
  EXPECT_EQ(column(change.after, "We:ird ]:").value, "x]:y");
  EXPECT_EQ(column(change.after, "f").value, "NaN");
  EXPECT_EQ(column(change.after, "ts").type, "timestamp with time zone");
  EXPECT_EQ(column(change.after, "bits").value, "101");
  EXPECT_EQ(column(change.after, "j").value, std::nullopt);
}

TEST(Decoded, UpdatesAndDeletesTellWhatTheirReplicaIdentityLets) {
  RowChange moved = change_of("table public.t: UPDATE: old-key: id[integer]:2 new-tuple: id[integer]:9 n[text]:null");
  EXPECT_TRUE(moved.knows_old);
  EXPECT_EQ(column(moved.before, "id").value, "2");
  EXPECT_EQ(column(moved.after, "id").value, "9");
  RowChange plain = change_of("table public.t: UPDATE: id[integer]:1 n[text]:unchanged-toast-datum");
  EXPECT_FALSE(plain.knows_old);
  EXPECT_TRUE(column(plain.after, "n").unchanged);
  RowChange removed = change_of("table public.\"Full\": DELETE: x[integer]:1 y[text]:'q'");
  EXPECT_EQ(removed.table, "public.\"Full\"");
  EXPECT_EQ(removed.before.size(), 2u);
  EXPECT_TRUE(change_of("table public.nokey: DELETE: (no-tuple-data)").before.empty());
}

TEST(Decoded, TransactionsTruncatesAndMessages) {
  auto begin = parse_decoded("BEGIN 743"), commit = parse_decoded("COMMIT 743 (at 2026-11-23 09:27:52.423165+00)");
  ASSERT_TRUE(begin && commit);
  EXPECT_EQ(std::get<Begin>(*begin).xid, 743u);
  EXPECT_EQ(std::get<Commit>(*commit).at, "2026-11-23 09:27:52.423165+00");
  auto emptied = parse_decoded("table public.t, public.nokey: TRUNCATE: restart_seqs cascade");
  ASSERT_TRUE(emptied);
  EXPECT_EQ(std::get<Truncated>(*emptied).tables, "public.t, public.nokey");
  ASSERT_TRUE(parse_decoded("message: transactional: 1 prefix: pre, sz: 5 content:hello"));
}

TEST(Decoded, WhatIsCutOffIsRefusedNeverGuessed) {
  std::string whole = "table public.t: UPDATE: old-key: id[integer]:2 new-tuple: id[integer]:9 n[text]:'a b'";
  int refused = 0;
  for (size_t length = 0; length < whole.size(); ++length) refused += !parse_decoded(whole.substr(0, length));
  // Cut between two columns or within a number it is a whole line of its own; everywhere else it is refused.
  EXPECT_GT(refused, static_cast<int>(whole.size()) - 20);
  EXPECT_FALSE(parse_decoded("table public.t: UPSERT: id[integer]:2"));
}

TEST(Kept, AChangeGoesThroughJsonAndBack) {
  TableFacts facts{.key = {"id"}, .known = true};
  Kept kept = kept_of(change_of("table public.t: UPDATE: id[integer]:1 n[text]:null f[float8]:1.5"), facts);
  kept.xid = 7;
  kept.database = "app";
  auto back = decode<Kept>(*parse_json(to_text(encode(kept))));
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), encode(kept));
  EXPECT_EQ(*back->key.find("id"), Json("1"));
  EXPECT_TRUE(back->after.find("n")->is_null());
}

TEST(Kept, StatementsNameTheRowByItsKeyAndLeaveOutWhatTheServerComputes) {
  TableFacts facts{.key = {"id"}, .always = {"total"}, .known = true};
  auto sql = [&](std::string_view text) { return statement_of(kept_of(change_of(text), facts), facts); };
  EXPECT_EQ(sql("table public.t: INSERT: id[integer]:1 n[text]:'it''s' total[integer]:3"),
            "INSERT INTO public.t (\"id\", \"n\") OVERRIDING SYSTEM VALUE VALUES ('1', 'it''s');");
  EXPECT_EQ(sql("table public.t: UPDATE: id[integer]:1 n[text]:null total[integer]:3"),
            "UPDATE public.t SET \"n\" = NULL WHERE \"id\" = '1';");
  EXPECT_EQ(sql("table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 n[text]:'x'"),
            "UPDATE public.t SET \"id\" = '2', \"n\" = 'x' WHERE \"id\" = '1';");
  EXPECT_EQ(sql("table public.t: DELETE: id[integer]:1"), "DELETE FROM public.t WHERE \"id\" = '1';");
}

TEST(Kept, ARowWithoutAKeyIsNamedByAllOfItselfOrSaidToBeUnnameable) {
  TableFacts full{.identity = "f", .known = true}, none{.identity = "d", .known = true};
  // What the full identity does not name was NULL.
  Kept update =
      kept_of(change_of("table public.l: UPDATE: old-key: x[integer]:1 new-tuple: x[integer]:1 y[text]:'q'"), full);
  EXPECT_EQ(
      statement_of(update, full),
      "UPDATE public.l SET \"y\" = 'q' WHERE ctid = (SELECT ctid FROM public.l WHERE \"x\"::text IS NOT DISTINCT FROM "
      "'1' AND \"y\"::text IS NOT DISTINCT FROM NULL LIMIT 1);");
  Kept lost = kept_of(change_of("table public.l: UPDATE: x[integer]:1 y[text]:'a\nb'"), none);
  std::string said = statement_of(lost, none);
  EXPECT_TRUE(said.starts_with("-- ")) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos);
}

// ---- the log

TEST(Wal, CommitsAreFoundAmongEverythingElse) {
  auto commit = parse_commit(
      "rmgr: Transaction len (rec/tot):    573/   573, tx:        739, lsn: 0/0177FA30, prev 0/0177FA00, desc: COMMIT "
      "2026-11-23 09:27:52.408042 UTC; rels: base/5/16395; inval msgs: catcache 55");
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->xid, 739u);
  EXPECT_EQ(commit->at, Lsn{0x177FA30});
  EXPECT_EQ(commit->time, "2026-11-23 09:27:52.408042 UTC");
  auto prepared = parse_commit(
      "rmgr: Transaction len (rec/tot):     54/    54, tx:          0, lsn: 0/0177FA30, prev 0/0177FA00, desc: "
      "COMMIT_PREPARED 812: 2026-11-23 09:27:52.408042 UTC");
  ASSERT_TRUE(prepared);
  EXPECT_EQ(prepared->xid, 812u);
  EXPECT_EQ(prepared->time, "2026-11-23 09:27:52.408042 UTC");
  EXPECT_TRUE(prepared->parts.empty());
  auto in_parts = parse_commit(
      "rmgr: Transaction len (rec/tot): 82/82, tx: 740, lsn: 0/177FA30, prev 0/177FA00, desc: COMMIT "
      "2026-11-23 09:27:52.408042 UTC; rels: base/5/16395; subxacts: 741 743; inval msgs: catcache 55");
  ASSERT_TRUE(in_parts);
  EXPECT_EQ(in_parts->parts, (std::vector<uint64_t>{741, 743}));
  EXPECT_FALSE(parse_commit("rmgr: Transaction len (rec/tot): 34/34, tx: 742, lsn: 0/1, prev 0/0, desc: ABORT 2026"));
  EXPECT_FALSE(parse_commit("rmgr: Heap len (rec/tot): 34/34, tx: 742, lsn: 0/1, prev 0/0, desc: INSERT off 1"));
}

TEST(Wal, RowsThatWereWrittenAreCountedAndUpkeepIsNot) {
  auto row = parse_heap(
      "rmgr: Heap        len (rec/tot):     59/    59, tx:        731, lsn: 0/0177E268, prev 0/0177E230, desc: "
      "HOT_UPDATE off 2 xmax 731 flags 0x10 ; new off 3 xmax 0, blkref #0: rel 1663/16384/16390 blk 0");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->xid, 731u);
  EXPECT_EQ(row->database, 16384u);
  EXPECT_EQ(row->file, 16390u);
  EXPECT_EQ(row->what, "HOT_UPDATE");
  auto many = parse_heap(
      "rmgr: Heap2       len (rec/tot): 59/59, tx: 731, lsn: 0/1, prev 0/0, desc: MULTI_INSERT+INIT 3 tuples flags "
      "0x02, "
      "blkref #0: rel 1663/5/1259 blk 0");
  ASSERT_TRUE(many);
  EXPECT_EQ(many->what, "MULTI_INSERT");
  auto emptied =
      parse_heap("rmgr: Heap len (rec/tot): 42/42, tx: 744, lsn: 0/1, prev 0/0, desc: TRUNCATE nrelids 1 relids 16390");
  ASSERT_TRUE(emptied);
  EXPECT_EQ(emptied->xid, 744u);
  EXPECT_EQ(emptied->file, 16390u);
  EXPECT_FALSE(
      parse_heap("rmgr: Heap2 len (rec/tot): 59/59, tx: 0, lsn: 0/1, prev 0/0, desc: PRUNE nredirected 0, blkref "
                 "#0: rel 1663/5/1259 blk 0"));
}

TEST(Wal, TheEndOfTheLogIsNoFaultAndAMissingFileIs) {
  EXPECT_EQ(log_end_of("pg_waldump: error: error in WAL record at 0/1798360: invalid record length"), LogEnd::reached);
  EXPECT_EQ(log_end_of("pg_waldump: error: could not find a valid record after 0/17983C0"), LogEnd::reached);
  EXPECT_EQ(log_end_of("pg_waldump: error: could not find file \"000000010000000000000005\""), LogEnd::missing);
  EXPECT_EQ(log_end_of("Segmentation fault"), LogEnd::unknown);
}

// ---- the slot

TEST(OrphanSlot, KeepsWhatTheSlowestStandbyHasNotConfirmed) {
  EXPECT_EQ(slot_advance(Lsn{1000}, {Lsn{900}, Lsn{950}}, 0, 500).to, Lsn{900});
  EXPECT_FALSE(slot_advance(Lsn{1000}, {Lsn{900}, Lsn{950}}, 0, 500).limited);
  EXPECT_EQ(slot_advance(Lsn{1000}, {}, 0, 500).to, Lsn{1000});
}

TEST(OrphanSlot, KeepsWhatARestoreToAnOlderMomentWouldTakeAway) {
  EXPECT_EQ(slot_advance(Lsn{1000}, {Lsn{900}, Lsn{950}}, 300, 500).to, Lsn{700});
  EXPECT_FALSE(slot_advance(Lsn{1000}, {Lsn{900}, Lsn{950}}, 300, 500).limited);
  EXPECT_EQ(slot_advance(Lsn{1000}, {Lsn{600}}, 300, 500).to, Lsn{600});
  EXPECT_EQ(slot_advance(Lsn{200}, {}, 300, 500).to, Lsn{0});
}

TEST(OrphanSlot, NeverHoldsMoreThanItsBound) {
  EXPECT_EQ(slot_advance(Lsn{1000}, {Lsn{10}, Lsn{950}}, 0, 500).to, Lsn{500});
  EXPECT_TRUE(slot_advance(Lsn{1000}, {Lsn{10}, Lsn{950}}, 0, 500).limited);
  EXPECT_EQ(slot_advance(Lsn{1000}, {std::nullopt}, 0, 500).to, Lsn{500});
  EXPECT_EQ(slot_advance(Lsn{300}, {std::nullopt}, 0, 500).to, Lsn{0});
}

// ---- replay

class Replay : public testing::Test {
 protected:
  Kept change(std::string_view text) {
    Kept out = kept_of(change_of(text), facts);
    out.database = "app";
    return out;
  }
  void there(const std::string& id, Row row) {
    TextMap<Json> key;
    key.add("id", Json(id));
    Kept any;
    any.database = "app", any.table = "public.t";
    rows[*row_name(any, key)] = std::move(row);
  }
  Verdict judged(std::string_view text) { return judge(change(text), rows).verdict; }

  TableFacts facts{.key = {"id"}, .known = true};
  std::map<std::string, std::optional<Row>> rows;
};

TEST_F(Replay, AnInsertConflictsOnlyWithAnotherRowOfItsKey) {
  EXPECT_EQ(judged("table public.t: INSERT: id[integer]:1 n[text]:'a'"), Verdict::applies);
  there("2", {{"id", "2"}, {"n", "b"}});
  EXPECT_EQ(judged("table public.t: INSERT: id[integer]:2 n[text]:'b'"), Verdict::already_there);
  EXPECT_EQ(judged("table public.t: INSERT: id[integer]:2 n[text]:'c'"), Verdict::conflict);
}

TEST_F(Replay, LaterChangesSeeEarlierOnes) {
  EXPECT_EQ(judged("table public.t: INSERT: id[integer]:1 n[text]:'a'"), Verdict::applies);
  EXPECT_EQ(judged("table public.t: UPDATE: id[integer]:1 n[text]:'b'"), Verdict::applies);
  EXPECT_EQ(judged("table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:5 n[text]:'b'"),
            Verdict::applies);
  EXPECT_EQ(judged("table public.t: DELETE: id[integer]:1"), Verdict::already_there);
  EXPECT_EQ(judged("table public.t: DELETE: id[integer]:5"), Verdict::applies);
}

TEST_F(Replay, AnUpdateOfARowThatIsGoneOrWasChangedSinceConflicts) {
  EXPECT_EQ(judged("table public.t: UPDATE: id[integer]:1 n[text]:'b'"), Verdict::conflict);
  facts.identity = "f";
  there("1", {{"id", "1"}, {"n", "somebody else's"}});
  EXPECT_EQ(judged("table public.t: UPDATE: old-key: id[integer]:1 n[text]:'a' new-tuple: id[integer]:1 n[text]:'b'"),
            Verdict::conflict);
  there("1", {{"id", "1"}, {"n", "a"}});
  EXPECT_EQ(judged("table public.t: UPDATE: old-key: id[integer]:1 n[text]:'a' new-tuple: id[integer]:1 n[text]:'b'"),
            Verdict::applies);
  there("1", {{"id", "1"}, {"n", "b"}});
  EXPECT_EQ(judged("table public.t: UPDATE: old-key: id[integer]:1 n[text]:'a' new-tuple: id[integer]:1 n[text]:'b'"),
            Verdict::already_there);
}

TEST_F(Replay, WhatNamesNoRowIsLeftToAPerson) {
  facts.key.clear();
  EXPECT_EQ(judged("table public.t: UPDATE: n[text]:'b'"), Verdict::cannot_tell);
  EXPECT_EQ(judged("table public.t: DELETE: (no-tuple-data)"), Verdict::cannot_tell);
}

}  // namespace
}  // namespace lifeboat::orphans
