// A busy PostgreSQL that is damaged in every way that people and programs damage data, and what its log tells afterwards: which
// transaction did it, by name, also of what is gone; and the last clean moment, to one transaction, found by asking copies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/recovery/clean_set.hpp"
#include "io/file.hpp"
#include "io/process.hpp"
#include "io/run_in_test.hpp"
#include "kept_for_all.hpp"
#include "recovery/clean_point.hpp"
#include "recovery/corruption.hpp"
#include "recovery/forensics.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;
using forensics::DeedKind;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Duration kLong{240'000};
const std::string kBin = "/usr/lib/postgresql/15/bin";

class Source {
 public:
  std::string top, config, problem;
  Moment from{}, to{};
  uint32_t deleted = 0, odd = 0, disordered = 0, encrypted = 0, truncated = 0, dropped = 0;  // transactions
  std::string database_oid;

  Source() { problem = build(); }
  ~Source() {
    if (top.empty()) return;
    run({kBin + "/pg_ctl", "-D", top + "/pg", "-m", "immediate", "-w", "stop"});
    std::error_code ignored;
    fs::remove_all(top, ignored);
  }

  static ProcessResult run(std::vector<std::string> argv) {
    asio::io_context context(1);
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.user = "postgres";
    spec.directory = "/";
    auto result = run_in_test(context, run_process(std::move(spec), Deadline::after(kLong)), kLong);
    return result ? *result : ProcessResult{.exit_code = 1000, .err = result.error().text()};
  }
  std::string psql(const std::string& database, const std::string& sql) const {
    auto result = run({"/usr/bin/psql", "-h", top, "-p", "5432", "-U", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1",
                       "-c", sql, database});
    if (result.exit_code != 0) throw std::runtime_error(result.err);
    while (!result.out.empty() && result.out.back() == '\n') result.out.pop_back();
    return result.out;
  }
  // In one transaction, and its number.
  uint32_t transaction(const std::string& sql) const {
    std::string out = psql("app", "BEGIN; " + sql + "; SELECT pg_current_xact_id(); COMMIT");
    return static_cast<uint32_t>(std::strtoul(out.substr(out.rfind('\n') + 1).c_str(), nullptr, 10));
  }
  Moment now() const {
    return ScalarText<Moment>::parse(psql("postgres",
                                          "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                                          "'YYYY-MM-DD HH24:MI:SS.US') || 'Z'"))
        .value_or(Moment{});
  }
  PgBackRest repository() const { return {.config = config, .stanza = "m", .user = "postgres"}; }

 private:
  std::string build();
  std::string make_cluster();
};

std::string Source::make_cluster() {
  config = top + "/pgbackrest.conf";
  for (const char* name : {"/repo", "/log", "/lock", "/spool"}) run({"/bin/mkdir", top + name});
  std::ofstream(config) << "[global]\nrepo1-path=" << top << "/repo\nlog-level-file=off\nlog-path=" << top
                        << "/log\nlock-path=" << top << "/lock\nspool-path=" << top
                        << "/spool\nstart-fast=y\ncompress-type=zst\narchive-async=y\n[m]\npg1-path=" << top
                        << "/pg\npg1-socket-path=" << top << "\npg1-port=5432\n";
  if (auto made = run({kBin + "/initdb", "-D", top + "/pg", "-k", "-U", "postgres", "--auth=trust"});
      made.exit_code != 0)
    return "initdb: " + made.err;
  std::ofstream(top + "/pg/postgresql.conf", std::ios::app)
      << "listen_addresses=''\nunix_socket_directories='" << top
      << "'\narchive_mode=on\narchive_command='pgbackrest --config=" << config
      << " --stanza=m archive-push %p'\nfsync=off\nwal_compression=on\nwal_keep_size=1GB\nwal_recycle=off\n";
  if (auto started = run({kBin + "/pg_ctl", "-D", top + "/pg", "-l", top + "/pg.log", "-w", "start"});
      started.exit_code != 0)
    return "pg_ctl: " + started.err;
  if (auto made = run({"pgbackrest", "--config=" + config, "--stanza=m", "stanza-create"}); made.exit_code != 0)
    return "stanza-create: " + made.out + made.err;
  return {};
}

std::string Source::build() {
  if (geteuid() != 0) return "needs root";
  for (const std::string& program : {kBin + "/postgres", std::string("pgbackrest"), std::string("unshare")}) {
    if (find_program(program).empty()) return program + " is not installed";
  }
  char folder[] = "/var/tmp/lifeboat-forensics-XXXXXX";
  if (mkdtemp(folder) == nullptr) return "no temporary folder";
  top = folder;
  const passwd* account = getpwnam("postgres");
  if (account == nullptr || chown(folder, account->pw_uid, account->pw_gid) != 0) return "there is no user postgres";
  if (std::string trouble = make_cluster(); !trouble.empty()) return trouble;
  psql("postgres", "CREATE DATABASE app");
  psql("postgres", "CREATE DATABASE other");
  psql("app",
       "CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, n int, note text);"
       "CREATE TABLE shop.customers (id int PRIMARY KEY, name text, bio text);"
       "CREATE TABLE shop.audit (id bigserial PRIMARY KEY, what text);"
       "INSERT INTO shop.orders SELECT g, 0, 'an order of some things for a friend' FROM generate_series(1, 6000) g;"
       "INSERT INTO shop.customers SELECT g, 'customer ' || g, 'likes the sea and walking with two dogs, number ' || g "
       "FROM generate_series(1, 1000) g; ANALYZE");
  psql("app",
       "CREATE EXTENSION amcheck;"
       "CREATE FUNCTION shop.compare(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($1, $2)';"
       "CREATE OPERATOR CLASS shop.ordered FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, "
       "OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 shop.compare(int, int);"
       "CREATE TABLE shop.labels (id int); INSERT INTO shop.labels SELECT generate_series(1, 400);"
       "CREATE INDEX labels_in_order ON shop.labels (id shop.ordered)");
  if (auto backed = run({"pgbackrest", "--config=" + config, "--stanza=m", "--type=full", "backup"});
      backed.exit_code != 0)
    return "backup: " + backed.out + backed.err;
  std::ofstream(top + "/script")
      << "\\set id random(1, 6000)\nBEGIN;\nUPDATE shop.orders SET n = n + 1 WHERE id = :id;\n"
         "INSERT INTO shop.audit (what) VALUES ('changed');\nCOMMIT;\n";
  std::vector<std::string> busy{
      kBin + "/pgbench", "-h", top, "-U", "postgres", "-n", "-c", "2", "-R", "300", "-T", "2", "-f",
      top + "/script",   "app"};
  if (auto before = run(busy); before.exit_code != 0) return "pgbench: " + before.err;
  psql("postgres", "CHECKPOINT");
  from = now();
  // Others are at work all the while.
  busy[11] = "8";
  ProcessSpec spec;
  spec.argv = busy;
  spec.user = "postgres";
  spec.directory = "/";
  spec.output_file = top + "/busy.log";
  auto others = start_process(spec);
  if (!others) return others.error().text();
  deleted = transaction("DELETE FROM shop.orders WHERE id % 3 = 0");
  odd = transaction("UPDATE shop.customers SET name = '' WHERE id = 7");
  // What a new version of a library of collations does to every index of texts: another order from here on.
  disordered = transaction(
      "CREATE OR REPLACE FUNCTION shop.compare(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($2, "
      "$1)'");
  encrypted = transaction("UPDATE shop.customers SET bio = encode(sha512(bio::bytea), 'base64')");
  truncated = transaction("TRUNCATE shop.audit");
  dropped = transaction("DROP TABLE shop.customers");
  psql("postgres", "DROP DATABASE other");
  int status = 0;
  waitpid(*others, &status, 0);
  to = now();
  psql("postgres", "SELECT pg_switch_wal()");
  database_oid = psql("postgres", "SELECT oid FROM pg_database WHERE datname = 'app'");
  psql("postgres", "CHECKPOINT");
  run({kBin + "/pg_ctl", "-D", top + "/pg", "-m", "fast", "-w", "stop"});
  return status == 0 ? "" : "the others were cut short: " + read_file(top + "/busy.log").value_or("");
}

auto& kept = keep_for_all<Source>([] { return std::make_unique<Source>(); });
Source& source() { return kept.get(); }
class Damaged : public testing::Test {
 protected:
  void SetUp() override {
    if (!source().problem.empty()) GTEST_SKIP() << source().problem;
  }
  static Result<forensics::Report> read(ForensicsRequest request) {
    request.from = source().from;
    request.to = source().to;
    asio::io_context context(1);
    return run_in_test(context, read_log(std::move(request), Deadline::after(kLong)), kLong);
  }
  static const forensics::Finding* finding_of(const forensics::Report& report, uint32_t xid) {
    auto found = std::ranges::find(report.findings, xid, [](const auto& one) { return one.transaction.xid; });
    return found == report.findings.end() ? nullptr : &*found;
  }
  // All five deeds are there by name, and nothing else stands out.
  static void expect_all(const forensics::Report& report) {
    std::string words = forensics::in_words(report);
    EXPECT_EQ(report.findings.size(), 5u) << words;
    auto said = [&](uint32_t xid) {
      const auto* finding = finding_of(report, xid);
      return finding == nullptr ? std::string("nothing of ") + std::to_string(xid) + "\n" + words
                                : forensics::in_words(finding->deeds.front());
    };
    EXPECT_EQ(said(source().deleted), "deleted 2,000 rows of app.shop.orders");
    EXPECT_EQ(said(source().encrypted), "updated 1,000 rows of app.shop.customers");
    EXPECT_EQ(said(source().truncated), "truncated app.shop.audit");
    EXPECT_EQ(said(source().dropped), "dropped app.shop.customers");
    EXPECT_THAT(words, HasSubstr("dropped the database other"));
    EXPECT_THAT(words, HasSubstr("--to-lsn"));
    EXPECT_THAT(words, HasSubstr("--to-xid before:" + std::to_string(source().deleted)));
  }
  static Result<CleanPointReport> hunt(const std::string& checks, BuiltIn built_in = {}, std::string folder = {},
                                       const std::string& database = "app") {
    CleanPointRequest request;
    request.restore.folder = folder.empty() ? source().top + "/copy" : folder;
    request.from = source().from;
    request.to = source().to;
    request.built_in = built_in;
    if (!checks.empty()) request.checks = clean_point::parse_checks(checks, database).value();
    return hunt(std::move(request));
  }
  static Result<CleanPointReport> hunt(CleanPointRequest request) {
    request.restore.config = source().config;
    request.restore.stanza = "m";
    asio::io_context context(1);
    auto out = run_in_test(context, find_clean_point(std::move(request), Deadline::after(kLong)), kLong);
    EXPECT_FALSE(fs::exists(source().top + "/copy")) << "the copy is left behind";
    return out;
  }
  static std::string all(const CleanPointReport& report) {
    std::string out = in_words(report);
    for (const std::string& line : report.reasoning) out += line + "\n";
    return out;
  }
};

TEST_F(Damaged, TheArchiveAloneTellsWhoDidWhatToWhichTableAlsoOfWhatIsGone) {
  auto report = read({.repository = source().repository()});
  ASSERT_TRUE(report) << report.error().text();
  // No catalogue was asked: names of tables are in the log, since a checkpoint lies in it.
  EXPECT_TRUE(report->notes.empty()) << forensics::in_words(*report);
  EXPECT_GT(report->transactions, 500u);
  expect_all(*report);
}

TEST_F(Damaged, AFolderOfLogAndTheFilesOfTheClusterTellTheSame) {
  auto report = read({.wal = source().top + "/pg/pg_wal", .catalogs = {source().top + "/pg"}});
  ASSERT_TRUE(report) << report.error().text();
  expect_all(*report);
}

TEST_F(Damaged, EveryCommitOfTheSpanIsListedOnce) {
  auto report = read({.repository = source().repository(), .marks = true});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->marks.size(), report->transactions);
  for (size_t index = 1; index < report->marks.size(); ++index) {
    EXPECT_LT(report->marks[index - 1].lsn, report->marks[index].lsn);
    EXPECT_LE(report->marks[index - 1].end, report->marks[index].lsn);
  }
}

TEST_F(Damaged, TheLastCleanMomentBeforeAMassDeleteTakesOneRestore) {
  auto report = hunt("-- no order is lost\nSELECT count(*) >= 6000 FROM shop.orders;");
  ASSERT_TRUE(report) << report.error().text();
  ASSERT_TRUE(report->first_bad) << all(*report);
  EXPECT_EQ(report->first_bad->xid, source().deleted) << all(*report);
  EXPECT_LE(report->restores, 2u) << all(*report);
  EXPECT_EQ(report->target.xid, source().deleted);
  EXPECT_THAT(report->did, HasSubstr("deleted 2,000 rows"));
}

TEST_F(Damaged, OneRowOfATableThatHardlyAnotherTransactionTouchedIsSuspectToo) {
  auto report = hunt("-- everybody has a name\nSELECT count(*) = 0 FROM shop.customers WHERE name = '';");
  ASSERT_TRUE(report) << report.error().text();
  ASSERT_TRUE(report->first_bad) << all(*report);
  EXPECT_EQ(report->first_bad->xid, source().odd) << all(*report);
  EXPECT_LE(report->restores, 4u) << all(*report);  // five others are more suspect
  EXPECT_THAT(all(*report), HasSubstr("updated 1 row of app.shop.customers, as hardly another did"));
}

TEST_F(Damaged, ATransactionLikeAllOthersIsFoundToo) {
  auto report = hunt("SELECT sum(n) < 1000 FROM shop.orders WHERE id % 3 <> 0;");
  ASSERT_TRUE(report) << report.error().text();
  ASSERT_TRUE(report->first_bad) << all(*report);
  EXPECT_THAT(report->failed, ElementsAre(HasSubstr("false")));
  EXPECT_EQ(report->did, "") << all(*report);
}

TEST_F(Damaged, OfSeveralDatabasesNoneIsGuessed) {
  auto report = hunt("SELECT count(*) >= 6000 FROM shop.orders;", {}, {}, "");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::invalid_input);
  EXPECT_THAT(report.error().text(), HasSubstr("app, other"));
}

