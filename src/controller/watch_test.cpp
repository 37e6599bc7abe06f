// Watch on a real journal, with a region that is one listening socket. Restarts are made by dropping it and starting a new one
// on the same journal.
#include "controller/watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/ip/tcp.hpp>

#include "actions/test_world.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "plan/yaml.hpp"

namespace lifeboat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using tcp = asio::ip::tcp;

constexpr const char* kPlan = R"(
plan: three-sites
document: {version: "1", owner: tests}
objectives: {rto: 1h, rpo: 1m}
regions: {north: {role: primary}, south: {role: secondary}, west: {role: tertiary}}
hosts:
  web: {region: north, address: 127.0.0.1}
  observer: {region: south, agent: true}
  control: {region: west, controller: true}
services:
  shop: {kind: http, instances: {north: {host: web, port: PORT, count: 1}}}
signals:
  region-failure: {kind: region-lost, for: 150ms, every: 30ms, within: 200ms, quorum: 1}
decision_matrix:
  region-failure: {automatic: failover}
scenarios:
  failover: {title: North is lost, applies_to: [north], phases: {}}
)";
constexpr const char* kCause = "region-failure/north";

// One life of a controller's watch.
struct Life {
  Life(asio::io_context& context, TestWorld& world, Store& store, Watch::Hooks hooks)
      : scope(context.get_executor(),
              [](std::string_view task, std::string_view what) { ADD_FAILURE() << task << what; }),
        hub(context.get_executor(), world.secrets, {"observer"}, {}),
        databases(context.get_executor(), store, world.plan, hub, scope, {}),
        watch(context.get_executor(), store, world.plan, world.http, databases, "control", scope, std::move(hooks)) {}
  Scope scope;
  AgentHub hub;
  DatabaseKeeper databases;
  Watch watch;
};

