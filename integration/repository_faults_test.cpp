// Every fault of a repository that a restore may meet: found by verifying it or by the restore, said plainly, with production and the
// repository left as they were.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "agent/repository.hpp"
#include "busy_source.hpp"
#include "io/pgbackrest.hpp"
#include "io/run_in_test.hpp"
#include "kept_for_all.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

auto& kept = keep_for_all<BusySource>(
    [] { return std::make_unique<BusySource>(std::vector{Stored::compressed, Stored::plain, Stored::encrypted}); });
BusySource& source() { return kept.get(); }
void flip_a_byte(const std::string& file) {
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  auto at = static_cast<std::streamoff>(fs::file_size(file) / 2);
  bytes.seekg(at);
  int value = bytes.peek();
  bytes.seekp(at);
  bytes.put(static_cast<char>(value ^ 0x20));
}

// Name, size and content of every file, as one number.
size_t print_of(const std::string& folder) {
  std::map<std::string, size_t> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file())
      files[entry.path().string()] = std::hash<std::string>{}(text_of(entry.path().string()));
  }
  std::string all;
  for (const auto& [name, hash] : files) all += name + std::to_string(hash);
  return std::hash<std::string>{}(all);
}

class RepositoryFault : public testing::TestWithParam<Stored> {
 protected:
  std::string folder, repository;

  void SetUp() override {
    if (!source().problem.empty()) GTEST_SKIP() << source().problem;
    static int count = 0;
    folder = source().top + "/into" + std::to_string(++count);
    repository = source().copy_of_repository("copy" + std::to_string(count), GetParam());
  }
  void TearDown() override {
    BusySource::clear(folder);
    std::error_code ignored;
    if (!repository.empty()) fs::remove_all(repository, ignored);
  }

  Result<Restored> restore_latest(const std::string& key = "the right key") {
    return BusySource::restore(
        {.config = source().config_for(repository, GetParam(), key), .stanza = "m", .folder = folder});
  }
  VerifyReport verify() {
    asio::io_context context(1);
    PgBackRest reader{
        .config = source().config_for(repository, GetParam()), .stanza = "m", .repository = 1, .user = "postgres"};
    auto report = run_in_test(context, verify_repository(std::move(reader), Deadline::after(kLong)), kLong);
    return report ? *report : VerifyReport{.damaged = true, .findings = {report.error().text()}, .text = {}};
  }
  // What `backups verify` finds: the agent of the repository's host knows which segments there ought to be, too.
  Json verify_by_agent() {
    asio::io_context context(1);
    Scope scope(context.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
    BackupPaths paths{repository + ".agent"};
    fs::create_directories(paths.folder);
    fs::copy_file(source().config_for(repository, GetParam()), paths.config(), fs::copy_options::overwrite_existing);
    BusySource::run({"/bin/chown", "-R", "postgres", paths.folder}, true);
    Repository agent(scope, "database", paths, "postgres", [](const std::string&) {});
    wire::RepositoryConfig config;
    config.stanza = "m";
    config.backups.repository_path = repository;
    std::string text = text_of(paths.config());
    auto configured = agent.configure(config, text, text);
    EXPECT_TRUE(configured) << (configured ? "" : configured.error().text());
    auto verifying = agent.verify(Deadline::after(kLong), [](const std::string&) {});
    auto found = run_in_test(context, std::move(verifying), kLong);
    EXPECT_TRUE(found) << (found ? "" : found.error().text());
    fs::remove_all(paths.folder);
    fs::remove_all(paths.folder + ".keep");
    return found ? *found : Json(nullptr);
  }
  // The largest file of the backup's data.
  std::string backup_file() const {
    std::string largest;
    uintmax_t size = 0;
    for (const auto& entry : fs::recursive_directory_iterator(repository + "/backup/m")) {
      bool data = entry.is_regular_file() && !entry.path().filename().string().starts_with("backup.");
      if (data && entry.file_size() > size) largest = entry.path().string(), size = entry.file_size();
    }
    return largest;
  }
  std::vector<std::string> manifests() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(repository + "/backup/m")) {
      bool of_history = entry.path().string().find("backup.history") != std::string::npos;
      if (!of_history && entry.path().filename().string().starts_with("backup.manifest"))
        out.push_back(entry.path().string());
    }
    return out;
  }
  // Refused in words that name `what`, and the repository stays as it is.
  void expect_refused(const std::string& what) {
    size_t before = print_of(repository), production = print_of(source().top + "/pg");
    auto refused = restore_latest();
    ASSERT_FALSE(refused) << "it was passed over";
    EXPECT_NE(refused.error().text().find(what), std::string::npos) << refused.error().text();
    EXPECT_EQ(print_of(repository), before) << "the repository was changed";
    EXPECT_EQ(print_of(source().top + "/pg"), production) << "production was changed";
  }
};

