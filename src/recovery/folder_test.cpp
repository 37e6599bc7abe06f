#include "recovery/folder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

class Folders : public testing::Test {
 protected:
  std::string top;
  RestoreFolder folder;

  void SetUp() override {
    char made[] = "/tmp/lifeboat-folder-XXXXXX";
    ASSERT_NE(mkdtemp(made), nullptr);
    top = made;
    folder.path = top + "/into";
  }
  void TearDown() override { fs::remove_all(top); }
  Result<Claim> claim(bool again = false, const std::string& system_id = "77") {
    return claim_folder(folder, "/bin/true", system_id, again);
  }
  void journal(FolderState state, const std::string& system_id = "77") {
    ASSERT_TRUE(write_journal(folder, {.state = state, .system_id = system_id, .target = "noon"}));
  }
};

TEST_F(Folders, AnEmptyOneIsTakenAndMarked) {
  fs::create_directories(folder.path);
  auto claimed = claim();
  ASSERT_TRUE(claimed) << claimed.error().text();
  EXPECT_FALSE(claimed->take_up);
  EXPECT_TRUE(fs::exists(folder.journal()));
  EXPECT_EQ(fs::status(folder.data()).permissions(), fs::perms::owner_all);
}

TEST_F(Folders, OneThatHoldsSomethingElseIsLeftAsItIs) {
  fs::create_directories(folder.path);
  std::ofstream(folder.path + "/precious") << "data";
  EXPECT_FALSE(claim());
  EXPECT_FALSE(claim(true)) << "giving up a restore is not giving up what is no restore";
  EXPECT_TRUE(fs::exists(folder.path + "/precious"));
  EXPECT_FALSE(fs::exists(folder.journal()));
}

TEST_F(Folders, ATryThatWasCutOffIsTakenUpWhereItHasFiles) {
  ASSERT_TRUE(claim());
  std::ofstream(folder.data() + "/half") << "x";
  std::string tablespace = folder.tablespaces() + "/side/PG_15_202209061";
  fs::create_directories(tablespace);
  auto nothing_whole = claim();
  ASSERT_TRUE(nothing_whole);
  EXPECT_FALSE(nothing_whole->take_up) << "nothing there says what it is";
  EXPECT_FALSE(fs::exists(folder.data() + "/half"));
  EXPECT_FALSE(fs::exists(tablespace));
  std::ofstream(folder.data() + "/backup.manifest") << "x";
  fs::create_directories(tablespace);
  EXPECT_TRUE(claim()->take_up);
  EXPECT_TRUE(fs::exists(tablespace));
}

TEST_F(Folders, AFinishedRestoreIsGivenUpOnlyWhenThatIsSaid) {
  ASSERT_TRUE(claim());
  journal(FolderState::done);
  auto refused = claim();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
  EXPECT_TRUE(claim(true));
}

TEST_F(Folders, OfAnotherClusterAreRefused) {
  ASSERT_TRUE(claim());
  EXPECT_FALSE(claim(true, "78"));
}

TEST_F(Folders, WhatIsThereTakesRoom) {
  EXPECT_EQ(used_bytes(folder.path + "/nowhere"), 0u);
  ASSERT_TRUE(claim());
  uint64_t before = used_bytes(folder.path);
  std::ofstream(folder.data() + "/file") << std::string(100'000, 'x');
  fs::create_symlink(folder.data() + "/file", folder.data() + "/link");
  uint64_t grown = used_bytes(folder.path) - before;
  EXPECT_GE(grown, 100'000u);
  EXPECT_LT(grown, 200'000u) << "what a link leads to is counted once";
}

}  // namespace
}  // namespace lifeboat::recovery
