// The calendar of drills on a real journal: what one controller knows of it, the next one knows.
#include "controller/drill_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/test_world.hpp"
#include "core/run/test_runs.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class DrillBookTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_sqlite_store((world_.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
    Scenario prove{.title = "Prove"};
    prove.phases.add("recover", {{.id = {"prove"}, .uses = "postgres.restore-drill"}});
    world_.plan.scenarios.add("prove", std::move(prove));
    Drill region{.name = {"region"}, .title = "A region", .run = Identifier{"failover"}, .every = "quarterly"};
    region.faults = {"kill-region"};
    world_.plan.drills = {{.name = {"backups"},
                           .title = "Backups",
                           .run = Identifier{"prove"},
                           .every = "monthly",
                           .in = "production",
                           .automatic = true},
                          region,
                          {.name = {"talk"}, .title = "Talk", .every = "annually", .in = "table"}};
    world_.world.drill = false;
  }
  // A controller's book, begun.
  DrillBook& begin() {
    DrillHooks hooks;
    hooks.runs = [this] {
      std::vector<const run::RunState*> out;
      for (const run::RunState& one : runs_) out.push_back(&one);
      return out;
    };
    hooks.around = [this] { return around_; };
    hooks.open_run = [this](OpenRequest request) -> Task<Result<std::string>> {
      opened_.push_back(request);
      co_return std::string("R-9");
    };
    hooks.log = [](const std::string&) {};
    scope_ = std::make_unique<Scope>(context_.get_executor(), [](std::string_view, std::string_view) {});
    book_ = std::make_unique<DrillBook>(*store_, world_.world, *scope_, std::move(hooks));
    auto started = TestWorld::run(book_->start());
    EXPECT_TRUE(started) << started.error().text();
    return *book_;
  }
  Json row(const std::string& name) {
    for (const Json& one : book_->list())
      if (text_or(one, "name") == name) return one;
    return nullptr;
  }
  Json last(const std::string& name) {
    Json one = row(name);
    return member(one, "last");
  }
  Result<Json> done(const std::string& name, DrillDone said) { return TestWorld::run(book_->done(name, said)); }
  std::string start(Duration from_now) {
    return TestWorld::run(book_->start_what_is_due(boot_now() + from_now, wall_now() + from_now));
  }
  static Json report(const std::string& head, bool met = true) {
    return JsonObject{{"scenario", "failover"},
                      {"fault", "kill-region"},
                      {"rta_s", 4},
                      {"objectives", JsonObject{{"met", met}}},
                      {"journal", JsonObject{{"whole", true}, {"head", head}}}};
  }

  TestWorld world_;
  std::unique_ptr<Store> store_;
  asio::io_context context_;
  std::unique_ptr<Scope> scope_;
  std::unique_ptr<DrillBook> book_;
  std::vector<run::RunState> runs_;
  rehearsal::Around around_;
  std::vector<OpenRequest> opened_;
};

TEST_F(DrillBookTest, ANewPlanBeginsWithoutReproachesAndKeepsSinceWhenItHasADrill) {
  begin();
  ASSERT_THAT(book_->list(), SizeIs(3));
  std::string due = text_or(row("backups"), "due_at");
  EXPECT_EQ(text_or(row("backups"), "standing"), "current");
  EXPECT_THAT(text_or(row("backups"), "text"), HasSubstr("never held, due "));
  EXPECT_TRUE(last("backups").is_null());
  begin();
  EXPECT_EQ(text_or(row("backups"), "due_at"), due);
  auto events = TestWorld::run(store_->read({}));
  ASSERT_TRUE(events);
  EXPECT_THAT(*events, SizeIs(3));
  // Another scenario makes another drill of it.
  world_.plan.drills[0].run = Identifier{"prove-more"};
  begin();
  EXPECT_THAT(*TestWorld::run(store_->read({})), SizeIs(4));
}

TEST_F(DrillBookTest, ARunInProductionIsKnownFromTheJournalAndNobodyNeedsToTellIt) {
  run::RunOpened opened = run::test::opened_with({run::test::a_step("prove")});
  opened.scenario = "prove";
  run::test::Bench bench(std::move(opened));
  bench.succeed("prove");
  runs_.push_back(bench.state);
  begin();
  EXPECT_EQ(text_or(row("backups"), "proven_at"), format_wall(bench.state.opened_wall));
  EXPECT_EQ(text_or(last("backups"), "source"), "R-1");
  EXPECT_EQ(text_or(row("talk"), "proven_at"), "");
  auto told = done("backups", {.by = "ana"});
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().kind, ErrorKind::refused);
  EXPECT_THAT(told.error().text(), HasSubstr("lifeboat run prove"));
}