TEST_P(RepositoryFault, AWholeOneIsFoundWholeAndRestored) {
  VerifyReport found = verify();
  EXPECT_FALSE(found.damaged) << found.text;
  Json by_agent = verify_by_agent();
  EXPECT_TRUE(bool_or(by_agent, "whole")) << to_text(by_agent);
  auto restored = restore_latest();
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(BusySource::ids(folder).size(), source().ledger.size());
}

TEST_P(RepositoryFault, AFlippedByteInAFileOfTheBackup) {
  std::string file = backup_file();
  ASSERT_FALSE(file.empty());
  flip_a_byte(file);
  EXPECT_TRUE(verify().damaged);
  expect_refused(fs::path(file).stem().string());
}

TEST_P(RepositoryFault, AFlippedByteInTheManifest) {
  ASSERT_EQ(manifests().size(), 2u) << "the manifest and its copy";
  for (const std::string& manifest : manifests()) flip_a_byte(manifest);
  EXPECT_TRUE(verify().damaged);
  expect_refused("manifest");
}

TEST_P(RepositoryFault, AFlippedByteInASegmentInTheMiddleOfTheLog) {
  std::string file = source().middle_segment(repository);
  flip_a_byte(file);
  EXPECT_TRUE(verify().damaged);
  expect_refused(fs::path(file).filename().string().substr(0, 24));
}

TEST_P(RepositoryFault, ASegmentThatIsMissingInTheMiddleOfTheLog) {
  std::string file = source().middle_segment(repository), name = fs::path(file).filename().string().substr(0, 24);
  fs::remove(file);
  Json by_agent = verify_by_agent();
  EXPECT_FALSE(bool_or(by_agent, "whole")) << "every file that is there is as it was written, and one is not there";
  EXPECT_NE(to_text(member(by_agent, "problems")).find(name), std::string::npos) << to_text(by_agent);
  expect_refused("gap");
  EXPECT_FALSE(fs::exists(folder)) << "it is known before anything is done";
}

// Case 69, pgbackrest#842: a verification passed a segment that was cut short.
TEST_P(RepositoryFault, ATruncatedSegment) {
  std::string file = source().middle_segment(repository);
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(file, fs::file_size(file) / 2);
  EXPECT_TRUE(verify().damaged);
  expect_refused(fs::path(file).filename().string().substr(0, 24));
}

class OneRepository : public RepositoryFault {};

TEST_P(OneRepository, ADiskThatFillsUpDuringTheRestoreAndIsGivenRoomGoesOn) {
  std::string disk = source().top + "/disk";
  fs::create_directories(disk);
  if (mount("none", disk.c_str(), "tmpfs", 0, "size=700m") != 0) GTEST_SKIP() << "no file system can be mounted here";
  folder = disk + "/into";
  {
    // As soon as files are copied, somebody else takes all the room there is.
    std::jthread other([&](const std::stop_token& stop) {
      while (!stop.stop_requested() && !fs::exists(folder + "/data"))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      // What is started meanwhile must not hold it open.
      int ballast = open((disk + "/ballast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      std::string piece(1 << 20, 'x');
      while (!stop.stop_requested() && write(ballast, piece.data(), piece.size()) > 0) continue;
      close(ballast);
    });
    auto refused = restore_latest();
    EXPECT_FALSE(refused);
    if (!refused) EXPECT_NE(refused.error().text().find("space"), std::string::npos) << refused.error().text();
  }
  fs::remove(disk + "/ballast");
  auto again = restore_latest();
  EXPECT_TRUE(again) << (again ? "" : again.error().text());
  if (again) EXPECT_EQ(BusySource::ids(folder).size(), source().ledger.size());
  BusySource::clear(folder);
  umount(disk.c_str());
}

class EncryptedRepository : public RepositoryFault {};

TEST_P(EncryptedRepository, ThatIsWholeIsFoundWholeAndRestored) {
  VerifyReport found = verify();
  EXPECT_FALSE(found.damaged) << found.text;
  auto restored = restore_latest();
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(BusySource::ids(folder).size(), source().ledger.size());
}

TEST_P(EncryptedRepository, AKeyThatIsNotTheRightOneAnyMore) {
  size_t before = print_of(repository);
  auto refused = restore_latest("another key");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("key"), std::string::npos) << refused.error().text();
  EXPECT_EQ(print_of(repository), before);
  EXPECT_FALSE(fs::exists(folder + "/data"));
}

INSTANTIATE_TEST_SUITE_P(That, OneRepository, testing::Values(Stored::compressed));
INSTANTIATE_TEST_SUITE_P(That, EncryptedRepository, testing::Values(Stored::encrypted));
INSTANTIATE_TEST_SUITE_P(Each, RepositoryFault, testing::Values(Stored::compressed, Stored::plain),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace lifeboat::recovery
