// Restores of a real PostgreSQL from a real pgBackRest repository: to random moments of a busy database, exact to the transaction
// against what the source itself says of each commit; damage and gaps that are loud; a restore that was killed and goes on.
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "io/file.hpp"
#include "io/postgres.hpp"
#include "io/run_in_test.hpp"
#include "recovery/folder.hpp"
#include "recovery/restore.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLong{120'000};
const std::string kBin = "/usr/lib/postgresql/15/bin";

struct Commit {
  int64_t id = 0;
  uint64_t xid = 0;
  Moment time{};
};

std::string text_of(const std::string& path) { return read_file(path, size_t{64} << 20).value_or(""); }

// Made once for all tests: a cluster that was busy, its repository, and what it says of each of its commits.
class Source {
 public:
  std::string top;
  std::vector<Commit> ledger;  // in the order of commit times
  std::string problem;
  Lsn middle;  // a position taken while it was busy
  int64_t middle_count = 0;

  Source() { problem = build(); }
  ~Source() {
    if (top.empty()) return;
    run({kBin + "/pg_ctl", "-D", top + "/pg", "-m", "immediate", "-w", "stop"});
    std::error_code ignored;
    fs::remove_all(top, ignored);
  }

  // A configuration for a repository, which may be a copy of the source's.
  std::string config_for(const std::string& repository) const {
    std::string path = repository + ".conf";
    std::ofstream(path) << "[global]\nrepo1-path=" << repository << "\nlog-level-file=off\nlog-path=" << top
                        << "/log\nlock-path=" << top << "/lock\nspool-path=" << top
                        << "/spool\nstart-fast=y\ncompress-type=zst\narchive-async=y\nprocess-max=2\n[m]\npg1-path="
                        << top << "/pg\npg1-socket-path=" << top << "\npg1-port=5432\n";
    return path;
  }
  std::string copy_of_repository(const std::string& name) const {
    fs::copy(top + "/repo", top + "/" + name, fs::copy_options::recursive);
    run({"/bin/chown", "-R", "postgres", top + "/" + name}, true);
    return top + "/" + name;
  }

