#include "io/pgbackrest.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

// As 2.45 writes it, with a system identifier that a double cannot hold.
constexpr std::string_view kInfo = R"([{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1",
"max":"000000010000000000000016","min":"000000010000000000000001"}],"backup":[{"archive":{"start":"00000001000000000000000C",
"stop":"00000001000000000000000D"},"backrest":{"format":5,"version":"2.45"},"database":{"id":1,"repo-key":1},"error":false,
"info":{"delta":183432911,"repository":{"delta":11747216,"size":11747216},"size":183432911},"label":"20261127-235416F",
"lsn":{"start":"0/C000028","stop":"0/D000050"},"prior":null,"reference":null,"timestamp":{"start":1795823656,
"stop":1795823659},"type":"full"}],"cipher":"none","db":[{"id":1,"repo-key":1,"system-id":7713003758779266069,
"version":"15"}],"name":"m","repo":[{"cipher":"none","key":1,"status":{"code":0,"message":"ok"}}],
"status":{"code":0,"lock":{"backup":{"held":false}},"message":"ok"}}])";

TEST(PgBackRestInfo, ReadsASetWithItsSystemIdentifierWhole) {
  auto all = parse_info(kInfo, "m");
  ASSERT_TRUE(all) << all.error().text();
  ASSERT_EQ(all->size(), 1u);
  const recovery::Catalogue& catalogue = all->front();
  EXPECT_EQ(catalogue.system_id, "7713003758779266069");
  EXPECT_EQ(catalogue.archive, "15-1");
  EXPECT_EQ(catalogue.segment_bytes, 16u << 20);
  ASSERT_EQ(catalogue.sets.size(), 1u);
  const recovery::BackupSet& set = catalogue.sets.front();
  EXPECT_EQ(set.label, "20261127-235416F");
  EXPECT_EQ(set.bytes, 183432911u);
  EXPECT_EQ(set.page_errors, false);
  EXPECT_EQ(set.stop_lsn, (Lsn{0xD000050}));
}

TEST(PgBackRestInfo, OtherStanzasAndNonsenseGiveNoSet) {
  auto other = parse_info(kInfo, "n");
  ASSERT_TRUE(other);
  EXPECT_TRUE(other->empty());
  EXPECT_FALSE(parse_info("stanza: m", "m"));
}

TEST(PgBackRestBackup, OfAMemberThatWasJustPromotedWaitsForItsFirstCheckpoint) {
  Error error = pgbackrest_error(
      "backup", 58,
      "2026-11-29 22:45:32.577 P00  ERROR: [058]: WAL timeline 2 does not match pg_control timeline 1\n"
      "                                    HINT: this may indicate corruption and requires investigation\n");
  EXPECT_TRUE(awaits_first_checkpoint(error.what)) << error.what;
  EXPECT_TRUE(awaits_first_checkpoint("WAL timeline 10 does not match pg_control timeline 9"));
  EXPECT_FALSE(awaits_first_checkpoint("WAL timeline 1 does not match pg_control timeline 2"));
  EXPECT_FALSE(awaits_first_checkpoint("WAL timeline 2 does not match pg_control timeline "));
  EXPECT_FALSE(awaits_first_checkpoint("standby is on timeline 1 but expected 2"));
  EXPECT_FALSE(awaits_first_checkpoint(""));
}

TEST(PgBackRestArchive, TellsSegmentsHistoriesAndPartialOnesApart) {
  recovery::Catalogue catalogue;
  catalogue.archive = "15-1";
  auto read = parse_archive_list(
      R"({".":{"type":"path"},
      "15-1/0000000100000000/000000010000000000000001-6969aee5f2662528287ff3c6f9b037a23f013917.zst":{"type":"file","size":7,"time":9},
      "15-1/0000000100000000/000000010000000000000002.partial-6969aee5f2662528287ff3c6f9b037a23f013917.gz":{"type":"file","size":7,"time":9},
      "15-1/0000000100000000/00000001000000000000000B.00000028.backup":{"type":"file","size":7,"time":9},
      "14-1/0000000100000000/000000010000000000000009-6969aee5f2662528287ff3c6f9b037a23f013917":{"type":"file","size":7,"time":9},
      "15-1/00000002.history":{"type":"file","size":40,"time":9}})",
      catalogue);
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_EQ(catalogue.segments.size(), 2u);
  EXPECT_EQ(catalogue.segments[0].number, 1u);
  EXPECT_EQ(catalogue.segments[0].sha1, "6969aee5f2662528287ff3c6f9b037a23f013917");
  EXPECT_FALSE(catalogue.segments[0].partial);
  EXPECT_TRUE(catalogue.segments[1].partial);
  ASSERT_EQ(catalogue.histories.size(), 1u);
  EXPECT_EQ(catalogue.histories[0].timeline, 2u);
}

