#include "recovery/remove_copy.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

class RemoveCopy : public testing::Test {
 protected:
  std::string top;
  RestoreFolder folder;

  void SetUp() override {
    char made[] = "/tmp/lifeboat-remove-XXXXXX";
    ASSERT_NE(mkdtemp(made), nullptr);
    top = made;
    folder.path = top + "/undo";
    put(folder.data() + "/PG_VERSION");
    put(folder.data() + "/base/1/1259");
    put(folder.tablespaces() + "/16385/PG_17/1/1259");
    put(folder.server_log());
    ASSERT_TRUE(write_journal(folder, {.state = FolderState::done, .system_id = "77"}));
  }
  void TearDown() override { fs::remove_all(top); }
  static void put(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "17";
  }
};

TEST_F(RemoveCopy, EverythingGoesAndNothingElse) {
  put(top + "/undo-2/data/PG_VERSION");
  auto removed = remove_copy(folder, true);
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_FALSE(fs::exists(folder.path));
  EXPECT_FALSE(fs::exists(folder.path + ".going"));
  EXPECT_TRUE(fs::exists(top + "/undo-2/data/PG_VERSION"));
}

TEST_F(RemoveCopy, WhatAMemberHasTakenMeanwhileIsLeftWithItsTablespaces) {
  fs::rename(folder.data(), top + "/member");
  auto removed = remove_copy(folder, true);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, ErrorKind::conflict);
  EXPECT_TRUE(fs::exists(folder.tablespaces() + "/16385/PG_17/1/1259"));
  EXPECT_TRUE(fs::exists(top + "/member/PG_VERSION"));
}

TEST_F(RemoveCopy, OneThatWasHalfRemovedGoesToo) {
  fs::rename(folder.data(), folder.path + ".going");
  auto removed = remove_copy(folder, false);
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_TRUE(fs::is_empty(top));
  EXPECT_TRUE(remove_copy(folder, false)) << "there is nothing left to do";
}

}  // namespace
}  // namespace lifeboat::recovery
