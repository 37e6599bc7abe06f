#include "core/rehearsal/held.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/run/test_runs.hpp"

namespace lifeboat::rehearsal {
namespace {

using run::test::a_step;
using testing::HasSubstr;

// A real run of a restore that proves and a profile that may be missing.
run::RunOpened proving() {
  run::ResolvedStep prove = a_step("prove"), profile = a_step("profile");
  prove.uses = "postgres.restore-drill";
  prove.on_failure = OnFailure::rollback;
  profile.uses = "validate.profile";
  profile.on_failure = OnFailure::go_on;
  return run::test::opened_with({prove, profile});
}

TEST(HeldInARun, ItPassedWhenAllOfItIsDone) {
  run::test::Bench bench(proving());
  bench.succeed("prove");
  EXPECT_FALSE(held_in(bench.state)) << "it goes on";
  bench.succeed("profile");
  auto held = held_in(bench.state);
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->passed);
  EXPECT_EQ(held->source, "R-1");
  EXPECT_EQ(held->at, bench.state.opened_wall);
  EXPECT_EQ(held->text, "done");
}

TEST(HeldInARun, WhatThePlanLetsGoOnWithoutIsNamedAndForgiven) {
  run::test::Bench bench(proving());
  bench.succeed("prove");
  bench.fail_with("profile", ErrorKind::refused);
  auto held = held_in(bench.state);
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->passed);
  EXPECT_EQ(held->text, "done, without profile");
}

TEST(HeldInARun, ARestoreThatFailedProvesNothingEvenIfTheRunGoesOn) {
  run::RunOpened opened = proving();
  opened.steps[0].on_failure = OnFailure::go_on;
  run::test::Bench bench(std::move(opened));
  bench.succeed("profile");
  bench.fail_with("prove", ErrorKind::refused);
  auto held = held_in(bench.state);
  ASSERT_TRUE(held);
  EXPECT_EQ(bench.state.end, run::RunEnd::done);
  EXPECT_FALSE(held->passed);
}

TEST(HeldInARun, AStepThatAPersonLeftOutWasNotRehearsed) {
  run::RunOpened opened = proving();
  opened.steps[0].on_failure = OnFailure::stop;
  run::test::Bench bench(std::move(opened));
  bench.succeed("profile");
  bench.fail_with("prove", ErrorKind::refused);
  bench.give(run::input::Skip{"prove", "ana", "no time"});
  auto held = held_in(bench.state);
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->passed);
  EXPECT_EQ(held->text, "done, without prove");
}

TEST(HeldInARun, OneThatWasOnlyPlayedIsNoEvidence) {
  run::RunOpened opened = proving();
  opened.mode = run::RunMode::drill;
  run::test::Bench bench(std::move(opened));
  bench.succeed("prove");
  bench.succeed("profile");
  EXPECT_TRUE(bench.state.finished());
  EXPECT_FALSE(held_in(bench.state));
}

Drill regional() {
  Drill drill{.name = {"regional"}, .run = Identifier{"region-failover"}, .every = "quarterly"};
  drill.faults = {"kill-region", "cut-region"};
  return drill;
}
JsonObject good_report() {
  return {{"scenario", "region-failover"},
          {"fault", "kill-region"},
          {"rta_s", 5.25},
          {"rpa", JsonObject{{"lost", 2}}},
          {"double_acknowledged_s", 0.0},
          {"failback", JsonObject{{"lost", 0}}},
          {"objectives", JsonObject{{"met", true}}},
          {"journal", JsonObject{{"whole", true}, {"head", "abc"}}}};
}
Result<Held> read(const JsonObject& report) { return held_in_report(regional(), report, WallTime{}, "ana"); }

TEST(HeldInAReport, ItPassedWhenTheObjectivesWereMetAndTheDataAreWhole) {
  auto held = read(good_report());
  ASSERT_TRUE(held) << held.error().text();
  EXPECT_TRUE(held->passed);
  EXPECT_EQ(held->fault, "kill-region");
  EXPECT_EQ(held->source, "ana");
  EXPECT_EQ(held->text, "region-failover under kill-region: recovery time 5.25 s, 2 writes lost");
  EXPECT_EQ(journal_of_report(good_report()), "abc");
}

TEST(HeldInAReport, SaysWhyItDidNotPass) {
  JsonObject report = good_report();
  report["objectives"] = JsonObject{{"met", false}};
  report["rta_s"] = nullptr;
  auto held = read(report);
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->passed);
  EXPECT_THAT(held->text, HasSubstr("recovery time not reached, 2 writes lost; the objectives were not met"));
  report = good_report();
  report["double_acknowledged_s"] = 0.2;
  EXPECT_FALSE(read(report)->passed);
  report = good_report();
  report["failback"] = JsonObject{{"lost", 1}};
  EXPECT_FALSE(read(report)->passed);
  report = good_report();
  report["restore"] = JsonObject{{"damaged_pages", 1}};
  EXPECT_FALSE(read(report)->passed);
}

TEST(HeldInAReport, OneWhoseJournalIsNotWholeIsRefused) {
  JsonObject report = good_report();
  report["journal"] = JsonObject{{"whole", false}, {"broken_at", 7}, {"head", "abc"}};
  auto held = read(report);
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().kind, ErrorKind::refused);
  EXPECT_THAT(held.error().text(), HasSubstr("broken at event 7"));
}

TEST(HeldInAReport, OneOfSomethingElseIsRefused) {
  JsonObject report = good_report();
  report["scenario"] = "database-failover";
  EXPECT_THAT(read(report).error().text(), HasSubstr("regional runs region-failover"));
  report = good_report();
  report["fault"] = "kill-server";
  EXPECT_THAT(read(report).error().text(), HasSubstr("regional has kill-region, cut-region"));
  EXPECT_THAT(read({{"rta_s", JsonObject{}}}).error().text(), HasSubstr("no report of one drill"));
  report = good_report();
  report["journal"] = JsonObject{{"whole", true}};
  EXPECT_FALSE(read(report));
}

TEST(NewestProof, OnlyASoundRestoreThatWasMadeToProveIsOne) {
  auto timing = [](int64_t second, bool drill, std::string problem) {
    return recovery::RestoreTiming{
        .at = Moment(std::chrono::seconds(second)), .drill = drill, .problem = std::move(problem), .bytes = 1000};
  };
  EXPECT_FALSE(newest_proof({}));
  std::vector<recovery::RestoreTiming> measured{timing(30, true, ""), timing(20, true, ""), timing(40, false, ""),
                                                timing(50, true, "rows are missing")};
  EXPECT_EQ(newest_proof(measured), WallTime(std::chrono::seconds(30)));
}

}  // namespace
}  // namespace lifeboat::rehearsal
