// The executor with actions that change a stage in memory, on a real journal. Restarts are made by dropping the executor
// and starting a new one on the same store.
#include "controller/executor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "actions/test_world.hpp"

namespace lifeboat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What the fake actions act on.
struct Stage {
  std::map<std::string, bool> holds;
  std::map<std::string, int> effects;  // how often something that was not so became so
  std::map<std::string, int> failures_left;
  std::string hang;  // "step before" or "step after" its effect: never ends until cancelled
  bool hanging = false;
  std::vector<std::string> order;
  std::map<std::string, Json> with;  // of a step when its effect was made
};
Stage* stage = nullptr;

class FakeAction : public Action {
 public:
  FakeAction(bool throws, Json with) : throws_(throws), with_(std::move(with)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    bool holds = stage->holds[context.step];
    co_return Observation{.holds = holds, .state = holds ? "so" : "not so"};
  }
  Task<Result<Outcome>> apply(ActionContext context) override {
    if (throws_) throw std::runtime_error("bad day");
    std::string step = context.step;
    context.progress("at it");
    if (int& left = stage->failures_left[step]; left > 0) {
      --left;
      co_return fail(ErrorKind::unreachable, "nobody there");
    }
    co_await pass(step + " before");
    if (!stage->holds[step]) {
      stage->holds[step] = true;
      ++stage->effects[step];
      stage->with[step] = with_;
      stage->order.push_back(step);
    }
    co_await pass(step + " after");
    co_return Outcome{.summary = "made so", .data = JsonObject{{"step", step}}};
  }
  Task<Result<Outcome>> undo(ActionContext context, Json applied) override {
    stage->holds[context.step] = false;
    stage->order.push_back("undo " + text_or(applied, "step"));
    co_return Outcome{.summary = "taken back"};
  }

 private:
  bool throws_;
  Json with_;
  Task<> pass(std::string point) {
    if (stage->hang != point) co_return;
    stage->hang.clear();
    stage->hanging = true;
    co_await sleep_for(Duration{3'600'000});
  }
};

template <bool Throws>
Result<std::unique_ptr<Action>> make_fake(const Json& with) {
  return std::make_unique<FakeAction>(Throws, with);
}

const ActionDescriptor* find_fake(std::string_view name) {
  static const ActionDescriptor kDo{
      .name = "test.do", .can_undo = true, .touches = touches_service, .make = make_fake<false>};
  static const ActionDescriptor kThrow{.name = "test.throw", .make = make_fake<true>};
  static const ActionDescriptor kTell{.name = "test.tell", .kind = ActionKind::message, .make = make_fake<false>};
  static const ActionDescriptor kWait{.name = "wait", .kind = ActionKind::wait};
  static const ActionDescriptor kManual{.name = "manual", .kind = ActionKind::manual};
  for (const ActionDescriptor* one : {&kDo, &kThrow, &kTell, &kWait, &kManual}) {
    if (one->name == name) return one;
  }
  return nullptr;
}

// A store whose appends can be made to fail.
class MoodyStore : public Store {
 public:
  explicit MoodyStore(Store& inner) : inner_(inner) {}
  bool full = false;
  int refused = 0;

  Task<Result<std::vector<StoredEvent>>> append(std::vector<NewEvent> events) override {
    if (full) {
      ++refused;
      co_return fail(ErrorKind::refused, "disk full");
    }
    co_return co_await inner_.append(std::move(events));
  }
  Task<Result<std::vector<StoredEvent>>> read(EventFilter filter) override { return inner_.read(std::move(filter)); }
  Task<Result<ChainReport>> verify() override { return inner_.verify(); }
  Task<Result<uint64_t>> next_number(std::string counter) override { return inner_.next_number(std::move(counter)); }
  Task<Result<OwnershipRecord>> ownership(std::string service) override { return inner_.ownership(std::move(service)); }
  Task<Result<OwnershipRecord>> grant(std::string service, uint64_t term, std::string holder, NewEvent event) override {
    return inner_.grant(std::move(service), term, std::move(holder), std::move(event));
  }

