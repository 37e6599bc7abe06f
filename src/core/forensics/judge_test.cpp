#include "core/forensics/judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/forensics/report.hpp"

namespace lifeboat::forensics {
namespace {

using testing::HasSubstr;

constexpr uint32_t kDatabase = 16384, kOrders = 16400, kItems = 16410, kSchema = 2200;

Moment second(int64_t number) { return Moment{std::chrono::seconds{1'700'000'000 + number}}; }

ClassRow table(uint32_t oid, std::string name, double rows, char kind = 'r') {
  ClassRow out;
  out.oid = out.node = oid;
  out.name = std::move(name);
  out.schema = kSchema;
  out.rows = rows;
  out.kind = kind;
  return out;
}

// A log in the making: records in order, with positions of its own.
class Log {
 public:
  Log() {
    names.add_database(kDatabase, "app");
    names.add_schema(kDatabase, kSchema, "public");
    names.add_class(kDatabase, table(kOrders, "orders", 2'000), {});
    names.add_class(kDatabase, table(kItems, "items", 100), {});
    names.add_class(kDatabase, table(kOrders + 1, "orders_pkey", 2'000, 'i'), {});
  }
  Record record(What what, uint32_t xid) {
    Record out;
    out.what = what;
    out.xid = xid;
    out.prev = Lsn{at_};
    out.lsn = Lsn{at_ += 64};
    out.bytes = 64;
    return out;
  }
  void rows(uint32_t xid, What what, uint32_t node, uint64_t count) {
    for (uint64_t index = 0; index < count; ++index) {
      Record one = record(what, xid);
      one.file = FileRef{1663, kDatabase, node};
      one.rows = 1;
      EXPECT_FALSE(ledger.feed(one));
    }
  }
  Transaction commit(uint32_t xid, Moment at, std::vector<FileRef> gone = {}, std::vector<ObjectRef> dropped = {},
                     std::vector<uint32_t> children = {}) {
    Record end = record(What::committed, xid);
    end.at = at;
    end.files = std::move(gone);
    end.objects = std::move(dropped);
    end.children = std::move(children);
    auto out = ledger.feed(end);
    EXPECT_TRUE(out);
    return out.value_or(Transaction{});
  }
  void usual(const Transaction& transaction) { baseline.add(transaction, deeds_of(transaction, names)); }
  void consider(const Transaction& transaction) {
    findings.consider(transaction, deeds_of(transaction, names), baseline, names);
  }
  // An hour in which each transaction updates two orders and deletes one item.
  void quiet_hour() {
    for (uint32_t minute = 0; minute < 60; ++minute) {
      uint32_t xid = 1'000 + minute;
      rows(xid, What::updated, kOrders, 2);
      rows(xid, What::deleted, kItems, 1);
      usual(commit(xid, second(minute * 60)));
    }
  }

  NameBook names;
  Ledger ledger;
  Baseline baseline;
  Findings findings{10};

 private:
  uint64_t at_ = 0x1000000;
};

TEST(Forensics, AMassDeleteStandsOutAndAUsualTransactionDoesNot) {
  Log log;
  log.quiet_hour();
  log.rows(2'000, What::updated, kOrders, 3);
  log.consider(log.commit(2'000, second(3'601)));
  log.rows(2'001, What::deleted, kOrders, 1'500);
  Transaction bad = log.commit(2'001, second(3'602));
  log.consider(bad);
  auto found = log.findings.take(log.names);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].transaction.xid, 2'001u);
  EXPECT_EQ(in_words(found[0].deeds[0]), "deleted 1,500 rows of app.public.orders");
  EXPECT_THAT(found[0].why, testing::Contains(HasSubstr("75 % of the about 2,000 rows")));
  EXPECT_THAT(found[0].why, testing::Contains(HasSubstr("no transaction deleted rows of it in the hour before")));
  EXPECT_EQ(found[0].before.xid, 2'001u);
  EXPECT_EQ(found[0].before.lsn, bad.before);
  EXPECT_TRUE(found[0].before.time_exact);
}

TEST(Forensics, WhatIsUsualForOneTableIsNotForAnother) {
  Log log;
  for (uint32_t minute = 0; minute < 60; ++minute) {
    log.rows(1'000 + minute, What::deleted, kItems, 400);
    log.usual(log.commit(1'000 + minute, second(minute * 60)));
  }
  log.rows(2'000, What::deleted, kItems, 450);
  log.consider(log.commit(2'000, second(3'601)));
  log.rows(2'001, What::deleted, kOrders, 450);
  log.consider(log.commit(2'001, second(3'602)));
  auto found = log.findings.take(log.names);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].transaction.xid, 2'001u);
  for (const Finding& finding : found) {
    if (finding.transaction.xid == 2'000) EXPECT_LT(finding.score, found[0].score / 2);
  }
}

TEST(Forensics, ADroppedTableIsNamedAndItsIndexIsNot) {
  Log log;
  log.quiet_hour();
  FileRef heap{1663, kDatabase, kOrders}, index{1663, kDatabase, kOrders + 1};
  log.consider(log.commit(2'000, second(3'601), {heap, index}, {{kDatabase, kOrders + 1}, {kDatabase, kOrders}}));
  auto found = log.findings.take(log.names);
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(found[0].deeds.size(), 1u);
  EXPECT_EQ(in_words(found[0].deeds[0]), "dropped app.public.orders");
}

TEST(Forensics, ATruncationIsToldFromARewriteByWhatTheNewFileHolds) {
  for (bool filled : {false, true}) {
    Log log;
    log.quiet_hour();
    Record lock = log.record(What::locked, 2'000);
    lock.objects = {{kDatabase, kOrders}};
    log.ledger.feed(lock);
    Record made = log.record(What::file_created, 2'000);
    made.file = FileRef{1663, kDatabase, 16'500};
    log.ledger.feed(made);
    if (filled) {
      Record page = log.record(What::page_image, 2'000);
      page.file = made.file;
      page.rows = 20;
      log.ledger.feed(page);
    }
    log.consider(log.commit(2'000, second(3'601), {{1663, kDatabase, kOrders}}));
    auto found = log.findings.take(log.names);
    if (filled) {
      EXPECT_TRUE(found.empty());
    } else {
      ASSERT_EQ(found.size(), 1u);
      EXPECT_EQ(in_words(found[0].deeds[0]), "truncated app.public.orders");
    }
  }
}

TEST(Forensics, ADroppedDatabaseIsLeftBeforeItsFilesGoAndNotBeforeItsCommit) {
  Log log;
  log.quiet_hour();
  Record gone = log.record(What::database_dropped, 2'000);
  gone.file = FileRef{1663, kDatabase, 0};
  log.ledger.feed(gone);
  log.rows(2'001, What::updated, kOrders, 1);
  log.consider(log.commit(2'000, second(3'601)));
  auto found = log.findings.take(log.names);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(in_words(found[0].deeds[0]), "dropped the database app");
  EXPECT_EQ(found[0].before.xid, 0u);
  EXPECT_EQ(found[0].before.lsn, gone.prev);
  EXPECT_FALSE(found[0].before.time_exact);
  EXPECT_THAT(restore_words(to_json(found[0].before)), HasSubstr("--to-lsn"));
}

TEST(Forensics, AMomentIsExactOnlyWhenNothingBeforeSharesIt) {
  Log log;
  log.quiet_hour();
  log.rows(2'000, What::updated, kOrders, 1);
  log.commit(2'000, second(3'700));
  log.rows(2'001, What::deleted, kOrders, 1'000);
  log.consider(log.commit(2'001, second(3'700)));
  auto found = log.findings.take(log.names);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found[0].before.time_exact);
}

TEST(Forensics, SubtransactionsCountForTheirParentAndThoseRolledBackForNobody) {
  Log log;
  log.quiet_hour();
  log.rows(2'001, What::deleted, kOrders, 500);
  log.rows(2'002, What::deleted, kOrders, 900);
  Record back = log.record(What::aborted, 2'002);
  back.at = second(3'600);
  log.ledger.feed(back);
  log.rows(2'000, What::deleted, kOrders, 1);
  Transaction whole = log.commit(2'000, second(3'601), {}, {}, {2'001});
  ASSERT_EQ(whole.changes.size(), 1u);
  EXPECT_EQ(whole.changes[0].deleted, 501u);
  EXPECT_EQ(log.ledger.open(), 0u);
}

TEST(Forensics, TransactionsThatACrashCutOffAreForgottenWhenTheServerSaysWhoIsAtWork) {
  Log log;
  log.rows(100, What::updated, kOrders, 5);
  log.rows(105, What::updated, kOrders, 5);
  Record list = log.record(What::running, 0);
  list.oldest = 104;
  log.ledger.feed(list);
  EXPECT_EQ(log.ledger.open(), 1u);
}

TEST(Forensics, ATransactionOverMoreFilesThanAreListedKeepsItsSum) {
  Log log;
  for (uint32_t file = 0; file < Ledger::kMostFiles + 50; ++file) log.rows(7, What::inserted, 20'000 + file, 2);
  Transaction whole = log.commit(7, second(1));
  EXPECT_EQ(whole.changes.size(), Ledger::kMostFiles);
  EXPECT_EQ(whole.rows(), 2 * (Ledger::kMostFiles + 50));
}

TEST(Forensics, ARoutineTruncationIsListedBelowAFirstOne) {
  Log log;
  auto truncate = [&](uint32_t xid, uint32_t oid, Moment at) {
    Record lock = log.record(What::locked, xid);
    lock.objects = {{kDatabase, oid}};
    log.ledger.feed(lock);
    Record cut = log.record(What::truncated, xid);
    cut.objects = {{0, oid}};
    log.ledger.feed(cut);
    return log.commit(xid, at);
  };
  for (uint32_t time = 0; time < 12; ++time) log.usual(truncate(1'000 + time, kItems, second(time * 300)));
  log.consider(truncate(2'000, kItems, second(3'601)));
  log.consider(truncate(2'001, kOrders, second(3'602)));
  auto found = log.findings.take(log.names);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].transaction.xid, 2'001u);
  EXPECT_LT(found[1].score, found[0].score / 4);
  EXPECT_THAT(found[1].why, testing::Contains(HasSubstr("12 times")));
}

TEST(Forensics, OnlyTheMostUnusualAreKeptAndTheOthersCounted) {
  Log log;
  log.findings = Findings(3);
  log.quiet_hour();
  for (uint32_t index = 0; index < 10; ++index) {
    log.rows(3'000 + index, What::deleted, kOrders, 100 + 50 * index);
    log.consider(log.commit(3'000 + index, second(3'600 + index)));
  }
  EXPECT_EQ(log.findings.left_out(), 7u);
  auto found = log.findings.take(log.names);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].transaction.xid, 3'009u);
  EXPECT_EQ(found[2].transaction.xid, 3'007u);
}

TEST(Forensics, ManySmallUpdatesTogetherAreASurge) {
  Log log;
  Surges surges;
  auto add = [&](uint32_t xid, uint64_t rows, Moment at, bool counts) {
    log.rows(xid, What::updated, kOrders, rows);
    Transaction one = log.commit(xid, at);
    surges.add(one, deeds_of(one, log.names), counts);
  };
  for (uint32_t index = 0; index < 360; ++index) add(1'000 + index, 3, second(index * 10), false);
  for (uint32_t index = 0; index < 6; ++index) add(2'000 + index, 3, second(3'600 + index * 10), true);
  for (uint32_t index = 0; index < 200; ++index) add(3'000 + index, 20, second(3'700 + index / 10), true);
  auto found = surges.find(log.names);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].first.xid, 3'000u);
  EXPECT_EQ(found[0].rows, 4'000u);
  EXPECT_EQ(found[0].transactions, 200u);
  EXPECT_EQ(found[0].usual, 3u);
  EXPECT_EQ(found[0].table, "app.public.orders");
}

TEST(Forensics, ATableWithoutANameIsToldByItsNumbers) {
  Log log;
  log.quiet_hour();
  log.rows(2'000, What::deleted, 17'000, 800);
  log.consider(log.commit(2'000, second(3'601)));
  auto found = log.findings.take(log.names);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found[0].deeds[0].named);
  EXPECT_THAT(found[0].deeds[0].table, HasSubstr("1663/16384/17000"));
}

TEST(Forensics, AReportSaysWhichToLookAtFirstAndWhereToRestoreTo) {
  Log log;
  log.quiet_hour();
  log.rows(2'000, What::deleted, kOrders, 1'500);
  log.consider(log.commit(2'000, second(3'601)));
  log.rows(2'001, What::inserted, kItems, 5'000);
  log.consider(log.commit(2'001, second(3'602)));
  Report report;
  report.from = second(3'600);
  report.to = second(4'000);
  report.first = second(3'601);
  report.transactions = 2;
  report.usual_span = log.baseline.span();
  report.findings = log.findings.take(log.names);
  ASSERT_NE(most_unusual(report), nullptr);
  EXPECT_EQ(most_unusual(report)->transaction.xid, 2'000u);
  std::string words = in_words(report);
  EXPECT_THAT(words, HasSubstr("just before it: --to-xid before:2000"));
  EXPECT_THAT(words, HasSubstr("> 2023-11-14 23:13:21  xid 2000       deleted 1,500 rows of app.public.orders"));
  EXPECT_THAT(words, HasSubstr("committed at " + ScalarText<Lsn>::format(most_unusual(report)->transaction.commit)));
  EXPECT_EQ(int_or(to_json(report), "most_unusual"), 2'000);
}

TEST(Forensics, AReportOfAnotherHostReadsTheSameAsOneMadeHere) {
  Log log;
  log.quiet_hour();
  log.rows(2'000, What::deleted, kOrders, 1'500);
  log.consider(log.commit(2'000, second(3'601)));
  Report report;
  report.from = second(3'600);
  report.to = second(4'000);
  report.first = second(3'601);
  report.transactions = 2'345;
  report.rows = 1'500;
  report.log_bytes = 3u << 20;
  report.took = Duration{1'234};
  report.usual_span = log.baseline.span();
  report.findings = log.findings.take(log.names);
  report.left_out = 2;
  report.notes = {"the log ends before that time"};
  auto sent = parse_json(to_text(to_json(report)));
  ASSERT_TRUE(sent) << sent.error().text();
  std::string words = report_in_words(*sent);
  EXPECT_EQ(words, in_words(report));
  for (const char* part : {"3 of 2,345 transactions", "3 MB of log read in 1.23 s", "2 more stood out less",
                           "note: the log ends before that time"})
    EXPECT_THAT(words, HasSubstr(part));
}

TEST(Forensics, ManySmallTransactionsAreToldWithTheTargetBeforeTheFirstOfThem) {
  Surge surge{.table = "app.public.orders", .kind = DeedKind::updated};
  surge.first = {.lsn = Lsn{0x3000060}, .before = Lsn{0x3000000}, .xid = 1'500, .at = second(3'610)};
  surge.to = second(3'700);
  surge.rows = 4'000;
  surge.transactions = 200;
  surge.peak = 900;
  Report report;
  report.first = second(3'601);
  report.surges = {surge};
  std::string words = in_words(report);
  EXPECT_THAT(words, HasSubstr("200 small transactions updated 4,000 rows of app.public.orders"));
  EXPECT_THAT(words, HasSubstr("xid 1500, committed at 0/3000060"));
  EXPECT_THAT(words, HasSubstr("just before it: --to-xid before:1500"));
}

}  // namespace
}  // namespace lifeboat::forensics