TEST_F(Damaged, ChecksThatFailAtTheBeginningSayWhatCameBack) {
  auto report = hunt("SELECT count(*) >= 6000 FROM shop.orders;", {}, {}, "postgres");
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->no_answer, clean_point::NoAnswer::bad_from_the_start);
  EXPECT_THAT(in_words(*report), HasSubstr("relation \"shop.orders\" does not exist"));
}

TEST_F(Damaged, AFolderThatIsNotItsOwnIsLeftAsItIs) {
  std::string folder = source().top + "/letters";
  fs::create_directory(folder);
  std::ofstream(folder + "/letter") << "dear reader";
  auto report = hunt("SELECT true;", {}, folder);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("is not empty"));
  EXPECT_EQ(read_file(folder + "/letter").value_or(""), "dear reader");
  fs::remove_all(folder);
}

TEST_F(Damaged, TheFirstTransactionThatEncryptedIsFoundByTheLooksOfTheTexts) {
  auto report = hunt("", {.encrypted = true});
  ASSERT_TRUE(report) << report.error().text();
  ASSERT_TRUE(report->first_bad) << all(*report);
  EXPECT_EQ(report->first_bad->xid, source().encrypted) << all(*report);
}

TEST_F(Damaged, AnIndexThatIsOutOfOrderIsFoundByItsStructureToTheTransaction) {
  auto report = hunt("", {.indexes = true});
  ASSERT_TRUE(report) << report.error().text();
  ASSERT_TRUE(report->first_bad) << all(*report);
  EXPECT_EQ(report->first_bad->xid, source().disordered) << all(*report);
  EXPECT_THAT(report->failed, ElementsAre(AllOf(HasSubstr("indexes of app"), HasSubstr("labels_in_order"))));
  EXPECT_THAT(report->notes, Contains(HasSubstr("other has no extension amcheck")));
}