 private:
  Store& inner_;
};

Step step(std::string id, std::string uses = "test.do", Json with = {}) {
  Step out;
  out.id = {std::move(id)};
  out.uses = std::move(uses);
  out.with = std::move(with);
  out.retries = Retries{.attempts = 2, .backoff = Duration{5}};
  return out;
}

class RunExecutorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    stage = &stage_;
    auto opened = open_sqlite_store((world_.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    sqlite_ = std::move(*opened);
    store_ = std::make_unique<MoodyStore>(*sqlite_);
    world_.plan.people.roles.add("lead", Role{.primary = {"ann"}, .backup = Identifier{"bob"}});
    restart();
  }
  void TearDown() override {
    executor_.reset();
    context_.poll();
    store_.reset();
    sqlite_.reset();
    context_.poll();
  }

  void restart() {
    executor_.reset();
    ExecutorOptions options;
    options.find = find_fake;
    options.boot = "boot";
    options.message_grace = Duration{200};
    options.loss = [](const run::ResolvedStep& one) { return "12 writes by " + one.id; };
    options.log = [this](const std::string& line) { log_.push_back(line); };
    // There always is one, as in a controller.
    options.crash_point = [this](std::string one, std::string when) -> Task<> {
      if (crash_at_) co_await crash_at_(std::move(one), std::move(when));
    };
    executor_ = std::make_unique<RunExecutor>(context_.get_executor(), *store_, world_.world, std::move(options));
  }

  void add_scenario(std::string name, std::vector<std::vector<Step>> phases) {
    Scenario scenario;
    scenario.title = name;
    scenario.vars.add("to", Json("west"));
    for (size_t index = 0; index < phases.size(); ++index)
      scenario.phases.add("phase-" + std::to_string(index), std::move(phases[index]));
    world_.plan.scenarios.add(std::move(name), std::move(scenario));
  }

  template <class T>
  T wait(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(context_, std::move(task), [&](std::exception_ptr, T value) { out.emplace(std::move(value)); });
    until([&] { return out.has_value(); });
    if (!out) throw std::runtime_error("a call never ended");
    return std::move(*out);
  }
  bool until(const std::function<bool()>& reached) {
    Deadline deadline = Deadline::after(Duration{20'000});
    while (!reached() && !deadline.passed()) {
      context_.restart();
      context_.run_one_for(std::chrono::milliseconds(20));
    }
    return reached();
  }
  std::string open(std::string scenario) {
    OpenRequest request{.scenario = std::move(scenario), .by = "ann"};
    auto id = wait(executor_->open_run(std::move(request)));
    return id ? *id : id.error().text();
  }
  run::RunStatus status(const std::string& id) { return run::status_of(*executor_->state(id)); }
  bool ends(const std::string& id) {
    return until([&] { return executor_->state(id) != nullptr && executor_->state(id)->finished(); });
  }
  bool becomes(const std::string& id, const std::string& name, run::StepStatus wanted) {
    return until([&] { return executor_->state(id)->step(name)->status == wanted; });
  }

  Stage stage_;
  TestWorld world_;
  asio::io_context context_;
  std::unique_ptr<Store> sqlite_;
  std::unique_ptr<MoodyStore> store_;
  std::unique_ptr<RunExecutor> executor_;
  std::vector<std::string> log_;
  std::function<Task<>(std::string step, std::string when)> crash_at_;
};

TEST_F(RunExecutorTest, RunsAScenarioToItsEnd) {
  add_scenario("move", {{step("a"), step("tell", "test.tell")},
                        {step("settle", "wait", JsonObject{{"for", "20ms"}})},
                        {step("b"), step("c")}});
  std::string id = open("move");
  EXPECT_EQ(id, "R-1");
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(status(id), run::RunStatus::done);
  EXPECT_EQ(stage_.effects.size(), 4u);
  EXPECT_EQ(executor_->progress(id, "a"), "at it");
  EXPECT_TRUE(wait(store_->verify())->whole);
}

// Case 54, patroni#1418: what belongs to a change of roles was left out when its process died, or done twice.
TEST_F(RunExecutorTest, GoesOnToTheSameEndWhenItIsKilledBeforeOrAfterAnyEffect) {
  auto phases = [] {
    return std::vector<std::vector<Step>>{{step("a"), step("b")}, {step("c"), step("tell", "test.tell")}, {step("d")}};
  };
  add_scenario("move", phases());
  for (std::string name : {"a", "b", "c", "tell", "d"}) {
    for (std::string when : {" before", " after"}) {
      SCOPED_TRACE(name + when);
      stage_ = Stage{};
      stage_.hang = name + when;
      std::string id = open("move");
      ASSERT_TRUE(until([&] { return stage_.hanging; }));
      restart();
      auto resumed = wait(executor_->resume_all());
      ASSERT_TRUE(resumed) << resumed.error().text();
      EXPECT_THAT(resumed->runs, ElementsAre(id));
      EXPECT_TRUE(resumed->problems.empty());
      ASSERT_TRUE(ends(id));
      EXPECT_EQ(status(id), run::RunStatus::done);
      for (std::string each : {"a", "b", "c", "tell", "d"}) {
        EXPECT_EQ(stage_.effects[each], 1) << each;
        EXPECT_EQ(executor_->state(id)->step(each)->status, run::StepStatus::done) << each;
      }
    }
  }
}

TEST_F(RunExecutorTest, GivesAStepWhatOthersFoundAlsoAfterARestart) {
  Step later = step("b", "test.do", JsonObject{{"text", "to ${to}, after ${steps.a.data.step}"}});
  later.needs = {Identifier{"hand"}};
  add_scenario("move", {{step("a")}, {step("hand", "manual")}, {later}});
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "hand", run::StepStatus::asking));
  restart();
  ASSERT_TRUE(wait(executor_->resume_all()));
  ASSERT_TRUE(wait(executor_->confirm(id, "hand", "ann", "done")));
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(text_or(stage_.with["b"], "text"), "to west, after a");
}

