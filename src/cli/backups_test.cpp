// What is printed of the backups of a database.
#include "cli/backups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

namespace lifeboat::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

JsonObject calm() {
  return {{"repository", "backup-eu"},
          {"backups", 2},
          {"newest", "20261129-020000F"},
          {"oldest_at", "2026-11-22T02:00:00Z"},
          {"restorable_to", "2026-11-29T12:34:56Z"},
          {"archive_waiting", 0},
          {"archive_lag_ms", 0},
          {"loss_ms", 250},
          {"rpo_ms", 300'000},
          {"trouble", ""}};
}
std::string printed(const JsonObject& status) {
  testing::internal::CaptureStdout();
  print_backup_status("database", status);
  std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

TEST(BackupStatus, SaysFromWhenToWhenCanBeRestoredAndNothingOfWhatIsWell) {
  std::string text = printed(calm());
  EXPECT_THAT(text, HasSubstr("restorable from 2026-11-22 02:00:00"));
  EXPECT_THAT(text, HasSubstr(" to 2026-11-29 12:34:56"));
  EXPECT_THAT(text, Not(testing::AnyOf(HasSubstr("wait"), HasSubstr("TROUBLE"), HasSubstr("last"))));
}

TEST(BackupStatus, SaysWhatWaitsAndWhyBeforeItIsTrouble) {
  JsonObject status = calm();
  status["archive_waiting"] = 7;
  status["archive_lag_ms"] = 90'000;
  status["archive_failed"] = "the certificate has expired";
  status["unread"] = "the store does not answer";
  status["unfilled"] = "no space is left";
  std::string text = printed(status);
  for (const char* part : {"7 finished segments of WAL wait to be archived, the oldest for 1 min 30 s",
                           "the certificate has expired", "the store does not answer", "no space is left"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(BackupStatus, SaysNothingTwice) {
  JsonObject status = calm();
  status["problem"] = "no key";
  status["trouble"] = "db-east-1 cannot archive: no key";
  std::string text = printed(status);
  EXPECT_EQ(text.find("no key"), text.rfind("no key")) << text;
}

}  // namespace
}  // namespace lifeboat::cli
