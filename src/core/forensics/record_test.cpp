#include "core/forensics/record.hpp"

#include <gtest/gtest.h>

namespace lifeboat::forensics {
namespace {

Record read(std::string_view line) {
  auto record = parse_line(line);
  EXPECT_TRUE(record) << line;
  return record.value_or(Record{});
}

TEST(ForensicsRecord, ADeletedRowNamesItsFile) {
  Record record = read(
      "rmgr: Heap        len (rec/tot):     54/  8241, tx:        737, lsn: 0/01C00018, prev 0/01BFFFC8, desc: DELETE "
      "off "
      "57 flags 0x00 KEYS_UPDATED , blkref #0: rel 1663/16384/16386 blk 16 FPW");
  EXPECT_EQ(record.what, What::deleted);
  EXPECT_EQ(record.xid, 737u);
  EXPECT_EQ(record.lsn.value, 0x1C00018u);
  EXPECT_EQ(record.prev.value, 0x1BFFFC8u);
  EXPECT_EQ(record.bytes, 8241u);
  EXPECT_EQ(record.rows, 1u);
  EXPECT_EQ(record.file, (FileRef{1663, 16384, 16386}));
  EXPECT_EQ(record.block, 16u);
  EXPECT_TRUE(record.image);
}

TEST(ForensicsRecord, AnInsertionThatIsGivenUpIsNoDeletion) {
  Record record = read(
      "rmgr: Heap        len (rec/tot):     54/    54, tx:        9, lsn: 0/01C00018, prev 0/01BFFFC8, desc: DELETE "
      "off "
      "57 flags 0x08 KEYS_UPDATED , blkref #0: rel 1663/16384/16386 blk 16");
  EXPECT_EQ(record.what, What::taken_back);
}

TEST(ForensicsRecord, ManyRowsInsertedAtOnceAreCountedInBothSpellings) {
  for (std::string_view words : {"MULTI_INSERT+INIT 61 tuples flags 0x02", "MULTI_INSERT ntuples: 61, flags: 0x02"}) {
    Record record = read(
        "rmgr: Heap2       len (rec/tot):   1458/  1458, tx:        761, lsn: 0/01C6BD40, prev 0/01C69CF0, "
        "desc: " +
        std::string(words) + ", blkref #0: rel 1663/5/16400 blk 56");
    EXPECT_EQ(record.what, What::inserted);
    EXPECT_EQ(record.rows, 61u);
    EXPECT_EQ(record.file, (FileRef{1663, 5, 16400}));
  }
}

TEST(ForensicsRecord, ACommitTellsWhatItEndsDropsAndRemoves) {
  Record record = read(
      "rmgr: Transaction len (rec/tot):   1405/  1405, tx:        757, lsn: 0/01C4D4B8, prev 0/01C4D1D0, desc: COMMIT "
      "2026-11-27 23:48:41.787079 UTC; rels: base/16384/16402 global/16403 base/16384/t3_99 "
      "pg_tblspc/16455/PG_15_202209061/16384/16404; dropped stats: 2/16384/16391 1/16384/0 2/16384/16386; subxacts: "
      "758 "
      "760; inval msgs: catcache 7 catcache 6 relcache 16391");
  EXPECT_EQ(record.what, What::committed);
  EXPECT_EQ(ScalarText<Moment>::format(*record.at), "2026-11-27T23:48:41.787079Z");
  std::vector<FileRef> files = {{1663, 16384, 16402}, {1664, 0, 16403}, {16455, 16384, 16404}};
  EXPECT_EQ(record.files, files);
  std::vector<ObjectRef> objects = {{16384, 16391}, {16384, 16386}};
  EXPECT_EQ(record.objects, objects);
  EXPECT_EQ(record.children, (std::vector<uint32_t>{758, 760}));
}

TEST(ForensicsRecord, ThePreparedTransactionIsTheOneThatCommits) {
  Record record = read(
      "rmgr: Transaction len (rec/tot):     42/    42, tx:          0, lsn: 0/01C18760, prev 0/01C18668, desc: "
      "COMMIT_PREPARED 739: 2026-11-27 23:48:41.767688 UTC");
  EXPECT_EQ(record.what, What::committed);
  EXPECT_EQ(record.xid, 739u);
  record = read(
      "rmgr: Transaction len (rec/tot):     42/    42, tx:          0, lsn: 0/01C18908, prev 0/01C18810, desc: "
      "ABORT_PREPARED 740: 2026-11-27 23:48:41.767999 UTC");
  EXPECT_EQ(record.what, What::aborted);
  EXPECT_EQ(record.xid, 740u);
  record = read(
      "rmgr: Transaction len (rec/tot):    242/   242, tx:        739, lsn: 0/01C18668, prev 0/01C18628, desc: PREPARE "
      "gid "
      "foo: 2026-11-27 23:48:41.767516 UTC");
  EXPECT_EQ(record.what, What::prepared);
}

TEST(ForensicsRecord, TruncationNamesObjects) {
  Record record = read(
      "rmgr: Heap        len (rec/tot):     46/    46, tx:        769, lsn: 0/02430828, prev 0/024307E8, desc: "
      "TRUNCATE "
      "cascade nrelids 2 relids 16436 16443");
  EXPECT_EQ(record.what, What::truncated);
  std::vector<ObjectRef> objects = {{0, 16436}, {0, 16443}};
  EXPECT_EQ(record.objects, objects);
}

TEST(ForensicsRecord, FilesLocksFoldersAndListsAreRead) {
  Record record = read(
      "rmgr: Storage     len (rec/tot):     42/    42, tx:        753, lsn: 0/01C45708, prev 0/01C456D8, desc: CREATE "
      "base/16384/16420");
  EXPECT_EQ(record.what, What::file_created);
  EXPECT_TRUE(record.main_fork);
  EXPECT_EQ(record.file, (FileRef{1663, 16384, 16420}));
  record = read(
      "rmgr: Storage     len (rec/tot):     42/    42, tx:        753, lsn: 0/01C45708, prev 0/01C456D8, desc: CREATE "
      "base/16384/16420_vm");
  EXPECT_FALSE(record.main_fork);
  record = read(
      "rmgr: Standby     len (rec/tot):     42/    42, tx:        769, lsn: 0/0242F498, prev 0/0242F460, desc: LOCK "
      "xid 769 "
      "db 16435 rel 16436 ");
  EXPECT_EQ(record.what, What::locked);
  EXPECT_EQ(record.objects.front(), (ObjectRef{16435, 16436}));
  record = read(
      "rmgr: Database    len (rec/tot):     38/    38, tx:        758, lsn: 0/01C4DE28, prev 0/01C4DDB0, desc: DROP "
      "dir "
      "1663/16384");
  EXPECT_EQ(record.what, What::database_dropped);
  EXPECT_EQ(record.file->database, 16384u);
  record = read(
      "rmgr: Standby     len (rec/tot):     54/    54, tx:          0, lsn: 0/01C4DD78, prev 0/01C4DD40, desc: "
      "RUNNING_XACTS "
      "nextXid 759 latestCompletedXid 757 oldestRunningXid 758; 1 xacts: 758");
  EXPECT_EQ(record.what, What::running);
  EXPECT_EQ(record.oldest, 758u);
  record = read(
      "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/01C4DD78, prev 0/01C4DD40, desc: "
      "RESTORE_POINT "
      "before release");
  EXPECT_EQ(record.what, What::named_point);
  EXPECT_EQ(record.name, "before release");
  record = read(
      "rmgr: XLOG        len (rec/tot):     49/  8241, tx:        761, lsn: 0/01C595E8, prev 0/01C575D0, desc: FPI , "
      "blkref "
      "#0: rel 1663/5/26080 blk 2 FPW, blkref #1: rel 1663/5/26080 blk 3 FPW");
  EXPECT_EQ(record.what, What::page_image);
  EXPECT_EQ(record.rows, 2u);
}

TEST(ForensicsRecord, WhatIsNoRecordIsNone) {
  for (std::string_view line :
       {"", "first record is after 0/1C00000, at 0/1C00018, skipping over 24 bytes", "rmgr: Heap",
        "rmgr: ", "rmgr: Heap        len (rec/tot):     54/    54, tx:        9, lsn: 0/01C0"})
    EXPECT_FALSE(parse_line(line)) << line;
}

// Whatever stands in a line, reading it neither crashes nor reads past its end (the sanitizers look).
TEST(ForensicsRecord, CutLinesAreSurvived) {
  std::string line =
      "rmgr: Transaction len (rec/tot):   1405/  1405, tx:        757, lsn: 0/01C4D4B8, prev 0/01C4D1D0, desc: COMMIT "
      "2026-11-27 23:48:41.787079 UTC; rels: base/16384/16402; dropped stats: 2/16384/16391; subxacts: 758";
  for (size_t length = 0; length <= line.size(); ++length) {
    std::string cut = line.substr(0, length);
    auto record = parse_line(cut);
    if (record && record->what == What::committed) EXPECT_TRUE(record->at);
  }
}

}  // namespace
}  // namespace lifeboat::forensics