TEST_F(RunExecutorTest, AStepThatLacksWhatAnotherWasToFindSaysSo) {
  add_scenario("move", {{step("a")}, {step("b", "test.do", JsonObject{{"text", "${steps.a.data.target}"}})}});
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "b", run::StepStatus::failed));
  EXPECT_THAT(executor_->state(id)->step("b")->error, HasSubstr("steps.a.data.target"));
  EXPECT_FALSE(stage_.with.contains("b"));
}

TEST_F(RunExecutorTest, DoesNotRunFinishedStepsAgainAfterARestart) {
  add_scenario("move", {{step("a")}, {step("hand", "manual")}, {step("b")}});
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "hand", run::StepStatus::asking));
  for (int round = 0; round < 3; ++round) {
    restart();
    ASSERT_TRUE(wait(executor_->resume_all()));
  }
  ASSERT_TRUE(wait(executor_->confirm(id, "hand", "ann", "done")));
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(executor_->state(id)->step("a")->attempt, 1);
  EXPECT_THAT(stage_.order, ElementsAre("a", "b"));
}

// A person's answer is journalled once. A controller that died at another step's point just then stands at the answer's
// point when it is back, before anything follows from it.
TEST_F(RunExecutorTest, PointsOfAnswersThatADeathCutOffComeAgain) {
  add_scenario("move", {{step("hand", "manual")}, {step("b")}});
  bool cut_off = false;
  crash_at_ = [&](std::string name, std::string when) -> Task<> {
    if (name != "hand" || when != "after") co_return;
    cut_off = true;
    co_await sleep_for(Duration{3'600'000});
  };
  restart();
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "hand", run::StepStatus::asking));
  asio::co_spawn(context_, executor_->confirm(id, "hand", "ann", "done"), asio::detached);
  ASSERT_TRUE(until([&] { return cut_off; }));
  std::vector<std::string> passed;
  crash_at_ = [&](std::string name, std::string when) -> Task<> {
    passed.push_back(name + " " + when);
    co_return;
  };
  restart();
  ASSERT_TRUE(wait(executor_->resume_all()));
  ASSERT_TRUE(ends(id));
  EXPECT_THAT(passed, ElementsAre("hand after", "b before", "b after"));
}

