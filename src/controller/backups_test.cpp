// What is known of backups from what agents say, on a real journal. No agent answers an order here.
#include "controller/backups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/test_world.hpp"
#include "agent/protocol.hpp"
#include "controller/open_store.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;

class BackupKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_sqlite_store((world.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store = std::move(*opened);
    world.add_host("db", "east", "127.0.0.1");
    world.add_host("backup-eu", "eu", "127.0.0.2");
    PostgresService service;
    service.members.add("east-1", PostgresMember{.host = {"db"}});
    service.backups = Backups{.repository_host = Identifier{"backup-eu"}, .repository_path = "backups"};
    world.plan.services.add("database", service);
    world.plan.objectives.rpo = Duration{300'000};
    world.databases.views["database"] = {.service = "database", .term = 1, .holder = "east-1", .writable = true};
    repository.ready = true;
    repository.newest = "20261129-020000F";
    archive.stream_bytes = archive.stream_ms = 0;
  }
  // After both agents have reported once.
  Json status() {
    return TestWorld::run([](BackupKeeperTest& test) -> Task<Json> {
      auto executor = co_await asio::this_coro::executor;
      Scope scope(executor, [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
      AgentHub hub(executor, test.world.secrets, {"db", "backup-eu"}, {});
      BackupKeeper keeper(*test.store, test.world.plan, hub, test.world.databases, scope);
      wire::Report member, host;
      member.archives.add("database", test.archive);
      host.repositories.add("database", test.repository);
      keeper.agent_said("db", std::string(wire::Report::kType), encode(member));
      keeper.agent_said("backup-eu", std::string(wire::Report::kType), encode(host));
      Json said = keeper.status("database");
      auto stopping = scope.stop(Duration{1'000});
      co_await std::move(stopping);
      co_return said;
    }(*this));
  }

  TestWorld world;
  std::unique_ptr<Store> store;
  wire::ArchiveReport archive;
  wire::RepositoryReport repository;
};

TEST_F(BackupKeeperTest, TheStatusSaysUpToWhichMomentCanBeRestored) {
  repository.oldest_at = "2026-11-22T02:00:00Z";
  repository.restorable_to = "2026-11-29T12:34:56Z";
  Json said = status();
  EXPECT_EQ(text_or(said, "restorable_to"), "2026-11-29T12:34:56Z");
  EXPECT_EQ(text_or(said, "trouble"), "") << to_text(said);
}

TEST_F(BackupKeeperTest, TheStatusSaysWhatWaitsAndWhyBeforeItIsTrouble) {
  archive.waiting = 4;
  archive.waiting_ms = 20'000;
  archive.failed = "the certificate has expired";
  repository.unread = "the store does not answer";
  repository.unread_ms = 15'000;
  repository.unfilled = "no space is left";
  Json said = status();
  EXPECT_EQ(int_or(said, "archive_waiting"), 4);
  EXPECT_EQ(int_or(said, "archive_lag_ms"), 20'000);
  EXPECT_EQ(text_or(said, "archive_failed"), "the certificate has expired");
  EXPECT_EQ(text_or(said, "unread"), "the store does not answer");
  EXPECT_EQ(text_or(said, "unfilled"), "no space is left");
  EXPECT_EQ(text_or(said, "trouble"), "");
}

TEST_F(BackupKeeperTest, ARepositoryThatCannotBeReadForLongIsTroubleThoughTheStreamIsHealthy) {
  repository.unread = "the store does not answer";
  repository.unread_ms = 600'000;
  Json said = status();
  EXPECT_EQ(int_or(said, "loss_ms", -1), 0);
  EXPECT_THAT(text_or(said, "trouble"), HasSubstr("the store does not answer"));
}

}  // namespace
}  // namespace lifeboat
