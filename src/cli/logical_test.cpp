#include "cli/logical.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/exit_codes.hpp"

namespace lifeboat::cli {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

bool means(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return means_logical_backup(argv);
}

TEST(RestoreByDate, IsTheLoadOfALogicalBackup) {
  EXPECT_TRUE(means({"lifeboat", "restore", "--backup-date", "2024-01-01_020000", "--target-host", "db"}));
  EXPECT_TRUE(means({"lifeboat", "restore", "--target-host=db", "--backup-date=2024-01-01_020000"}));
  EXPECT_FALSE(means({"lifeboat", "restore", "database", "--latest", "--into", "isolated"}));
  EXPECT_FALSE(means({"lifeboat", "restores", "list", "--backup-date", "x"}));
  EXPECT_FALSE(means({"lifeboat", "restore", "--backup-dates", "x"}));
  EXPECT_FALSE(means({"lifeboat", "restore"}));
  EXPECT_FALSE(means({"lifeboat"}));
}

class RestoreDump : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/lifeboat-dumps-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder = name;
  }
  void TearDown() override { fs::remove_all(folder); }

  // What the command says on stderr; its exit code is in `code`.
  std::string said(std::vector<std::string> words) {
    CLI::App app;
    add_logical_commands(app, code);
    std::ranges::reverse(words);
    testing::internal::CaptureStderr();
    app.parse(words);
    return testing::internal::GetCapturedStderr();
  }
  // The smallest useful plan, with these backups of its database.
  std::string plan(const std::string& backups) {
    std::ifstream in(std::string(LIFEBOAT_SOURCE_DIR) + "/examples/postgres-pair/plan.yaml");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    std::string before = "    primary: alpha\n";
    size_t at = text.find(before);
    EXPECT_NE(at, std::string::npos);
    text.insert(at, backups);
    std::string path = folder + "/plan.yaml";
    std::ofstream(path) << text;
    return path;
  }

  std::string folder;
  int code = -1;
};

TEST_F(RestoreDump, SaysWhatIsMissing) {
  EXPECT_THAT(said({"restore-dump", "--backup-date", "2024-01-01_020000"}), HasSubstr("which place is not said"));
  EXPECT_EQ(code, kBadInput);
  EXPECT_THAT(said({"restore-dump", folder, "--latest"}), HasSubstr("which database is loaded is not said"));
  EXPECT_THAT(said({"restore-dump", folder, "--database", "shop"}), HasSubstr("which backup is not said"));
  EXPECT_THAT(said({"restore-dump", folder, "--database", "shop", "--backup-date", "yesterday"}),
              HasSubstr("it is written 2024-01-01_020000"));
}

TEST_F(RestoreDump, TakesPlaceAndDatabaseFromThePlan) {
  std::string place = folder + "/backups";
  fs::create_directory(place);
  std::ofstream(place + "/notes_full_20240101_020000.backup") << "x";
  std::string path = plan("    backups: {tool: pg_dump, dumps: {to: " + place + "}}\n");
  // Another day, so that what is there is named and nothing is loaded.
  EXPECT_THAT(
      said({"restore-dump", "--plan", path, "--backup-date", "2024-01-02_020000", "--target-host", "127.0.0.1"}),
      HasSubstr("the nearest before it is 2024-01-01_020000 of notes"));
  EXPECT_THAT(said({"restore-dump", "--plan", path, "--latest", "--service", "other"}),
              HasSubstr("the plan has no logical backups"));
  EXPECT_THAT(said({"restore-dump", "--plan", plan(""), "--latest"}), HasSubstr("the plan has no logical backups"));
}

}  // namespace
}  // namespace lifeboat::cli
