#include "agent/repository_guard.hpp"

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

class RepositoryGuarded : public testing::Test {
 protected:
  std::string folder;
  const passwd* user = getpwnam("nobody");

  void SetUp() override {
    if (geteuid() != 0 || user == nullptr) GTEST_SKIP() << "needs root and a user 'nobody'";
    char name[] = "/tmp/lifeboat-guard-XXXXXX";
    folder = mkdtemp(name);
    chmod(folder.c_str(), 0755);
  }
  void TearDown() override {
    if (!folder.empty()) fs::remove_all(folder);
  }
  std::string repo(const std::string& path) const { return folder + "/repo/" + path; }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(repo(path)).parent_path());
    std::ofstream(repo(path)) << text;
    for (fs::path at = repo(path); at != fs::path(folder) / "repo"; at = at.parent_path()) {
      struct stat about{};
      if (lstat(at.c_str(), &about) == 0 && (S_ISREG(about.st_mode) || (about.st_mode & S_ISVTX) == 0))
        EXPECT_EQ(lchown(at.c_str(), user->pw_uid, user->pw_gid), 0);
    }
  }
  std::unique_ptr<RepositoryGuard> guard() const {
    return std::make_unique<RepositoryGuard>(folder + "/repo", "main", folder + "/keep", "nobody");
  }

  // What the repository's user could do; true when it did.
  bool as_user(const std::function<bool()>& what) const {
    pid_t child = fork();
    if (child == 0) {
      bool went = become_user() && what();
      _exit(went ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  bool become_user() const {
    return setgroups(0, nullptr) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0;
  }
};

TEST_F(RepositoryGuarded, WhatIsFinishedCannotBeRemovedChangedOrMovedByItsUser) {
  put("backup/main/1F/backup.manifest", "m");
  put("archive/main/15-1/0000000100000000/000000010000000000000001-aa.gz", "wal");
  auto keeper = guard();
  ASSERT_TRUE(keeper->prepare());
  std::string wal = repo("archive/main/15-1/0000000100000000/000000010000000000000001-aa.gz");
  EXPECT_FALSE(as_user([&] { return unlink(wal.c_str()) == 0; }));
  EXPECT_FALSE(as_user([&] { return truncate(wal.c_str(), 0) == 0; }));
  EXPECT_FALSE(as_user([&] { return rename(wal.c_str(), (wal + "x").c_str()) == 0; }));
  EXPECT_FALSE(as_user([&] { return rename(repo("archive").c_str(), repo("gone").c_str()) == 0; }));
  EXPECT_FALSE(as_user([&] { return chmod(wal.c_str(), 0666) == 0; }));
  EXPECT_TRUE(as_user([&] { return access(wal.c_str(), R_OK) == 0; }));
}

TEST_F(RepositoryGuarded, MoreCanBeAddedAndIsGuardedAtTheNextLook) {
  auto keeper = guard();
  put("archive/main/15-1/0000000100000000/a.gz", "1");
  ASSERT_TRUE(keeper->prepare());
  std::string later = repo("archive/main/15-1/0000000100000000/b.gz");
  EXPECT_TRUE(as_user([&] { return std::ofstream(later).good(); }));
  EXPECT_TRUE(as_user([&] { return mkdir(repo("archive/main/15-1/0000000200000000").c_str(), 0750) == 0; }));
  EXPECT_EQ(*keeper->protect(), 1);
  EXPECT_EQ(*keeper->protect(), 0);
  EXPECT_FALSE(as_user([&] { return unlink(later.c_str()) == 0; }));
}

TEST_F(RepositoryGuarded, ABackupThatIsNotWholeIsLeftToWhoMakesIt) {
  put("backup/main/2F/pg_data/a.zst", "1");
  auto keeper = guard();
  ASSERT_TRUE(keeper->prepare());
  EXPECT_TRUE(as_user([&] { return unlink(repo("backup/main/2F/pg_data/a.zst").c_str()) == 0; }));
  EXPECT_TRUE(keeper->whole_backups().empty());
}

TEST_F(RepositoryGuarded, NothingOutsideIsTouchedThroughALink) {
  std::string outside = folder + "/outside";
  std::ofstream(outside) << "x";
  chmod(outside.c_str(), 0600);
  ASSERT_EQ(chown(outside.c_str(), user->pw_uid, user->pw_gid), 0);
  put("archive/main/15-1/x/a.gz", "1");
  fs::create_symlink(outside, repo("archive/main/15-1/x/link.gz"));
  fs::create_hard_link(outside, repo("archive/main/15-1/x/second-name.gz"));
  ASSERT_TRUE(guard()->prepare());
  struct stat about{};
  ASSERT_EQ(stat(outside.c_str(), &about), 0);
  EXPECT_EQ(about.st_uid, user->pw_uid);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
}

TEST_F(RepositoryGuarded, IndexFilesThatWereTakenAwayOrChangedArePutBack) {
  for (const char* file : {"backup/main/backup.info", "backup/main/backup.info.copy"}) put(file, "index");
  auto keeper = guard();
  ASSERT_TRUE(keeper->prepare());
  ASSERT_TRUE(keeper->remember());
  EXPECT_FALSE(keeper->lacks_an_index());
  EXPECT_TRUE(as_user([&] { return unlink(repo("backup/main/backup.info").c_str()) == 0; }));
  EXPECT_TRUE(keeper->lacks_an_index());
  EXPECT_EQ(*keeper->put_back(false), (std::vector<std::string>{"backup.info"}));
  EXPECT_FALSE(keeper->lacks_an_index());
  EXPECT_EQ(*read_file(repo("backup/main/backup.info")), "index");
  put("backup/main/backup.info.copy", "other");
  EXPECT_TRUE(keeper->put_back(false)->empty());
  EXPECT_EQ(*keeper->put_back(true), (std::vector<std::string>{"backup.info.copy"}));
  EXPECT_TRUE(as_user([&] { return std::ofstream(repo("backup/main/backup.info"), std::ios::app).good(); }));
}

}  // namespace
}  // namespace lifeboat