TEST_F(RunExecutorTest, RunsThatChangeTheSameServiceExcludeEachOther) {
  Json database = JsonObject{{"service", "database"}};
  add_scenario("move", {{step("hand", "manual"), step("a", "test.do", database)}});
  add_scenario("other", {{step("x", "test.do", database)}});
  add_scenario("apart", {{step("y")}});
  std::string id = open("move");
  OpenRequest request{.scenario = "other", .by = "bob"};
  auto refused = wait(executor_->open_run(request));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
  EXPECT_THAT(refused.error().what, HasSubstr("R-1 (move)"));
  EXPECT_EQ(open("apart"), "R-2");
  ASSERT_TRUE(wait(executor_->confirm(id, "hand", "ann", "")));
  ASSERT_TRUE(ends(id));
  EXPECT_TRUE(wait(executor_->open_run(request)));
}

TEST_F(RunExecutorTest, ASecondRunForTheSameCauseIsRefused) {
  add_scenario("move", {{step("hand", "manual")}});
  OpenRequest request{.scenario = "move", .by = "vantage points", .cause = "region-lost/east"};
  ASSERT_TRUE(wait(executor_->open_run(request)));
  EXPECT_EQ(wait(executor_->open_run(request)).error().kind, ErrorKind::conflict);
}

TEST_F(RunExecutorTest, AsksPeopleWithWhatWouldBeLost) {
  Step asked = step("a");
  asked.approval = Approval{.of = {{"lead"}}, .need = 2};
  add_scenario("move", {{asked}});
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "a", run::StepStatus::asking));
  EXPECT_EQ(executor_->state(id)->step("a")->question->loss, "12 writes by a");
  EXPECT_EQ(wait(executor_->approve(id, "a", "eve")).error().kind, ErrorKind::refused);
  EXPECT_TRUE(wait(executor_->approve(id, "a", "ann")));
  EXPECT_FALSE(wait(executor_->approve(id, "a", "ann")));
  restart();
  ASSERT_TRUE(wait(executor_->resume_all()));
  EXPECT_EQ(executor_->state(id)->step("a")->question->loss, "12 writes by a");
  EXPECT_TRUE(wait(executor_->approve(id, "a", "bob")));
  EXPECT_TRUE(ends(id));
  EXPECT_EQ(stage_.effects["a"], 1);
}

TEST_F(RunExecutorTest, ObservesAfterATimeoutInsteadOfRepeatingBlindly) {
  Step slow = step("a");
  slow.timeout = Duration{60};
  add_scenario("move", {{slow}});
  stage_.hang = "a after";
  std::string id = open("move");
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(stage_.effects["a"], 1);
  EXPECT_EQ(executor_->state(id)->step("a")->attempt, 2);
  EXPECT_EQ(status(id), run::RunStatus::done);
}

TEST_F(RunExecutorTest, RetriesWhatFailedAndWaitsForAPersonWhenAttemptsAreUsedUp) {
  add_scenario("move", {{step("a")}, {step("b")}});
  stage_.failures_left["a"] = 2;
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "a", run::StepStatus::failed));
  EXPECT_EQ(status(id), run::RunStatus::waiting);
  EXPECT_EQ(wait(executor_->skip(id, "a", "ann", "")).error().kind, ErrorKind::invalid_input);
  ASSERT_TRUE(wait(executor_->retry(id, "a", "ann")));
  ASSERT_TRUE(ends(id));
  EXPECT_THAT(stage_.order, ElementsAre("a", "b"));
}

TEST_F(RunExecutorTest, AnActionThatThrowsFailsItsStepAtOnce) {
  Step bad = step("a", "test.throw");
  bad.retries.reset();
  add_scenario("move", {{bad}});
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "a", run::StepStatus::failed));
  EXPECT_THAT(executor_->state(id)->step("a")->error, HasSubstr("bad day"));
}