TEST_F(Damaged, ATableThatIsLockedByItsUnfinishedDropCanStillBeAsked) {
  auto report = hunt("SELECT count(*) = 1000 FROM shop.customers;");
  ASSERT_TRUE(report) << report.error().text();
  ASSERT_TRUE(report->first_bad) << all(*report);
  EXPECT_EQ(report->first_bad->xid, source().dropped) << all(*report);
}

TEST_F(Damaged, AFlippedByteInAPageIsFoundAndNamed) {
  std::string copy = source().top + "/flipped";
  fs::copy(source().top + "/pg", copy, fs::copy_options::recursive);
  auto clean = verify_pages(copy);
  ASSERT_TRUE(clean) << clean.error().text();
  EXPECT_EQ(clean->damaged_pages, 0u);
  EXPECT_GT(clean->pages, 500u);
  // The first page of the largest file of the database: orders or its index.
  std::string folder = copy + "/base/" + source().database_oid, largest;
  uintmax_t size = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename();
    bool own = std::atoi(name.c_str()) >= 16384 && name.find('_') == std::string::npos;
    if (own && entry.file_size() > size) size = entry.file_size(), largest = entry.path();
  }
  std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(8192 * 3 + 5000);
  file.put('\x5a').put('\xa5').put('\x5a');
  file.close();
  auto report = verify_pages(copy);
  ASSERT_TRUE(report) << report.error().text();
  ASSERT_EQ(report->damaged_pages, 1u);
  EXPECT_EQ(report->damaged[0].block, 3u);
  EXPECT_THAT(report->damaged[0].table, HasSubstr("app.shop.orders"));
  fs::remove_all(copy);
  asio::io_context context(1);
  auto catalogue = run_in_test(context, look_at_repository(source().repository(), Deadline::after(kLong)), kLong);
  ASSERT_TRUE(catalogue) << catalogue.error().text();
  EXPECT_TRUE(newest_clean_set(*catalogue).newest_clean) << in_words(newest_clean_set(*catalogue));
}