  static ProcessResult run(std::vector<std::string> argv, bool as_root = false) {
    asio::io_context context(1);
    ProcessSpec spec;
    spec.argv = std::move(argv);
    if (!as_root) spec.user = "postgres";
    spec.directory = "/";
    auto result = run_in_test(context, run_process(std::move(spec), Deadline::after(kLong)), kLong);
    return result ? *result : ProcessResult{.exit_code = 1000, .err = result.error().text()};
  }
  static PgRows ask(const std::string& socket, const std::string& sql) {
    asio::io_context context(1);
    PgParams params{{"host", socket}, {"port", "5432"}, {"dbname", "postgres"}, {"user", "postgres"}};
    auto rows = run_in_test(context, pg_query_once(params, sql, {}, Deadline::after(Duration{30'000})), kLong);
    if (!rows) throw std::runtime_error(rows.error().text());
    return *rows;
  }

 private:
  std::string build();
};

std::string Source::build() {
  if (geteuid() != 0) return "needs root";
  for (const std::string& program : {kBin + "/postgres", std::string("pgbackrest"), std::string("unshare")}) {
    if (find_program(program).empty()) return program + " is not installed";
  }
  char folder[] = "/var/tmp/lifeboat-restore-XXXXXX";
  if (mkdtemp(folder) == nullptr) return "no temporary folder";
  top = folder;
  const passwd* account = getpwnam("postgres");
  if (account == nullptr || chown(folder, account->pw_uid, account->pw_gid) != 0) return "there is no user postgres";
  for (const char* name : {"/repo", "/log", "/lock", "/spool"}) run({"/bin/mkdir", top + name});
  std::string config = config_for(top + "/repo");
  std::vector<std::string> backrest{"pgbackrest", "--config=" + config, "--stanza=m"};
  auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> out = backrest;
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  if (auto made = run({kBin + "/initdb", "-D", top + "/pg", "-k", "-U", "postgres", "--auth=trust"});
      made.exit_code != 0)
    return "initdb: " + made.err;
  std::ofstream(top + "/pg/postgresql.conf", std::ios::app)
      << "listen_addresses=''\nunix_socket_directories='" << top
      << "'\narchive_mode=on\narchive_command='pgbackrest --config=" << config
      << " --stanza=m archive-push %p'\ntrack_commit_timestamp=on\nfsync=off\nmax_wal_size=1GB\n";
  if (auto started = run({kBin + "/pg_ctl", "-D", top + "/pg", "-l", top + "/pg.log", "-w", "start"});
      started.exit_code != 0)
    return "pg_ctl: " + started.err + text_of(top + "/pg.log");
  if (auto made = run(with({"stanza-create"})); made.exit_code != 0) return "stanza-create: " + made.out + made.err;
  ask(top, "CREATE TABLE ledger (id bigserial PRIMARY KEY, filler text)");
  ask(top, "CREATE TABLE noise AS SELECT g AS id, repeat(md5(g::text), 8) AS t FROM generate_series(1, 40000) g");
  std::ofstream(top + "/script") << "INSERT INTO ledger (filler) VALUES (repeat('x', 1500));\n";
  auto busy = [&](const char* seconds) {
    return run({kBin + "/pgbench", "-h", top, "-U", "postgres", "-n", "-c", "4", "-T", seconds, "-f", top + "/script",
                "postgres"});
  };
  if (auto backed = run(with({"--type=full", "backup"})); backed.exit_code != 0)
    return "backup: " + backed.out + backed.err;
  if (auto pgbench = busy("3"); pgbench.exit_code != 0) return "pgbench: " + pgbench.err;
  PgRows at = ask(top, "SELECT pg_current_wal_insert_lsn()::text AS lsn, (SELECT count(*) FROM ledger)::text AS count");
  middle = ScalarText<Lsn>::parse(at.text(0, "lsn")).value_or(Lsn{});
  middle_count = std::atoll(at.text(0, "count").c_str());
  ask(top, "SELECT pg_create_restore_point('halfway')");
  if (auto pgbench = busy("3"); pgbench.exit_code != 0) return "pgbench: " + pgbench.err;
  PgRows rows = ask(top,
                    "SELECT id::text, xmin::text AS xid, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * "
                    "1000000)::bigint::text AS micros FROM ledger ORDER BY 3, 1");
  for (size_t row = 0; row < rows.rows.size(); ++row)
    ledger.push_back({std::atoll(rows.text(row, "id").c_str()),
                      std::strtoull(rows.text(row, "xid").c_str(), nullptr, 10),
                      Moment{std::chrono::microseconds{std::atoll(rows.text(row, "micros").c_str())}}});
  std::string last = ask(top, "SELECT pg_walfile_name(pg_switch_wal()) AS name").text(0, "name");
  if (ledger.size() < 1000) return "the source was not busy: " + std::to_string(ledger.size()) + " commits";
  // A stop waits for the archiver.
  run({kBin + "/pg_ctl", "-D", top + "/pg", "-m", "fast", "-w", "stop"});
  for (const auto& entry : fs::recursive_directory_iterator(top + "/repo/archive/m")) {
    if (entry.path().filename().string().starts_with(last + "-")) return {};
  }
  return last + " was not archived";
}

Source& source() {
  static Source* made = new Source;
  return *made;
}

class EndOfAll : public testing::Environment {
 public:
  void TearDown() override { delete &source(); }
};

class Restoring : public testing::Test {
 protected:
  std::string folder;

  void SetUp() override {
    if (!source().problem.empty()) GTEST_SKIP() << source().problem;
    static int count = 0;
    folder = source().top + "/into" + std::to_string(++count);
  }
  void TearDown() override { clear(); }
  void clear() {
    if (folder.empty()) return;
    end_processes_at(folder + "/data", kBin + "/postgres", Duration{5'000});
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  static RecoveryTarget moment(Moment at) { return {.kind = TargetKind::time, .time = at}; }
  Result<Restored> restore_to(RecoveryTarget target, const std::string& repository = {}, bool accept_gap = false,
                              bool promote = false) {
    RestoreRequest request{.config = source().config_for(repository.empty() ? source().top + "/repo" : repository),
                           .stanza = "m",
                           .folder = folder,
                           .promote = promote};
    request.wish.target = target;
    request.wish.accept_gap = accept_gap;
    asio::io_context context(1);
    return run_in_test(context, restore(std::move(request), {}, Deadline::after(kLong)), kLong);
  }
  std::vector<int64_t> ids() {
    PgRows rows = Source::ask(folder + "/socket", "SELECT id::text AS text FROM ledger ORDER BY ledger.id");
    std::vector<int64_t> out;
    for (size_t row = 0; row < rows.rows.size(); ++row) out.push_back(std::atoll(rows.text(row, "text").c_str()));
    return out;
  }
  bool holds(int64_t id) {
    std::vector<int64_t> all = ids();
    return std::ranges::binary_search(all, id);
  }
  // Ids of all commits for which `in` holds.
  template <class In>
  static std::vector<int64_t> expected(In in) {
    std::vector<int64_t> out;
    for (const Commit& commit : source().ledger) {
      if (in(commit)) out.push_back(commit.id);
    }
    std::ranges::sort(out);
    return out;
  }
  // The file of a segment in the middle of the busy time.
  static std::string middle_segment(const std::string& repository) {
    uint64_t number = segment_of(source().middle, uint64_t{16} << 20);
    std::string name = segment_name(1, number, uint64_t{16} << 20);
    for (const auto& entry : fs::recursive_directory_iterator(repository + "/archive/m")) {
      if (entry.path().filename().string().starts_with(name + "-")) return entry.path().string();
    }
    return {};
  }
};

TEST_F(Restoring, ToRandomMomentsGivesExactlyTheCommitsUpToThem) {
  unsigned seed = std::random_device{}();
  if (const char* given = std::getenv("LIFEBOAT_SEED")) seed = static_cast<unsigned>(std::atoi(given));
  int count = std::getenv("LIFEBOAT_LONG") != nullptr ? 50 : 3;
  std::mt19937 random(seed);
  const auto& ledger = source().ledger;
  for (int turn = 0; turn < count; ++turn) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", turn " + std::to_string(turn));
    clear();
    std::uniform_int_distribution<size_t> pick(ledger.size() / 20, ledger.size() - 20);
    // Between two commits, or right at one.
    Moment at = ledger[pick(random)].time + std::chrono::microseconds{static_cast<int>(random() % 3) - 1};
    auto restored = restore_to(moment(at));
    ASSERT_TRUE(restored) << restored.error().text();
    std::vector<int64_t> in = ids(), wanted = expected([&](const Commit& commit) { return commit.time <= at; });
    // Commit times are not quite in the order of the log; how many of those stand behind the point is told.
    EXPECT_EQ(in.size() + restored->lost_transactions, wanted.size());
    EXPECT_TRUE(std::ranges::includes(wanted, in)) << "nothing after the moment is in";
    ASSERT_TRUE(restored->reached.time && restored->reached.next_time);
    EXPECT_LE(*restored->reached.time, at);
    EXPECT_GT(*restored->reached.next_time, at);
  }
}

TEST_F(Restoring, ToATransactionStopsOnTheSideThatWasAskedFor) {
  uint64_t xid = source().ledger[source().ledger.size() / 2].xid;
  int64_t id = source().ledger[source().ledger.size() / 2].id;
  auto before = restore_to({.kind = TargetKind::xid_before, .xid = xid});
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_EQ(before->reached.next_xid, xid);
  EXPECT_FALSE(holds(id));
  size_t without = ids().size();
  clear();
  auto after = restore_to({.kind = TargetKind::xid_after, .xid = xid});
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_EQ(after->reached.xid, xid);
  EXPECT_TRUE(holds(id));
  EXPECT_EQ(ids().size(), without + 1);
}

TEST_F(Restoring, ToAPositionOrANameGivesWhatWasThereThen) {
  auto named = restore_to({.kind = TargetKind::name, .name = "halfway"});
  ASSERT_TRUE(named) << named.error().text();
  EXPECT_EQ(static_cast<int64_t>(ids().size()), source().middle_count);
  clear();
  auto placed = restore_to({.kind = TargetKind::lsn, .lsn = source().middle});
  ASSERT_TRUE(placed) << placed.error().text();
  EXPECT_GT(placed->reached.lsn, source().middle);
  EXPECT_EQ(static_cast<int64_t>(ids().size()), source().middle_count);
}

TEST_F(Restoring, ToTheLatestHasEveryCommitAndAPromotedCopyStaysCutOff) {
  auto restored = restore_to({}, {}, false, true);
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(ids().size(), source().ledger.size());
  EXPECT_TRUE(restored->promoted);
  EXPECT_EQ(restored->timeline, 2u);
  std::string socket = folder + "/socket";
  EXPECT_EQ(Source::ask(socket, "INSERT INTO ledger (filler) VALUES ('new') RETURNING id").rows.size(), 1u);
  PgRows settings =
      Source::ask(socket,
                  "SELECT current_setting('archive_mode') AS archive, current_setting('fsync') AS fsync, "
                  "current_setting('listen_addresses') AS listen, current_setting('autovacuum') AS vacuum");
  EXPECT_EQ(settings.text(0, "archive"), "off");
  EXPECT_EQ(settings.text(0, "fsync"), "on") << "what made replay fast is undone";
  EXPECT_EQ(settings.text(0, "vacuum"), "on");
  EXPECT_EQ(settings.text(0, "listen"), "");
  // Its network namespace has nothing but a loopback that is down.
  auto pids = processes_at(folder + "/data", kBin + "/postgres");
  ASSERT_FALSE(pids.empty());
  std::ifstream devices("/proc/" + std::to_string(pids.front()) + "/net/dev");
  std::vector<std::string> names;
  for (std::string line; std::getline(devices, line);) {
    if (size_t colon = line.find(':'); colon != line.npos)
      names.push_back(line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' ')));
  }
  EXPECT_EQ(names, std::vector<std::string>{"lo"});
  EXPECT_FALSE(fs::exists(source().top + "/repo/archive/m/15-1/00000002.history")) << "it has archived nothing";
}

TEST_F(Restoring, AFlippedByteInTheMiddleOfTheLogIsLoudAndCanBeAccepted) {
  std::string repository = source().copy_of_repository("flipped");
  std::string file = middle_segment(repository);
  ASSERT_FALSE(file.empty());
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(fs::file_size(file) / 2));
    int value = bytes.peek();
    bytes.put(static_cast<char>(value ^ 0x20));
  }
  auto refused = restore_to({}, repository);
  ASSERT_FALSE(refused) << "a damaged segment was passed over";
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_NE(refused.error().what.find(fs::path(file).filename().string().substr(0, 24)), std::string::npos)
      << refused.error().text();
  EXPECT_NE(refused.error().hint.find("--accept-gap"), std::string::npos);
  auto accepted = restore_to({}, repository, true);
  ASSERT_TRUE(accepted) << accepted.error().text();
  EXPECT_TRUE(accepted->cut_by_gap);
  EXPECT_LT(ids().size(), source().ledger.size());
  EXPECT_GT(ids().size(), 100u);
  EXPECT_TRUE(std::ranges::includes(expected([](const Commit&) { return true; }), ids()));
}

TEST_F(Restoring, AMissingSegmentInTheMiddleIsAGapThatIsNamedBeforeAnythingIsDone) {
  std::string repository = source().copy_of_repository("missing");
  fs::remove(middle_segment(repository));
  auto refused = restore_to({}, repository);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("gap"), std::string::npos) << refused.error().text();
  EXPECT_FALSE(fs::exists(folder));
  auto beyond = restore_to(moment(source().ledger[source().ledger.size() - 30].time), repository);
  EXPECT_FALSE(beyond);
}