class WatchTest : public ::testing::Test {
 protected:
  virtual std::string plan_text() const { return kPlan; }
  void SetUp() override {
    open_region({tcp::v4(), 0});
    std::string text = plan_text();
    text.replace(text.find("PORT"), 4, std::to_string(region_->local_endpoint().port()));
    auto document = parse_yaml(text);
    ASSERT_TRUE(document) << document.error().message;
    auto plan = decode<Plan>(document->value);
    ASSERT_TRUE(plan) << to_error(plan.error(), "plan").text();
    world_.plan = std::move(*plan);
    auto opened = open_sqlite_store((world_.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
  }
  void TearDown() override {
    stop();
    store_.reset();
    context_.poll();
  }

  void open_region(tcp::endpoint at) { region_ = std::make_unique<tcp::acceptor>(context_, at); }
  void lose_region() {
    where_ = region_->local_endpoint();
    region_.reset();
  }

  void start() {
    Watch::Hooks hooks;
    hooks.start_run = [this](std::string scenario, decision::RaisedNow signal, std::string) {
      return start_run(std::move(scenario), decision::cause_of(signal));
    };
    hooks.active_runs = [this] { return active_; };
    hooks.end_run = [](std::string, std::string) -> Task<Result<>> { co_return Result<>{}; };
    hooks.backup_trouble = [this](const std::string& service) { return trouble_[service]; };
    life_ = std::make_unique<Life>(context_, world_, *store_, std::move(hooks));
    ASSERT_TRUE(wait(life_->watch.start()));
    life_->watch.agent_connected("observer");
  }
  // Whatever is under way is cut off; the watch goes only when nothing of it runs any more.
  void stop() {
    if (!life_) return;
    bool ended = false;
    asio::co_spawn(context_, life_->scope.stop(Duration{5'000}), [&](std::exception_ptr) { ended = true; });
    for (Deadline deadline = Deadline::after(Duration{10'000}); !ended && !deadline.passed();) {
      context_.restart();
      context_.run_for(std::chrono::milliseconds(10));
    }
    life_.reset();
  }

  Task<Result<std::string>> start_run(std::string scenario, std::string cause) {
    asked_.push_back(scenario);
    if (hang_) co_await sleep_for(Duration{3'600'000});
    active_.push_back({"R-" + std::to_string(asked_.size()), scenario, cause, true});
    co_return active_.back().id;
  }

  template <class T>
  T wait(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(context_, std::move(task), [&](std::exception_ptr, T value) { out.emplace(std::move(value)); });
    until([&] { return out.has_value(); });
    if (!out) throw std::runtime_error("a call never ended");
    return std::move(*out);
  }
  // Meanwhile the agent sees what there is to see.
  bool until(const std::function<bool()>& reached, Duration within = Duration{20'000}) {
    Deadline deadline = Deadline::after(within);
    while (!reached() && !deadline.passed()) {
      if (life_) {
        Json seen = encode(wire::ProbeResult{"shop/north", region_ != nullptr, region_ ? "" : "refused"});
        life_->watch.agent_said("observer", std::string(wire::ProbeResult::kType), seen);
      }
      context_.restart();
      context_.run_for(std::chrono::milliseconds(10));
    }
    return reached();
  }
  bool stands() const {
    auto active = life_->watch.active();
    return active.size() == 1 && active[0].signal == "region-failure" && active[0].subject == "north";
  }
  std::vector<std::string> journal() {
    EventFilter filter{.stream = "signals"};
    auto events = wait(store_->read(filter));
    std::vector<std::string> kinds;
    for (const StoredEvent& event : *events) kinds.push_back(event.kind);
    return kinds;
  }

  TestWorld world_;
  asio::io_context context_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<tcp::acceptor> region_;
  tcp::endpoint where_;
  std::unique_ptr<Life> life_;
  std::vector<std::string> asked_;  // scenarios that were to be started
  std::vector<decision::ActiveRun> active_;
  std::map<std::string, std::string> trouble_;  // with the backups, by service
  bool hang_ = false;
};

TEST_F(WatchTest, ALostRegionIsAnsweredOnceHoweverOftenTheControllerIsStarted) {
  start();
  lose_region();
  ASSERT_TRUE(until([&] { return journal().size() == 4; }));
  EXPECT_THAT(journal(), ElementsAre("signal-raised", "decided", "automatic-start", "run-started"));
  active_.clear();  // the run has done its work; the region is still lost
  for (int round = 0; round < 2; ++round) {
    stop();
    start();
    EXPECT_TRUE(stands()) << "known from the journal, before anything was probed";
    EXPECT_FALSE(until([&] { return asked_.size() > 1 || !stands(); }, Duration{600}));
  }
  EXPECT_EQ(journal().size(), 4U);
  // When it has been well in between, it is another cause.
  open_region(where_);
  ASSERT_TRUE(until([&] { return life_->watch.active().empty(); }));
  lose_region();
  EXPECT_TRUE(until([&] { return asked_.size() == 2; }));
}

TEST_F(WatchTest, ASignalStandsWhileNobodyCanSay) {
  start();
  lose_region();
  ASSERT_TRUE(until([&] { return journal().size() == 4; }));
  active_.clear();
  life_->watch.agent_lost("observer");
  stop();
  start();
  life_->watch.agent_lost("observer");
  context_.restart();
  context_.run_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(stands());
}

// Case 41, orchestrator#1296: the leader noted that a recovery begins and died, and the next one was kept from it.
TEST_F(WatchTest, AStartThatWasCutOffIsCarriedOutByTheNextController) {
  start();
  hang_ = true;
  lose_region();
  ASSERT_TRUE(until([&] { return asked_.size() == 1; }));
  stop();
  hang_ = false;
  // Though the region is back by then: what was decided, and journalled as decided, happens.
  open_region(where_);
  start();
  ASSERT_TRUE(until([&] { return active_.size() == 1; }));
  EXPECT_EQ(active_[0].cause, kCause);
  EXPECT_TRUE(until([&] { return std::ranges::count(journal(), "run-started") == 1; }));
  EXPECT_THAT(asked_, ElementsAre("failover", "failover"));
}

TEST_F(WatchTest, ARunThatStandsAlreadyIsNotStartedAgain) {
  start();
  hang_ = true;
  lose_region();
  ASSERT_TRUE(until([&] { return asked_.size() == 1; }));
  // The controller died when the run was durable and its id not yet noted beside the decision.
  active_ = {{"R-1", "failover", kCause, true}};
  stop();
  start();
  ASSERT_TRUE(until([&] { return std::ranges::count(journal(), "run-started") == 1; }));
  EXPECT_FALSE(until([&] { return asked_.size() > 1; }, Duration{400}));
}

TEST_F(WatchTest, NothingIsBelievedOfARegionThatIsWell) {
  start();
  EXPECT_FALSE(until([&] { return !journal().empty(); }, Duration{400}));
  EXPECT_THAT(asked_, IsEmpty());
}

// A database whose data are looked at; the test says what the agent sees.
class DataWatchTest : public WatchTest {
 protected:
  std::string plan_text() const override {
    std::string text = kPlan;
    auto replace = [&](std::string_view from, std::string_view to) { text.replace(text.find(from), from.size(), to); };
    replace("services:\n", "services:\n  orders: {kind: postgres, members: {one: {host: observer}}, primary: one}\n");
    replace("  region-failure: {kind: region-lost, for: 150ms, every: 30ms, within: 200ms, quorum: 1}",
            "  data-encrypted: {kind: data-change, service: orders, every: 1s, within: 5s}");
    replace("region-failure: {automatic: failover}", "data-encrypted: {manual: failover}");
    return text;
  }
  void see(int64_t encrypted, const std::string& host = "observer") {
    wire::DataLook look{"orders", {}};
    look.seen.member = "one";
    detection::TableLook table{.rows = 1'000, .updated = 0, .deleted = 0, .sampled = true, .columns = {}};
    table.columns.add("note", {200, encrypted});
    look.seen.tables.add("public.orders", table);
    life_->watch.agent_said(host, std::string(wire::DataLook::kType), encode(look));
  }
  bool stands() const {
    auto active = life_->watch.active();
    return active.size() == 1 && active[0].signal == "data-encrypted" && active[0].subject == "orders";
  }
};

TEST_F(DataWatchTest, TextsThatLookEncryptedRaiseTheSignalAndStartNothing) {
  start();
  see(0);
  ASSERT_TRUE(until([&] { return journal().size() == 1; }));
  EXPECT_THAT(journal(), ElementsAre("data-baseline"));
  see(200, "web");  // not its host
  EXPECT_FALSE(until([&] { return stands(); }, Duration{300}));
  see(180);
  ASSERT_TRUE(until([&] { return journal().size() == 3; }));
  EXPECT_TRUE(stands());
  EXPECT_THAT(life_->watch.active()[0].text,
              ::testing::HasSubstr("180 of 200 texts of public.orders.note look encrypted"));
  EXPECT_THAT(journal(), ElementsAre("data-baseline", "signal-raised", "decided"));
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(DataWatchTest, TheNextControllerKnowsWhatWasUsual) {
  start();
  see(0);
  ASSERT_TRUE(until([&] { return journal().size() == 1; }));
  stop();
  start();
  see(180);
  ASSERT_TRUE(until([&] { return stands(); }));
  ASSERT_TRUE(until([&] { return journal().size() == 3; }));
  stop();
  start();
  EXPECT_TRUE(stands()) << "known from the journal, before anything was looked at";
  see(180);
  EXPECT_FALSE(until([&] { return !stands() || journal().size() > 3; }, Duration{300}));
}

TEST_F(DataWatchTest, WhatPeopleHaveLookedAtIsUsualForTheNextControllerToo) {
  start();
  see(0);
  see(180);
  ASSERT_TRUE(until([&] { return stands() && journal().size() == 3; }));
  life_->watch.acknowledge();
  ASSERT_TRUE(until([&] { return journal().size() == 4; }));
  EXPECT_EQ(journal().back(), "data-baseline");
  stop();
  start();
  see(190);
  // What stood goes on standing until it has been calm for long.
  EXPECT_FALSE(until([&] { return journal().size() > 4; }, Duration{300}));
  EXPECT_TRUE(stands());
}

// Backups of a database; the test says what is wrong with them.
class BackupWatchTest : public WatchTest {
 protected:
  std::string plan_text() const override {
    // Its members would be targets of their regions, and nothing answers there.
    std::string text = kPlan;
    text.insert(text.find("signals:\n") + 9, "  backups-late: {kind: backups, service: orders, for: 1500ms}\n");
    return text;
  }
  const ActiveSignal* signal() const {
    active_now_ = life_->watch.active();
    auto found = std::ranges::find(active_now_, "backups-late", &ActiveSignal::signal);
    return found == active_now_.end() ? nullptr : &*found;
  }
  mutable std::vector<ActiveSignal> active_now_;
};

TEST_F(BackupWatchTest, TheRpoThatALossWouldBreakNowIsASignalBeforeTheLossAndStartsNothing) {
  start();
  trouble_["orders"] = "the loss of the primary's region would cost up to 2 min now, and the RPO is 1m";
  MonoTime begun = boot_now();
  ASSERT_TRUE(until([&] { return journal().size() == 2; }));
  EXPECT_GE(to_duration(boot_now() - begun), Duration{1'500}) << "its `for`";
  EXPECT_THAT(journal(), ElementsAre("signal-raised", "decided"));
  ASSERT_NE(signal(), nullptr);
  EXPECT_EQ(signal()->subject, "orders");
  EXPECT_THAT(signal()->text, ::testing::HasSubstr("the backups of orders: " + trouble_["orders"]));
  EXPECT_THAT(asked_, IsEmpty());

  trouble_.clear();
  ASSERT_TRUE(until([&] { return journal().size() == 3; }));
  EXPECT_EQ(journal().back(), "signal-cleared");
  EXPECT_EQ(signal(), nullptr);
}

TEST_F(BackupWatchTest, WhatPassesIsNoneAndWhatIsWrongWithOtherBackupsNeither) {
  start();
  trouble_["others"] = "there is no full backup";
  for (int time = 0; time < 5; ++time) {
    trouble_["orders"] = "there is no full backup";
    EXPECT_FALSE(until([&] { return signal() != nullptr; }, Duration{200}));
    trouble_["orders"] = "";
    EXPECT_FALSE(until([&] { return signal() != nullptr; }, Duration{200}));
  }
  EXPECT_THAT(journal(), IsEmpty());
}

// The repository's agent goes with its region; the region's signal tells that better.
TEST_F(BackupWatchTest, ARegionThatIsBeingLostIsNotToldAsBackupsThatAreLate) {
  start();
  lose_region();
  ASSERT_TRUE(until([&] { return journal().size() == 4; }));
  trouble_["orders"] = "the repository's agent is not here";
  EXPECT_FALSE(until([&] { return signal() != nullptr; }, Duration{2'000}));
  open_region(where_);
  EXPECT_TRUE(until([&] { return signal() != nullptr; })) << "the region is back and the backups are not";
}

}  // namespace
}  // namespace lifeboat
