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

#include "busy_source.hpp"
#include "io/run_in_test.hpp"
#include "kept_for_all.hpp"
#include "recovery/folder.hpp"
#include "recovery/restore.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

auto& kept = keep_for_all<BusySource>([] { return std::make_unique<BusySource>(std::vector{Stored::compressed}); });
BusySource& source() { return kept.get(); }
class Restoring : public testing::Test {
 protected:
  std::string folder;

  void SetUp() override {
    if (!source().problem.empty()) GTEST_SKIP() << source().problem;
    static int count = 0;
    folder = source().top + "/into" + std::to_string(++count);
  }
  void TearDown() override { clear(); }
  void clear() { BusySource::clear(folder); }

  static RecoveryTarget moment(Moment at) { return {.kind = TargetKind::time, .time = at}; }
  Result<Restored> restore_to(RecoveryTarget target, const std::string& repository = {}, bool accept_gap = false,
                              bool promote = false) {
    RestoreRequest request{.config = source().config_for(repository.empty() ? source().repository() : repository),
                           .stanza = "m",
                           .folder = folder,
                           .promote = promote};
    request.wish.target = target;
    request.wish.accept_gap = accept_gap;
    return BusySource::restore(std::move(request));
  }
  std::vector<int64_t> ids() { return BusySource::ids(folder); }
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
};

// Case 67, patroni#1870: the moment that was named was passed over, and all there was came back.
TEST_F(Restoring, ToRandomMomentsGivesExactlyTheCommitsUpToThem) {
  unsigned seed = std::random_device{}();
  if (const char* given = std::getenv("LIFEBOAT_SEED")) seed = static_cast<unsigned>(std::atoi(given));
  int count = std::getenv("LIFEBOAT_LONG") != nullptr ? 50 : 3;
  std::mt19937 random(seed);
  const auto& ledger = source().ledger;
  auto first = std::ranges::upper_bound(ledger, source().earliest, {}, &Commit::time) + 1;
  ASSERT_LT(first, ledger.end() - 20);
  for (int turn = 0; turn < count; ++turn) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", turn " + std::to_string(turn));
    clear();
    std::uniform_int_distribution<size_t> pick(static_cast<size_t>(first - ledger.begin()), ledger.size() - 20);
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

TEST_F(Restoring, ATablespaceComesBackInTheFolderOfTheRestoreAndNotWhereItWas) {
  auto restored = restore_to({});
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(ids().size(), source().ledger.size());
  size_t links = 0;
  for (const auto& entry : fs::directory_iterator(folder + "/data/pg_tblspc")) {
    ++links;
    std::string place = fs::canonical(entry.path());
    EXPECT_TRUE(place.starts_with(fs::canonical(folder).string() + "/tablespaces/")) << place;
  }
  EXPECT_EQ(links, 1u);
}

TEST_F(Restoring, ToATransactionStopsOnTheSideThatWasAskedFor) {
  uint64_t xid = source().ledger[source().ledger.size() / 2].xid;
  int64_t id = source().ledger[source().ledger.size() / 2].id;
  auto before = restore_to({.kind = TargetKind::xid_before, .xid = xid});
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_EQ(before->reached.next_xid, xid);
  EXPECT_FALSE(holds(id));
  size_t without = ids().size();
  // Others than those of the ledger may have committed too.
  ASSERT_TRUE(before->collateral_transactions);
  EXPECT_GE(*before->collateral_transactions, source().ledger.size() - without);
  EXPECT_LE(*before->collateral_transactions, source().ledger.size() - without + 20);
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

// Case 66, pgbackrest#1616: a restore that was a test archived into the repository of production.
TEST_F(Restoring, ToTheLatestHasEveryCommitAndAPromotedCopyStaysCutOff) {
  auto restored = restore_to({}, {}, false, true);
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(ids().size(), source().ledger.size());
  EXPECT_EQ(restored->collateral_transactions, 0u);
  EXPECT_TRUE(restored->promoted);
  EXPECT_EQ(restored->timeline, 2u);
  std::string socket = folder + "/socket";
  EXPECT_EQ(BusySource::ask(socket, "INSERT INTO ledger (filler) VALUES ('new') RETURNING id").rows.size(), 1u);
  PgRows settings =
      BusySource::ask(socket,
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
  EXPECT_FALSE(fs::exists(source().repository() + "/archive/m/15-1/00000002.history")) << "it has archived nothing";
}

TEST_F(Restoring, AFlippedByteInTheMiddleOfTheLogIsLoudAndCanBeAccepted) {
  std::string repository = source().copy_of_repository("flipped");
  std::string file = source().middle_segment(repository);
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
  EXPECT_FALSE(fs::exists(folder + "/data/postmaster.pid"))
      << "its server was killed and left its shared memory to the host";
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
  fs::remove(source().middle_segment(repository));
  auto refused = restore_to({}, repository);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("gap"), std::string::npos) << refused.error().text();
  EXPECT_FALSE(fs::exists(folder));
  auto beyond = restore_to(moment(source().ledger[source().ledger.size() - 30].time), repository);
  EXPECT_FALSE(beyond);
}

TEST_F(Restoring, WhatOneRepositoryLacksTheSecondHas) {
  std::string lacking = source().copy_of_repository("lacking");
  fs::remove(source().middle_segment(lacking));
  std::string config = source().config_for(lacking);
  std::string text = text_of(config);
  std::ofstream(config) << text.insert(text.find("log-level-file"), "repo2-path=" + source().repository() + "\n");
  RestoreRequest request{.config = config, .stanza = "m", .folder = folder};
  auto by_first = BusySource::restore(request);
  ASSERT_FALSE(by_first);
  EXPECT_NE(by_first.error().what.find("gap"), std::string::npos) << by_first.error().text();
  request.repository = 2;
  auto by_second = BusySource::restore(request);
  ASSERT_TRUE(by_second) << by_second.error().text();
  EXPECT_EQ(ids().size(), source().ledger.size());
  EXPECT_NE(by_second->repository_note.find("repository 2"), std::string::npos) << by_second->repository_note;
}

// Case 69, pgbackrest#842: a segment that was cut short was taken for whole.
TEST_F(Restoring, ATruncatedSegmentIsSaidPlainly) {
  std::string repository = source().copy_of_repository("truncated");
  std::string file = source().middle_segment(repository);
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
      std::string config = source().config_for(source().repository());
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
  return RUN_ALL_TESTS();
}
