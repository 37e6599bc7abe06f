// What people order of copies, on a real journal and with agents that answer what the test says.
#include "controller/restores.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/test_restores.hpp"
#include "controller/open_store.hpp"
#include "core/ownership/messages.hpp"

namespace lifeboat {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;

class RestoreKeeperTest : public RestoresTest {
 protected:
  void SetUp() override {
    auto opened = open_sqlite_store((world.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store = std::move(*opened);
    world.agents.on_call = [this](std::string host, std::string method, Json params) -> Result<Json> {
      if (method != wire::RestoreBegin::kMethod) return Json(JsonObject{{"segment", "000000010000000000000007"}});
      orders.push_back(params);
      return Json(JsonObject{{"name", text_or(params, "name")},
                             {"host", host},
                             {"reached", JsonObject{{"time", "2026-01-01T14:29:59Z"}}},
                             {"seconds", 4.0}});
    };
  }
  // Gives the job as it ended.
  Json restore(bool again = false) {
    return TestWorld::run([](RestoreKeeperTest& test, bool gives_up) -> Task<Json> {
      auto executor = co_await asio::this_coro::executor;
      Scope scope(executor, [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
      RestoreKeeper keeper(*test.store, test.world.world, scope);
      RestoreBody body{.by = "ada", .into = "isolated", .name = "undo", .target = JsonObject{{"kind", "latest"}}};
      body.again = gives_up;
      auto begun = keeper.begin("orders", "restore", body);
      EXPECT_TRUE(begun) << begun.error().text();
      while (text_or(keeper.job("orders"), "state") == "running") co_await sleep_for(Duration{5});
      Json job = keeper.job("orders");
      auto stopping = scope.stop(Duration{1'000});
      co_await std::move(stopping);
      co_return job;
    }(*this, again));
  }

  std::unique_ptr<Store> store;
  std::vector<Json> orders;
};

TEST_F(RestoreKeeperTest, TheJournalSaysUpToWhichCommitItWasRestored) {
  Json job = restore();
  EXPECT_EQ(text_or(job, "state"), "done") << to_text(job);
  EXPECT_THAT(text_or(job, "progress"), HasSubstr("last commit 2026-01-01T14:29:59Z"));
  auto events = TestWorld::run(store->read({}));
  ASSERT_TRUE(events);
  std::vector<std::string> texts;
  for (const StoredEvent& event : *events) texts.push_back(text_or(event.body, "text"));
  EXPECT_THAT(texts, Contains(HasSubstr("last commit 2026-01-01T14:29:59Z")));
}

TEST_F(RestoreKeeperTest, EachOrderIsOneOfItsOwnAndGivesUpAnOlderCopyOnlyWhenTold) {
  (void)restore();
  (void)restore(true);
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_THAT(text_or(orders[0], "order"), StartsWith("ada at "));
  EXPECT_NE(text_or(orders[0], "order"), text_or(orders[1], "order"));
  EXPECT_FALSE(bool_or(orders[0], "again"));
  EXPECT_TRUE(bool_or(orders[1], "again"));
}

}  // namespace
}  // namespace lifeboat