// A page that is damaged while backups are taken: one of them checks it, and one does not.
class DamagedInBackups : public Damaged {
 protected:
  static inline std::string problem;
  static inline Moment from{}, to{};

  void SetUp() override {
    Damaged::SetUp();
    if (IsSkipped()) return;
    static const bool made = [] {
      problem = take_them();
      return true;
    }();
    ASSERT_TRUE(made && problem.empty()) << problem;
  }

  static std::string take_them() {
    const Source& its = source();
    auto control = [&](std::vector<std::string> words) {
      std::vector<std::string> argv{kBin + "/pg_ctl", "-D", its.top + "/pg", "-w"};
      argv.insert(argv.end(), words.begin(), words.end());
      return Source::run(std::move(argv)).exit_code == 0;
    };
    // Nothing reads the page but the backups.
    if (!control({"-l", its.top + "/pg.log", "-o", "-c autovacuum=off", "start"})) return "the server does not start";
    std::string file = its.top + "/pg/" + its.psql("app", "SELECT pg_relation_filepath('shop.orders')");
    turn_round(file);
    for (const char* checking : {"--checksum-page", "--no-checksum-page"}) {
      auto backed =
          Source::run({"pgbackrest", "--config=" + its.config, "--stanza=m", "--type=full", checking, "backup"});
      if (backed.exit_code != 0) return "backup: " + backed.out + backed.err;
    }
    turn_round(file);
    // What pgBackRest says of times is rounded down to seconds.
    its.psql("postgres", "SELECT pg_sleep(1.5)");
    from = its.now();
    for (int time = 0; time < 3; ++time) its.psql("app", "INSERT INTO shop.audit (what) VALUES ('later')");
    to = its.now();
    its.psql("postgres", "SELECT pg_switch_wal()");
    return control({"-m", "fast", "stop"}) ? "" : "the server does not stop";
  }
  // Bytes in its third page; the second time they are as they were.
  static void turn_round(const std::string& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    constexpr std::streamoff kAt = 8192 * 3 + 5000;
    char bytes[3]{};
    file.seekg(kAt).read(bytes, sizeof bytes);
    for (char& byte : bytes) byte = static_cast<char>(~byte);
    file.seekp(kAt).write(bytes, sizeof bytes);
  }
  static Result<Catalogue> catalogue() {
    asio::io_context context(1);
    return run_in_test(context, look_at_repository(source().repository(), Deadline::after(kLong)), kLong);
  }
  static Result<CleanPointReport> hunt_for_pages(const std::string& set) {
    CleanPointRequest request;
    request.restore.folder = source().top + "/copy";
    request.restore.wish.set = set;
    request.from = from;
    request.to = to;
    request.built_in = {.pages = true};
    return hunt(std::move(request));
  }
};