TEST_F(RunExecutorTest, AbortStopsWhatRunsAndTakesBackWhatWasDone) {
  add_scenario("move", {{step("a")}, {step("b")}, {step("c")}});
  stage_.hang = "c before";
  std::string id = open("move");
  ASSERT_TRUE(until([&] { return stage_.hanging; }));
  ASSERT_TRUE(wait(executor_->abort(id, "ann", "wrong scenario", true)));
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(status(id), run::RunStatus::rolled_back);
  EXPECT_THAT(stage_.order, ElementsAre("a", "b", "undo b", "undo a"));
  EXPECT_FALSE(wait(executor_->pause(id, "ann", "")));
}

TEST_F(RunExecutorTest, StandsStillWhileTheJournalCannotBeWrittenAndThenGoesOn) {
  add_scenario("move", {{step("a")}, {step("hand", "manual")}, {step("b")}});
  std::string id = open("move");
  ASSERT_TRUE(becomes(id, "hand", run::StepStatus::asking));
  store_->full = true;
  auto confirmed = wait(executor_->confirm(id, "hand", "ann", ""));
  ASSERT_FALSE(confirmed);
  EXPECT_THAT(confirmed.error().what, HasSubstr("disk full"));
  ASSERT_TRUE(until([&] { return store_->refused >= 2; }));
  EXPECT_EQ(stage_.effects.count("b"), 0u) << "an effect without a journal";
  store_->full = false;
  ASSERT_TRUE(until([&] { return !executor_->state(id)->finished() && becomes(id, "hand", run::StepStatus::asking); }));
  while (!wait(executor_->confirm(id, "hand", "ann", ""))) {
  }
  ASSERT_TRUE(ends(id));
  EXPECT_THAT(stage_.order, ElementsAre("a", "b"));
  EXPECT_FALSE(log_.empty());
}

TEST_F(RunExecutorTest, StopWritesNothingAndARestartGoesOn) {
  add_scenario("move", {{step("a")}});
  stage_.hang = "a before";
  std::string id = open("move");
  ASSERT_TRUE(until([&] { return stage_.hanging; }));
  auto before = wait(store_->verify())->events;
  bool stopped = false;
  asio::co_spawn(context_, executor_->stop(Duration{2'000}), [&](std::exception_ptr) { stopped = true; });
  ASSERT_TRUE(until([&] { return stopped; }));
  EXPECT_EQ(wait(store_->verify())->events, before);
  restart();
  ASSERT_TRUE(wait(executor_->resume_all()));
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(stage_.effects["a"], 1);
}

TEST_F(RunExecutorTest, RefusesToOpenWhatCouldNotRun) {
  add_scenario("unknown-action", {{step("a", "test.nothing")}});
  add_scenario("unknown-variable", {{step("a", "test.do", JsonObject{{"to", "${nowhere}"}})}});
  auto kind = [&](std::string scenario) {
    OpenRequest request{.scenario = std::move(scenario), .by = "ann"};
    auto id = wait(executor_->open_run(std::move(request)));
    return id ? ErrorKind::internal : id.error().kind;
  };
  EXPECT_EQ(kind("none"), ErrorKind::not_found);
  EXPECT_EQ(kind("unknown-action"), ErrorKind::unsupported);
  EXPECT_EQ(kind("unknown-variable"), ErrorKind::invalid_input);
  EXPECT_TRUE(executor_->list().empty());
  EXPECT_EQ(wait(executor_->approve("R-9", "a", "ann")).error().kind, ErrorKind::not_found);
}

TEST_F(RunExecutorTest, KeepsTheParametersWithWhichItWasOpened) {
  add_scenario("move", {{step("hand", "manual"), step("a", "test.do", JsonObject{{"to", "${to}"}})}});
  std::string id = open("move");
  restart();
  world_.plan.scenarios = {};
  ASSERT_TRUE(wait(executor_->resume_all()));
  EXPECT_EQ(text_or(executor_->state(id)->opened->steps[1].with, "to"), "west");
  ASSERT_TRUE(wait(executor_->confirm(id, "hand", "ann", "")));
  EXPECT_TRUE(ends(id));
}

}  // namespace
}  // namespace lifeboat
