#include "agent/archive_spool.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

class ArchiveSpoolTest : public testing::Test {
 protected:
  std::string folder;
  ArchiveSpool spool;
  MonoTime now{};

  void SetUp() override {
    char name[] = "/tmp/lifeboat-spool-XXXXXX";
    folder = mkdtemp(name);
    fs::create_directories(out());
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string out() const { return folder + "/archive/m/out"; }
  void put(const std::string& name, const std::string& text) const { std::ofstream(out() + "/" + name) << text; }
  std::string after(Duration span, bool waits = true) {
    now += span;
    return spool.look(folder, "m", waits, now);
  }
};

// As 2.45 writes it when the repository's host refuses the connection.
TEST_F(ArchiveSpoolTest, SaysWhatArchivingRanIntoOnOneLine) {
  EXPECT_EQ(after(Duration{1'000}), "");
  put("000000010000000000000001.ok", "");
  put("global.error",
      "103\nunable to find a valid repository:\nrepo1: [HostConnectError] unable to connect to '10.0.0.1:8432'");
  EXPECT_EQ(after(Duration{1'000}),
            "unable to find a valid repository: repo1: [HostConnectError] unable to connect to '10.0.0.1:8432'");
  EXPECT_EQ(after(Duration{1'000}, false), "") << "nothing waits: it has succeeded since";
}

TEST_F(ArchiveSpoolTest, KeepsItWhileArchivingIsTriedAgainAndNotForEver) {
  put("000000010000000000000001.error", "39\nthe certificate has expired");
  ASSERT_NE(after(Duration{1'000}), "");
  fs::remove(out() + "/000000010000000000000001.error");
  EXPECT_EQ(after(Duration{100'000}), "the certificate has expired");
  EXPECT_EQ(after(Duration{30'000}), "");
}

TEST_F(ArchiveSpoolTest, OfAnUnfinishedOrMissingFileSaysNothing) {
  put("global.error", "");
  EXPECT_EQ(after(Duration{1'000}), "");
  put("global.error", "103");
  EXPECT_EQ(after(Duration{1'000}), "");
  fs::remove_all(folder + "/archive");
  EXPECT_EQ(after(Duration{1'000}), "");
}

}  // namespace
}  // namespace lifeboat
