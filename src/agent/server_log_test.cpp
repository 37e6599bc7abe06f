#include "agent/server_log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

const std::string kLine = "t [1] WARNING:  canceling wait for synchronous replication due to user request\n";

class ServerLog : public testing::Test {
 protected:
  ServerLog() {
    char name[] = "/tmp/lifeboat-log-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/server.log";
  }
  ~ServerLog() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  void write(const std::string& text) const { std::ofstream(path_, std::ios::app) << text; }
  int64_t news(size_t most = kLogPartMost) {
    LogNews read = read_server_log(path_, place_, most);
    place_ = read.next;
    return read.cancelled;
  }

  std::string folder_, path_;
  LogPlace place_;
};

TEST_F(ServerLog, OnlyWhatIsNewIsRead) {
  EXPECT_EQ(news(), 0) << "it is not there yet";
  write(kLine);
  place_ = end_of_log(path_);
  EXPECT_EQ(news(), 0) << "of the server before";
  write("t [1] LOG:  something\n" + kLine + kLine.substr(0, 40));
  EXPECT_EQ(news(), 1);
  EXPECT_EQ(news(), 0);
  write(kLine.substr(40));
  EXPECT_EQ(news(), 1);
}

TEST_F(ServerLog, OneThatWasCutOffOrReplacedIsBegunAnew) {
  write(kLine + kLine + kLine);
  EXPECT_EQ(news(), 3);
  fs::resize_file(path_, 0);
  write(kLine);
  EXPECT_EQ(news(), 1);
  fs::rename(path_, path_ + ".1");
  EXPECT_EQ(news(), 0);
  write(kLine + kLine);
  EXPECT_EQ(news(), 2);
}

TEST_F(ServerLog, MoreThanIsReadAtOnceIsReadInTurn) {
  std::string noise = "t [1] LOG:  " + std::string(500, 'x') + "\n";
  write(noise + kLine + noise + kLine);
  int64_t found = 0;
  for (int times = 0; times < 20; ++times) {
    int64_t before = place_.offset;
    found += news(100);
    EXPECT_LE(place_.offset - before, 100);
  }
  EXPECT_EQ(found, 2);
  EXPECT_EQ(place_.offset, static_cast<int64_t>(fs::file_size(path_)));
}

TEST_F(ServerLog, AFolderOrAPipeInItsPlaceIsNotRead) {
  fs::create_directory(path_);
  EXPECT_EQ(news(), 0);
  fs::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(news(), 0);
}

}  // namespace
}  // namespace lifeboat