TEST_F(Restoring, ATruncatedSegmentIsSaidPlainly) {
  std::string repository = source().copy_of_repository("truncated");
  std::string file = middle_segment(repository);
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(file, fs::file_size(file) / 2);
  auto refused = restore_to({}, repository);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find(fs::path(file).filename().string().substr(0, 24)), std::string::npos)
      << refused.error().text();
}

TEST_F(Restoring, WhatLiesOutsideIsRefusedWithTheNearest) {
  auto early = restore_to(moment(source().ledger.front().time - std::chrono::hours{1}));
  ASSERT_FALSE(early);
  EXPECT_NE(early.error().hint.find("earliest"), std::string::npos) << early.error().text();
  auto late = restore_to(moment(source().ledger.back().time + std::chrono::hours{1}));
  ASSERT_FALSE(late);
  EXPECT_NE(late.error().hint.find("latest"), std::string::npos) << late.error().text();
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Restoring, AFolderThatIsNotItsOwnIsLeftAsItIs) {
  fs::create_directories(folder);
  std::ofstream(folder + "/precious") << "data";
  auto refused = restore_to({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(text_of(folder + "/precious"), "data");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(Restoring, ADiskWithoutRoomIsRefusedBeforeAnythingIsDone) {
  std::string disk = source().top + "/disk";
  fs::create_directories(disk);
  if (mount("none", disk.c_str(), "tmpfs", 0, "size=40m") != 0) GTEST_SKIP() << "no file system can be mounted here";
  folder = disk + "/into";
  auto refused = restore_to({});
  bool made = fs::exists(folder);
  umount(disk.c_str());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("room"), std::string::npos) << refused.error().text();
  EXPECT_FALSE(made);
}

TEST_F(Restoring, ThatWasKilledGoesOnWhenAskedAgain) {
  const char* at[] = {"backup.manifest", "standby.signal"};
  for (const char* sign : at) {
    SCOPED_TRACE(sign);
    clear();
    pid_t child = fork();
    if (child == 0) {
      std::string config = source().config_for(source().top + "/repo");
      execl("/proc/self/exe", "test_restore", "restore-and-be-killed", config.c_str(), folder.c_str(), nullptr);
      _exit(127);
    }
    // Killed as soon as it has come so far.
    Deadline deadline = Deadline::after(kLong);
    while (!deadline.passed() && !fs::exists(folder + "/data/" + sign) && waitpid(child, nullptr, WNOHANG) == 0)
      usleep(500);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    auto again = restore_to({});
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(ids().size(), source().ledger.size());
    auto finished = restore_to({});
    ASSERT_FALSE(finished) << "a finished restore was overwritten without a word";
    EXPECT_EQ(finished.error().kind, ErrorKind::conflict);
  }
}

}  // namespace

// The restore that a test kills: a process of its own.
int restore_and_be_killed(const char* config, const char* folder) {
  RestoreRequest request{.config = config, .stanza = "m", .folder = folder};
  asio::io_context context(1);
  auto done = run_in_test(context, restore(std::move(request), {}, Deadline::after(kLong)), kLong);
  if (!done) std::cerr << done.error().text() << "\n";
  return done ? 0 : 1;
}

}  // namespace lifeboat::recovery

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "restore-and-be-killed")
    return lifeboat::recovery::restore_and_be_killed(argv[2], argv[3]);
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new lifeboat::recovery::EndOfAll);
  return RUN_ALL_TESTS();
}
