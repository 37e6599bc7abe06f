// What only the SQLite store has: one file that can be tampered with, locked and cut off by a kill.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "store/store.hpp"

namespace lifeboat {
namespace {

using ::testing::HasSubstr;

template <class T>
T wait(asio::io_context& context, Task<T> task) {
  std::optional<T> out;
  asio::co_spawn(context, std::move(task), [&](std::exception_ptr, T value) { out.emplace(std::move(value)); });
  context.restart();
  context.run();
  return std::move(*out);
}

class SqliteStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "lifeboat-sqlite-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/journal.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void fill(int events) {
    auto store = open_sqlite_store(path_);
    ASSERT_TRUE(store) << store.error().text();
    asio::io_context context;
    for (int number = 1; number <= events; ++number) {
      std::vector<NewEvent> one{{"run/R-1", "step", JsonObject{{"n", number}}}};
      ASSERT_TRUE(wait(context, (*store)->append(std::move(one))));
    }
  }
  // As somebody with write access to the file would.
  void tamper(const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    char* problem = nullptr;
    int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &problem);
    std::string text = problem == nullptr ? "" : problem;
    sqlite3_free(problem);
    sqlite3_close(handle);
    ASSERT_EQ(code, SQLITE_OK) << sql << ": " << text;
  }
  std::string text_of(const std::string& sql) {
    sqlite3* handle = nullptr;
    sqlite3_open(path_.c_str(), &handle);
    std::string out;
    sqlite3_exec(
        handle, sql.c_str(),
        [](void* to, int, char** values, char**) {
          *static_cast<std::string*>(to) = values[0] == nullptr ? "" : values[0];
          return 0;
        },
        &out, nullptr);
    sqlite3_close(handle);
    return out;
  }
  ChainReport verify() {
    auto store = open_sqlite_store(path_);
    if (!store) return {.reason = store.error().text()};
    asio::io_context context;
    auto report = wait(context, (*store)->verify());
    return report ? *report : ChainReport{.reason = report.error().text()};
  }

  std::string folder_;
  std::string path_;
};

TEST_F(SqliteStoreTest, ShowsEveryByteOfAnEventThatWasChanged) {
  fill(5);
  ASSERT_TRUE(verify().whole);
  for (std::string column : {"body", "hash", "stream", "kind"}) {
    std::string was = text_of("SELECT " + column + " FROM events WHERE seq = 3");
    ASSERT_FALSE(was.empty());
    for (size_t at = 0; at < was.size(); ++at) {
      std::string changed = was;
      changed[at] = changed[at] == 'x' ? 'y' : 'x';
      tamper(fmt::format("UPDATE events SET {} = '{}' WHERE seq = 3", column, changed));
      auto report = verify();
      EXPECT_FALSE(report.whole) << column << " byte " << at;
      EXPECT_EQ(report.broken_at, 3u) << column << " byte " << at;
    }
    tamper(fmt::format("UPDATE events SET {} = '{}' WHERE seq = 3", column, was));
    ASSERT_TRUE(verify().whole);
  }
  tamper("UPDATE events SET at = at + 1 WHERE seq = 3");
  EXPECT_EQ(verify().broken_at, 3u);
}

TEST_F(SqliteStoreTest, ShowsAnEventThatWasTakenOut) {
  fill(5);
  tamper("DELETE FROM events WHERE seq = 3");
  auto report = verify();
  EXPECT_FALSE(report.whole);
  EXPECT_EQ(report.broken_at, 3u);
  EXPECT_THAT(report.reason, HasSubstr("event 3 is missing"));
}

TEST_F(SqliteStoreTest, ShowsEventsThatWereExchangedOrMovedUp) {
  fill(5);
  tamper(
      "UPDATE events SET seq = 99 WHERE seq = 2; UPDATE events SET seq = 2 WHERE seq = 4; UPDATE events SET seq = 4 "
      "WHERE seq = 99");
  EXPECT_EQ(verify().broken_at, 2u);
  std::filesystem::remove_all(path_);
  fill(5);
  tamper(
      "DELETE FROM events WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq "
      "= 5");
  EXPECT_EQ(verify().broken_at, 3u);
}

TEST_F(SqliteStoreTest, ShowsThatEventsWereCutOffAtTheEndAlsoAfterNewOnes) {
  fill(5);
  tamper("DELETE FROM events WHERE seq > 3");
  auto report = verify();
  EXPECT_FALSE(report.whole);
  EXPECT_EQ(report.broken_at, 4u);
  fill(2);
  EXPECT_EQ(verify().broken_at, 4u);
}

TEST_F(SqliteStoreTest, ShowsAnEventThatWasAddedByHand) {
  fill(3);
  tamper("INSERT INTO events SELECT 4, at, stream, kind, body, hash FROM events WHERE seq = 3");
  EXPECT_EQ(verify().broken_at, 4u);
}

TEST_F(SqliteStoreTest, RefusesAFileThatAnotherHasOpen) {
  auto store = open_sqlite_store(path_);
  ASSERT_TRUE(store);
  pid_t child = fork();
  if (child == 0) {
    auto second = open_sqlite_store(path_);
    _exit(!second && second.error().kind == ErrorKind::conflict ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  store->reset();
  EXPECT_TRUE(open_sqlite_store(path_));
}

TEST_F(SqliteStoreTest, RefusesAFileOfANewerVersionAndOneThatIsNoJournal) {
  fill(1);
  tamper("PRAGMA user_version=2");
  auto newer = open_sqlite_store(path_);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().kind, ErrorKind::invalid_input);
  std::string other = folder_ + "/other";
  int file = open(other.c_str(), O_CREAT | O_WRONLY, 0600);
  std::string text(8'192, 'x');
  ASSERT_EQ(write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(file);
  EXPECT_FALSE(open_sqlite_store(other));
  EXPECT_EQ(open_sqlite_store(folder_ + "/none/journal.db").error().kind, ErrorKind::not_found);
}

// What append() said to be durable is there after SIGKILL, nothing is there by halves, and the chain is whole.
TEST_F(SqliteStoreTest, LosesNothingThatItAcknowledgedWhenTheProcessIsKilled) {
  for (int round = 0; round < 4; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
      auto store = open_sqlite_store(path_);
      asio::io_context context;
      for (int number = 1; store; ++number) {
        std::vector<NewEvent> pair{{"run/R-1", "first", JsonObject{{"n", number}}},
                                   {"run/R-1", "second", JsonObject{{"n", number}}}};
        auto stored = wait(context, (*store)->append(std::move(pair)));
        uint64_t last = stored ? stored->back().seq : 0;
        if (last == 0 || write(pipe_ends[1], &last, sizeof last) != sizeof last) break;
      }
      _exit(1);
    }
    close(pipe_ends[1]);
    uint64_t acknowledged = 0;
    uint64_t last = 0;
    for (int count = 0; count < 30 + 7 * round && ::read(pipe_ends[0], &last, sizeof last) == sizeof last; ++count)
      acknowledged = last;
    kill(child, SIGKILL);
    while (::read(pipe_ends[0], &last, sizeof last) == sizeof last) acknowledged = last;
    close(pipe_ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_GT(acknowledged, 0u);
    auto report = verify();
    EXPECT_TRUE(report.whole) << report.reason;
    EXPECT_GE(report.events, acknowledged);
    EXPECT_EQ(report.events % 2, 0u) << "half of an append is there";
  }
}

}  // namespace
}  // namespace lifeboat