TEST_F(DrillBookTest, WhatIsToldOfADrillInTheLabIsKnownToTheNextController) {
  begin();
  auto told = done("region", {.by = "ci", .report = report("head-1")});
  ASSERT_TRUE(told) << told.error().text();
  EXPECT_TRUE(bool_or(*told, "passed"));
  begin();
  EXPECT_EQ(text_or(last("region"), "source"), "ci");
  EXPECT_NE(text_or(row("region"), "proven_at"), "");
  auto again = done("region", {.by = "ci", .report = report("head-1")});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  auto missed = done("region", {.by = "ci", .report = report("head-2", false)});
  ASSERT_TRUE(missed);
  EXPECT_FALSE(bool_or(*missed, "passed", true));
  EXPECT_FALSE(bool_or(last("region"), "passed", true));
  EXPECT_NE(text_or(row("region"), "proven_at"), "");
}

TEST_F(DrillBookTest, WhatProvesNothingIsRefused) {
  begin();
  EXPECT_THAT(done("region", {.by = "ci"}).error().text(), HasSubstr("its report says"));
  EXPECT_THAT(done("region", {.report = report("a")}).error().text(), HasSubstr("nobody is named"));
  EXPECT_THAT(done("talk", {.by = "ana", .at = "yesterday"}).error().text(), HasSubstr("no moment"));
  EXPECT_THAT(done("talk", {.by = "ana", .at = "2999-01-01T00:00:00Z"}).error().text(), HasSubstr("not come yet"));
  EXPECT_THAT(done("tolk", {.by = "ana"}).error().text(), HasSubstr("did you mean 'talk'?"));
  EXPECT_EQ(text_or(row("talk"), "proven_at"), "");
  ASSERT_TRUE(done("talk", {.by = "ana", .at = "2026-01-02T03:04:05Z", .text = "all knew their part"}));
  EXPECT_EQ(text_or(row("talk"), "proven_at"), "2026-01-02T03:04:05.000Z");
}

TEST_F(DrillBookTest, OneThatMayStartsByItselfWhenItIsDueAndAllIsCalm) {
  begin();
  const std::chrono::hours day{24};
  EXPECT_EQ(start(Duration{0}), "");
  EXPECT_EQ(start(day), "") << "it is not due";
  around_.incidents = 1;
  EXPECT_EQ(start(35 * day), "");
  around_.incidents = 0;
  EXPECT_EQ(start(36 * day), "") << "it is calm from now on";
  EXPECT_EQ(start(36 * day + std::chrono::minutes(14)), "");
  EXPECT_THAT(opened_, IsEmpty());
  EXPECT_EQ(start(36 * day + std::chrono::minutes(15)), "R-9");
  ASSERT_THAT(opened_, SizeIs(1));
  EXPECT_EQ(opened_[0].scenario, "prove");
  EXPECT_EQ(opened_[0].by, "test calendar");
  EXPECT_EQ(opened_[0].cause, "drill/backups");
  EXPECT_THAT(opened_[0].reason, HasSubstr("the drill backups is due: never held"));
  EXPECT_EQ(start(36 * day + std::chrono::minutes(16)), "");
}

TEST_F(DrillBookTest, WithoutThePlansLeaveNothingStartsByItself) {
  world_.plan.drills[0].automatic = false;
  begin();
  EXPECT_EQ(start(std::chrono::hours(24 * 400)), "");
  EXPECT_EQ(start(std::chrono::hours(24 * 401)), "");
  EXPECT_THAT(opened_, IsEmpty());
}

TEST_F(DrillBookTest, InADrillThereIsNoCalendar) {
  world_.world.drill = true;
  begin();
  EXPECT_THAT(book_->list(), IsEmpty());
  EXPECT_THAT(*TestWorld::run(store_->read({})), IsEmpty());
  EXPECT_FALSE(done("talk", {.by = "ana"}));
}

}  // namespace
}  // namespace lifeboat
