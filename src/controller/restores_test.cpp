// What people order of copies, on a real journal and with agents that answer what the test says.
#include "controller/restores.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/test_restores.hpp"
#include "controller/open_store.hpp"
#include "core/data/encode.hpp"
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
      if (method == wire::RestoreList::kMethod)
        return Json(JsonObject{{"restores", copies[host]}, {"evidence", JsonArray{}}});
      if (method == wire::RestoreQuery::kMethod) return fail(ErrorKind::refused, "a page cannot be read");
      if (method != wire::RestoreBegin::kMethod) return Json(JsonObject{{"segment", "000000010000000000000007"}});
      orders.push_back(params);
      return Json(JsonObject{{"name", text_or(params, "name")},
                             {"host", host},
                             {"log_not_closed", text_or(params, "log_not_closed")},
                             {"reached", JsonObject{{"time", "2026-01-01T14:29:59Z"}}},
                             {"seconds", 4.0}});
    };
  }
  // Gives the job as it ended.
  Json restore(bool again = false, std::string what = "restore") {
    return TestWorld::run([](RestoreKeeperTest& test, bool gives_up, std::string wanted) -> Task<Json> {
      auto executor = co_await asio::this_coro::executor;
      Scope scope(executor, [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
      RestoreKeeper keeper(*test.store, test.world.world, scope);
      RestoreBody order = test.body;
      order.again = gives_up;
      auto begun = keeper.begin("orders", wanted, order);
      EXPECT_TRUE(begun) << begun.error().text();
      while (text_or(keeper.job("orders"), "state") == "running") co_await sleep_for(Duration{5});
      Json job = keeper.job("orders");
      auto stopping = scope.stop(Duration{1'000});
      co_await std::move(stopping);
      co_return job;
    }(*this, again, std::move(what)));
  }
  // What is not even begun.
  std::string refusal(const std::string& what = "restore") {
    asio::io_context loop;
    Scope scope(loop.get_executor(), [](std::string_view, std::string_view said) { ADD_FAILURE() << said; });
    auto begun = RestoreKeeper(*store, world.world, scope).begin("orders", what, body);
    return begun ? std::string() : begun.error().text();
  }

  RestoreBody body{.by = "ada", .into = "isolated", .name = "undo", .target = JsonObject{{"kind", "latest"}}};
  std::map<std::string, JsonArray> copies;  // by host
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

// Agents that are at it until they are told to end, as real ones are.
class BusyAgents final : public Agents {
 public:
  struct Call {
    std::string host, method;
    Json params;
    Duration left;
  };
  std::vector<Call> calls;
  std::vector<std::string> at_it;  // orders

  bool connected(std::string) override { return true; }
  int64_t units_up(std::string, std::string) override { return -1; }
  Task<Result<Json>> call(std::string host, std::string method, Json params, Deadline deadline, ProgressLine) override {
    calls.push_back({host, method, params, deadline.left()});
    if (method == wire::RestoreList::kMethod) co_return listed();
    if (method == wire::RestoreStop::kMethod || method == wire::EndLook::kMethod) {
      at_it.clear();
      co_return Json(JsonObject{{"name", text_or(params, "name")}, {"ended", 1}});
    }
    bool works = method == wire::RestoreBegin::kMethod || method == wire::RestoreForensics::kMethod ||
                 method == wire::RestoreCleanPoint::kMethod;
    if (!works) co_return Json(JsonObject{});
    at_it.push_back(text_or(params, "order"));
    while (!deadline.passed()) co_await sleep_for(Duration{5});
    co_return fail(ErrorKind::timed_out, "it was not done in time");
  }
  // The copy has another name than the one that was asked for: that one's data lead.
  Json listed() const {
    JsonArray restores{JsonObject{{"name", "undo"}, {"state", "adopted"}, {"wish", JsonObject{{"order", "old"}}}}};
    for (const std::string& order : at_it)
      restores.push_back(JsonObject{{"name", "undo-2"}, {"state", "running"}, {"wish", JsonObject{{"order", order}}}});
    return JsonObject{{"restores", restores}};
  }
  const Call* told(std::string_view method) const {
    auto found = std::ranges::find(calls, method, &Call::method);
    return found == calls.end() ? nullptr : &*found;
  }
};

class OrdersUnderWay : public RestoreKeeperTest {
 protected:
  BusyAgents agents;
  World busy{world.plan,      world.secrets,     world.http,          world.databases, agents, world.observers,
             world.incidents, world.credentials, world.restore_times, world.profiles,  false};

  static RestoreBody undo() {
    return {.by = "ada", .into = "isolated", .name = "undo", .target = JsonObject{{"kind", "latest"}}};
  }
  static RestoreBody look() { return {.by = "ada", .from = "2026-01-01T00:00:00Z", .to = "2026-01-01T01:00:00Z"}; }

  // Begins the orders one after the other, each when the one before is being worked at; gives all jobs as they stand when the last has ended.
  struct Order {
    std::string what;
    RestoreBody body;
  };
  std::vector<Json> play(std::vector<Order> orders) {
    return TestWorld::run([](OrdersUnderWay& test, std::vector<Order> all) -> Task<std::vector<Json>> {
      auto executor = co_await asio::this_coro::executor;
      Scope scope(executor, [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
      RestoreKeeper keeper(*test.store, test.busy, scope);
      std::vector<Json> out;
      for (const Order& order : all) {
        size_t working = test.agents.at_it.size();
        auto begun = keeper.begin("orders", order.what, order.body);
        test.refused.push_back(begun ? std::string() : begun.error().text());
        for (Deadline end = Deadline::after(Duration{5'000}); begun && !end.passed();) {
          Json job = keeper.job("orders", static_cast<uint64_t>(int_or(*begun, "number")));
          if (text_or(job, "state") != "running" || test.agents.at_it.size() > working) break;
          co_await sleep_for(Duration{2});
        }
      }
      for (uint64_t number = 1; keeper.job("orders", number).is_object(); ++number)
        out.push_back(keeper.job("orders", number));
      auto stopping = scope.stop(Duration{1'000});
      co_await std::move(stopping);
      co_return out;
    }(*this, std::move(orders)));
  }
  std::vector<std::string> journal() {
    std::vector<std::string> out;
    auto events = TestWorld::run(store->read({}));
    for (const StoredEvent& event : *events) out.push_back(event.kind + ": " + text_or(event.body, "text"));
    return out;
  }
  std::vector<std::string> refused;
};

TEST_F(OrdersUnderWay, AStopEndsARestoreHereAndOnItsHost) {
  std::vector<Json> jobs = play({{"restore", undo()}, {"stop", {.by = "bob", .name = "undo", .remove = true}}});
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(refused[1], "");
  EXPECT_EQ(text_or(jobs[0], "state"), "failed");
  EXPECT_EQ(text_or(jobs[0], "error_kind"), to_string(ErrorKind::cancelled));
  EXPECT_THAT(text_or(jobs[0], "error"), HasSubstr("it was ended by bob"));
  EXPECT_EQ(text_or(jobs[1], "state"), "done") << to_text(jobs[1]);
  const BusyAgents::Call* stopped = agents.told(wire::RestoreStop::kMethod);
  ASSERT_NE(stopped, nullptr);
  EXPECT_EQ(stopped->host, agents.told(wire::RestoreBegin::kMethod)->host);
  EXPECT_EQ(text_or(stopped->params, "name"), "undo-2") << "the one that was made for this order";
  EXPECT_TRUE(bool_or(stopped->params, "remove"));
  EXPECT_THAT(journal(), Contains(HasSubstr("restore-failed: it was ended by bob")));
}

TEST_F(OrdersUnderWay, ALookBarsNoRestoreAndIsEndedByItsKind) {
  std::vector<Json> jobs = play({{"clean-point", look()},
                                 {"clean-point", look()},
                                 {"restore", undo()},
                                 {"stop", {.by = "bob", .name = "clean-point"}}});
  EXPECT_THAT(refused[1], HasSubstr("lifeboat restores stop orders clean-point"));
  EXPECT_EQ(refused[2], "");
  ASSERT_EQ(jobs.size(), 3u);
  EXPECT_EQ(text_or(jobs[0], "error_kind"), to_string(ErrorKind::cancelled));
  EXPECT_EQ(text_or(jobs[1], "state"), "running") << "somebody else's";
  const BusyAgents::Call* ended = agents.told(wire::EndLook::kMethod);
  ASSERT_NE(ended, nullptr);
  EXPECT_EQ(text_or(ended->params, "order"), text_or(agents.told(wire::RestoreCleanPoint::kMethod)->params, "order"));
  EXPECT_NE(text_or(ended->params, "order"), "");
  EXPECT_EQ(agents.told(wire::RestoreStop::kMethod), nullptr);
}

TEST_F(OrdersUnderWay, ALookThatAnEarlierControllerOrderedIsEndedWhereverItIs) {
  std::vector<Json> jobs = play({{"stop", {.by = "bob", .name = "forensics"}}});
  EXPECT_EQ(text_or(jobs[0], "state"), "done") << to_text(jobs[0]);
  EXPECT_EQ(std::ranges::count(agents.calls, wire::EndLook::kMethod, &BusyAgents::Call::method), 3)
      << "both members' hosts and the repository's";
}

TEST_F(OrdersUnderWay, ThePersonsBoundReachesTheHost) {
  RestoreBody bounded = undo();
  bounded.within_ms = 200'000;
  bounded.repository = 0;
  RestoreBody seen = look();
  seen.within_ms = 90'000;
  (void)play({{"restore", bounded}, {"forensics", seen}});
  EXPECT_EQ(int_or(agents.told(wire::RestoreBegin::kMethod)->params, "within_ms"), 200'000);
  EXPECT_GT(agents.told(wire::RestoreBegin::kMethod)->left, Duration{200'000}) << "it is the host that gives up";
  EXPECT_LE(agents.told(wire::RestoreForensics::kMethod)->left, Duration{90'000});
  EXPECT_FALSE(agents.told(wire::RestoreBegin::kMethod)->params.as_object().contains("repository"));
}

TEST_F(RestoreKeeperTest, ASecondRepositoryIsOnlyAskedForWhereThePlanHasOne) {
  body.repository = 2;
  EXPECT_THAT(refusal(), HasSubstr("no repository 2"));
  std::get<PostgresService>(*world.plan.services.find("orders")).backups->second = SecondRepository{.path = "more"};
  (void)restore();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(int_or(orders[0], "repository"), 2);
}

// The primary is lost and unheard: an archive that ends with a whole segment looks complete.
TEST_F(RestoreKeeperTest, ToTheLatestOfALogThatCouldNotBeClosedSaysSoAndReplacesNothing) {
  world.databases.views["orders"].members[0].connected = false;
  world.databases.views["orders"].writable = false;
  EXPECT_EQ(text_or(restore(), "state"), "done");
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_THAT(text_or(orders[0], "log_not_closed"), HasSubstr("one may"));
  body.into = "replace";
  body.yes = true;
  Json job = restore();
  EXPECT_EQ(text_or(job, "state"), "failed");
  EXPECT_THAT(text_or(job, "hint"), HasSubstr("--accept-gap"));
  EXPECT_EQ(orders.size(), 1u) << "it is refused before anything is done";
  body.accept_gap = true;
  (void)restore();
  EXPECT_EQ(orders.size(), 2u);
  // A moment is read back from the log.
  body.into = "isolated";
  body.target = JsonObject{{"kind", "time"}, {"time", "2026-01-01T14:30:00Z"}};
  (void)restore();
  EXPECT_EQ(text_or(orders.back(), "log_not_closed"), "");
}

TEST_F(RestoreKeeperTest, ACopyWhoseDataCannotBeLookedAtTakesNobodysPlaceUnlessItIsSaid) {
  std::string moved;
  world.databases.on_call = [&](std::string verb, std::string, std::string) -> Result<Json> {
    if (moved.empty()) moved = verb;
    return Json(JsonObject{{"timeline", 3}, {"member", "two"}});
  };
  body.into = "replace";
  body.yes = true;
  copies["db-2"] = {JsonObject{{"name", "undo"}, {"state", "done"}, {"restored", JsonObject{{"seconds", 4}}}}};
  Json job = restore();
  EXPECT_EQ(text_or(job, "state"), "failed");
  EXPECT_THAT(text_or(job, "error"), HasSubstr("is not put in place"));
  EXPECT_THAT(text_or(job, "error"), HasSubstr("a page cannot be read"));
  EXPECT_THAT(text_or(job, "hint"), HasSubstr("lifeboat restores adopt orders undo --yes --unchecked"));
  EXPECT_EQ(moved, "");
  body.unchecked = true;
  job = restore();
  EXPECT_EQ(text_or(job, "state"), "done") << to_text(job);
  EXPECT_EQ(moved, "put-back undo");
}

TEST_F(RestoreKeeperTest, AFinishedCopyIsAdoptedByTheMemberOnItsHost) {
  std::string moved;
  world.databases.on_call = [&](std::string verb, std::string, std::string to) -> Result<Json> {
    if (moved.empty()) moved = verb + " at " + to;
    return Json(JsonObject{{"timeline", 3}, {"member", to}});
  };
  body.yes = body.unchecked = true;
  EXPECT_THAT(text_or(restore(false, "adopt"), "error"), HasSubstr("no member's host has a finished restore 'undo'"));
  copies["db-2"] = {JsonObject{{"name", "undo"},
                               {"state", "done"},
                               {"restored", JsonObject{{"seconds", 4}, {"log_not_closed", "one may write"}}}}};
  EXPECT_THAT(text_or(restore(false, "adopt"), "error"), HasSubstr("one may write")) << "not known to be the latest";
  EXPECT_EQ(moved, "");
  body.accept_gap = true;
  Json job = restore(false, "adopt");
  EXPECT_EQ(text_or(job, "state"), "done") << to_text(job);
  EXPECT_EQ(moved, "put-back undo at two");
  body.yes = false;
  EXPECT_THAT(refusal("adopt"), HasSubstr("would be given up"));
}

}  // namespace
}  // namespace lifeboat