TEST_F(DamagedInBackups, TheNewestBackupWithoutItIsTheOneBefore) {
  auto found = catalogue();
  ASSERT_TRUE(found) << found.error().text();
  ASSERT_EQ(found->sets.size(), 3u);
  CleanSet sets = newest_clean_set(*found);
  ASSERT_TRUE(sets.newest_clean) << in_words(sets);
  EXPECT_EQ(sets.newest_clean->label, found->sets[0].label);
  EXPECT_THAT(sets.damaged, ElementsAre(found->sets[1].label));
  EXPECT_THAT(sets.unchecked, ElementsAre(found->sets[2].label));
}

TEST_F(DamagedInBackups, ACopyOfOneThatNobodyCheckedIsFoundToHaveIt) {
  auto found = catalogue();
  ASSERT_TRUE(found) << found.error().text();
  ASSERT_EQ(found->sets.size(), 3u);
  auto damaged = hunt_for_pages(found->sets[2].label);
  ASSERT_TRUE(damaged) << damaged.error().text();
  EXPECT_EQ(damaged->no_answer, clean_point::NoAnswer::bad_from_the_start) << all(*damaged);
  EXPECT_THAT(damaged->failed, ElementsAre(HasSubstr("1 pages have a wrong checksum")));
  auto sound = hunt_for_pages(found->sets[0].label);
  ASSERT_TRUE(sound) << sound.error().text();
  EXPECT_EQ(sound->no_answer, clean_point::NoAnswer::never_bad) << all(*sound);
  auto known = hunt_for_pages(found->sets[1].label);
  ASSERT_FALSE(known) << "it is known to be damaged, so nothing is restored from it";
  EXPECT_THAT(known.error().text(), HasSubstr("page checksums failed"));
}

}  // namespace
}  // namespace lifeboat::recovery