TEST(PgBackRestErrors, OfABackupThatIsWholeAndNotInTheIndexAreTold) {
  const std::string refused =
      "pgbackrest backup ended with 39: [039]: HTTP request failed with 403 (Forbidden): *** Path/Query ***: DELETE ";
  EXPECT_TRUE(lacks_index_only(refused + "/b/repo/backup/m/latest *** Request Headers ***: authorization: <redacted>"));
  EXPECT_TRUE(lacks_index_only(refused + "/account/b/repo/backup/m/latest?sig=<redacted> *** Request"));
  EXPECT_FALSE(lacks_index_only(refused + "/b/repo/backup/m/20261101-010101F/bundle/1 *** Request"));
  EXPECT_FALSE(lacks_index_only("HTTP request failed with 503: DELETE /b/repo/backup/m/latest *** Request"));
  EXPECT_FALSE(lacks_index_only("HTTP request failed with 403 (Forbidden): PUT /b/repo/backup/m/latest"));
}

TEST(PgBackRestNames, AreThoseOfAListing) {
  auto names = parse_names(R"({".":{"type":"path"},"20261101-010101F":{"type":"path"},"backup.info":{"type":"file"}})");
  ASSERT_TRUE(names) << names.error().text();
  EXPECT_EQ(*names, (std::vector<std::string>{".", "20261101-010101F", "backup.info"}));
  EXPECT_FALSE(parse_names("[]"));
  EXPECT_FALSE(parse_names(""));
}

TEST(PgBackRestVerify, DamageIsFoundInTheTextWhateverTheExitCode) {
  VerifyReport fine = parse_verify(
      "stanza: m\nstatus: ok\n  archiveId: 15-1, total WAL checked: 21, total valid WAL: 21\n"
      "    missing: 0, checksum invalid: 0, size invalid: 0, other: 0\n");
  EXPECT_FALSE(fine.damaged);
  VerifyReport bad = parse_verify(
      "INFO: invalid checksum '15-1/x.zst'\nstanza: m\nstatus: error\n"
      "    missing: 0, checksum invalid: 1, size invalid: 0, other: 0\n");
  EXPECT_TRUE(bad.damaged);
  EXPECT_EQ(bad.findings.size(), 3u);
  EXPECT_TRUE(parse_verify("").damaged) << "silence is no proof";
}

TEST(PgBackRestErrors, SayWhatToDoNext) {
  Error key = pgbackrest_error("restore", 95, "P00  ERROR: [095]: unable to flush\n");
  EXPECT_EQ(key.kind, ErrorKind::refused);
  EXPECT_NE(key.hint.find("passphrase"), std::string::npos);
  Error full = pgbackrest_error("restore", 82, "ERROR: [082]: unable to write '/x': [28] No space left on device\n");
  EXPECT_NE(full.hint.find("disk is full"), std::string::npos);
  std::string cut_off =
      "P01 WARN: '/x': No space left on device\n" + std::string(500, 'x') + "P01 DETAIL: restore file /va";
  EXPECT_NE(pgbackrest_error("restore", 82, cut_off).what.find("space"), std::string::npos);
  // As it says of a write for which there was room in part.
  std::string in_part =
      "P00  ERROR: [064]: raised from local-2 protocol: unable to write '/x/5/1255'\n"
      "            [FileWriteError] on retry after 0ms\n";
  EXPECT_NE(pgbackrest_error("restore", 64, in_part).what.find("space"), std::string::npos);
  std::string forbidden = "P00  ERROR: [064]: unable to write '/x/5/1255': [1] Operation not permitted\n";
  EXPECT_EQ(pgbackrest_error("restore", 64, forbidden).what.find("space"), std::string::npos);
  EXPECT_EQ(pgbackrest_error("info", 55, "").kind, ErrorKind::not_found);
}

TEST(PgBackRestProgress, IsTheLastShareThatItsLogTells) {
  EXPECT_EQ(restored_share(""), std::nullopt);
  EXPECT_EQ(restored_share("x"), std::nullopt);
  auto share = restored_share(
      "P02 DETAIL: restore file /d/base/5/16404 (21.4MB, 12.26%) checksum 91\n"
      "P02 DETAIL: restore file /d/base/5/16406 (1.5MB, 13.11%) checksum dc\nP01 DETAIL: restore fi");
  ASSERT_TRUE(share);
  EXPECT_NEAR(*share, 0.1311, 1e-9);
}

}  // namespace
}  // namespace lifeboat
