#include "core/run/machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/run/test_runs.hpp"

namespace lifeboat::run {
namespace {

using test::a_step;
using test::Bench;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ResolvedStep message(std::string id, std::vector<std::string> needs = {}) {
  auto step = a_step(std::move(id), std::move(needs));
  step.kind = StepKind::message;
  return step;
}

ResolvedStep asked(ResolvedStep step, int need = 2) {
  step.approval = Approval{.of = {{"lead"}}, .need = need, .expires = Duration{60'000}};
  step.people = {"ann", "bob", "cid"};
  return step;
}

TEST(RunMachine, StartsWhatNeedsNothingAndThenWhatItUnlocks) {
  Bench run({a_step("a"), a_step("b"), a_step("c", {"a", "b"})});
  EXPECT_THAT(run.started(), ElementsAre("a", "b"));
  run.succeed("a");
  EXPECT_THAT(run.started(), IsEmpty());
  run.succeed("b");
  EXPECT_THAT(run.started(), ElementsAre("c"));
  run.succeed("c");
  EXPECT_EQ(status_of(run.state), RunStatus::done);
  EXPECT_TRUE(run.commanded<command::Finished>());
}

TEST(RunMachine, MakesTheStartDurableBeforeItOrdersIt) {
  Bench run({a_step("a")});
  ASSERT_EQ(run.last.events.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<StepStarted>(run.last.events[1].body));
  EXPECT_EQ(run.commanded<command::StartStep>()->deadline, run.now().mono + Duration{60'000});
}

TEST(RunMachine, RetriesWithBackoffUntilTheAttemptsAreUsedUp) {
  auto step = a_step("a");
  step.retries = {.attempts = 3, .backoff = Duration{1'000}, .longest = Duration{60'000}};
  Bench run({step});
  run.fail_with("a", ErrorKind::unreachable);
  EXPECT_EQ(run.status("a"), StepStatus::retrying);
  EXPECT_EQ(run.last.wake, run.now().mono + Duration{750});
  EXPECT_THAT((run.after(Duration{749}), run.started()), IsEmpty());
  EXPECT_THAT((run.after(Duration{1}), run.started()), ElementsAre("a"));
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::first);
  run.fail_with("a", ErrorKind::unreachable);
  run.after(Duration{1'500});
  run.fail_with("a", ErrorKind::unreachable);
  EXPECT_EQ(run.status("a"), StepStatus::failed);
  EXPECT_EQ(status_of(run.state), RunStatus::waiting);
}

TEST(RunMachine, BackoffDoublesUpToItsBoundAndIsJittered) {
  Retries retries{.attempts = 9, .backoff = Duration{1'000}, .longest = Duration{5'000}};
  EXPECT_EQ(backoff_before(retries, 2, 0.0), Duration{500});
  EXPECT_EQ(backoff_before(retries, 3, 0.0), Duration{1'000});
  EXPECT_EQ(backoff_before(retries, 9, 0.999999), Duration{4'999});
}

// Case 53, orchestrator#1452: a hook that did not exist was called again and again in the middle of a takeover.
TEST(RunMachine, DoesNotRetryWhatRepeatingCannotHelp) {
  for (ErrorKind kind : {ErrorKind::invalid_input, ErrorKind::refused, ErrorKind::unsupported}) {
    auto step = a_step("a");
    step.retries.attempts = 5;
    Bench run({step});
    run.fail_with("a", kind);
    EXPECT_EQ(run.status("a"), StepStatus::failed);
  }
}

TEST(RunMachine, ObservesBeforeItRepeatsWhatMayHaveHappened) {
  Bench run({a_step("a")});
  run.fail_with("a", ErrorKind::unknown_outcome);
  EXPECT_EQ(run.status("a"), StepStatus::retrying);
  run.after(Duration{1'000});
  ASSERT_THAT(run.started(), ElementsAre("a"));
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must);
  run.fail_with("a", ErrorKind::unknown_outcome);
  EXPECT_EQ(run.status("a"), StepStatus::failed);
}

// Case 17, orchestrator#1472: what comes after a failover had failed, and people were told of a success.
TEST(RunMachine, AFailureStopsEverythingButMessagesUntilAPersonDecides) {
  Bench run({a_step("a"), a_step("b"), a_step("after-b", {"b"}), message("tell", {"b"})});
  run.fail_with("a", ErrorKind::refused);
  run.succeed("b");
  EXPECT_THAT(run.started(), ElementsAre("tell"));
  EXPECT_EQ(status_of(run.state), RunStatus::waiting);
  run.give(input::Skip{"a", "ann", "done by hand"});
  EXPECT_THAT(run.started(), ElementsAre("after-b"));
  run.succeed("after-b");
  run.succeed("tell");
  EXPECT_EQ(status_of(run.state), RunStatus::done);
}

TEST(RunMachine, APersonsRetryGivesAFreshSetOfAttempts) {
  auto step = a_step("a");
  step.retries.attempts = 2;
  Bench run({step});
  run.fail_with("a", ErrorKind::unreachable);
  run.after(Duration{60'000});
  run.fail_with("a", ErrorKind::unreachable);
  EXPECT_EQ(run.status("a"), StepStatus::failed);
  run.give(input::Retry{"a", "ann"});
  EXPECT_THAT(run.started(), ElementsAre("a"));
  run.fail_with("a", ErrorKind::unreachable);
  EXPECT_EQ(run.status("a"), StepStatus::retrying);
}

TEST(RunMachine, AStepThatMayFailSettlesSoThatOthersGoOn) {
  auto step = a_step("a");
  step.on_failure = OnFailure::go_on;
  Bench run({step, a_step("b", {"a"})});
  run.fail_with("a", ErrorKind::refused);
  EXPECT_THAT(run.started(), ElementsAre("b"));
  run.succeed("b");
  EXPECT_EQ(status_of(run.state), RunStatus::done);
  EXPECT_THAT(run.state.end_reason, HasSubstr("a"));
}

TEST(RunMachine, AMessageThatFailsStopsNothing) {
  Bench run({message("tell"), a_step("a"), a_step("b", {"a"})});
  run.fail_with("tell", ErrorKind::refused);
  run.succeed("a");
  run.succeed("b");
  EXPECT_EQ(status_of(run.state), RunStatus::done);
}

TEST(RunMachine, WaitsForMessagesAtTheEndButNotForEver) {
  Bench run({message("tell"), a_step("a")});
  run.succeed("a");
  EXPECT_FALSE(run.state.finished());
  run.after(Duration{9'999});
  EXPECT_FALSE(run.state.finished());
  run.after(Duration{1});
  EXPECT_EQ(status_of(run.state), RunStatus::done);
  EXPECT_TRUE(run.commanded<command::CancelStep>());
}

TEST(RunMachine, AsksDistinctPeopleAndTakesNobodyElsesWord) {
  Bench run({asked(a_step("a"))});
  EXPECT_THAT(run.started(), IsEmpty());
  ASSERT_TRUE(run.commanded<command::AskApproval>());
  EXPECT_EQ(status_of(run.state), RunStatus::asking);
  EXPECT_TRUE(run.give(input::Approve{"a", "eve"}).refused);
  EXPECT_TRUE(run.give(input::Approve{"a", ""}).refused);
  EXPECT_FALSE(run.give(input::Approve{"a", "ann"}).refused);
  EXPECT_TRUE(run.give(input::Approve{"a", "ann"}).refused);
  EXPECT_THAT(run.started(), IsEmpty());
  run.give(input::Approve{"a", "bob"});
  EXPECT_THAT(run.started(), ElementsAre("a"));
}

TEST(RunMachine, AQuestionThatNobodyAnswersFailsTheStepAndALateAnswerIsRefused) {
  Bench run({asked(a_step("a"))});
  run.give(input::Approve{"a", "ann"});
  run.at += Duration{60'000};
  EXPECT_TRUE(run.give(input::Approve{"a", "bob"}).refused);
  EXPECT_EQ(run.status("a"), StepStatus::failed);
  run.give(input::Retry{"a", "ann"});
  EXPECT_EQ(run.status("a"), StepStatus::asking);
  EXPECT_TRUE(run.state.step("a")->approvals.empty());
}

TEST(RunMachine, ADeclineEndsTheQuestion) {
  Bench run({asked(a_step("a"))});
  run.give(input::Decline{"a", "bob", "too early"});
  EXPECT_EQ(run.status("a"), StepStatus::failed);
  EXPECT_EQ(run.state.step("a")->error, "declined by bob: too early");
}

TEST(RunMachine, AnApprovalStepIsDoneWhenItIsAnswered) {
  auto step = asked(a_step("agree"), 1);
  step.kind = StepKind::approval;
  Bench run({step, a_step("a", {"agree"})});
  run.give(input::Approve{"agree", "cid"});
  EXPECT_EQ(run.status("agree"), StepStatus::done);
  EXPECT_THAT(run.started(), ElementsAre("a"));
}

TEST(RunMachine, AManualStepWaitsForItsConfirmation) {
  auto step = a_step("by-hand");
  step.kind = StepKind::manual;
  step.people = {"ann"};
  Bench run({step});
  ASSERT_TRUE(run.commanded<command::AskManual>());
  EXPECT_EQ(run.status("by-hand"), StepStatus::asking);
  EXPECT_TRUE(run.give(input::Confirm{"by-hand", "bob", ""}).refused);
  run.give(input::Confirm{"by-hand", "ann", "key turned"});
  EXPECT_EQ(status_of(run.state), RunStatus::done);
}

TEST(RunMachine, AManualStepAsksForApprovalBeforeItAsksForConfirmation) {
  auto step = asked(a_step("by-hand"), 1);
  step.kind = StepKind::manual;
  Bench run({step});
  EXPECT_TRUE(run.give(input::Confirm{"by-hand", "ann", ""}).refused);
  run.give(input::Approve{"by-hand", "ann"});
  EXPECT_TRUE(run.give(input::Approve{"by-hand", "bob"}).refused);
  run.give(input::Confirm{"by-hand", "bob", ""});
  EXPECT_EQ(status_of(run.state), RunStatus::done);
}

TEST(RunMachine, SkipsAStepWhoseConditionDoesNotHold) {
  auto step = a_step("b", {"a"});
  step.if_ = "steps.a.data.lag_s > 30s";
  Bench run({a_step("a"), step, a_step("c", {"b"})});
  run.succeed("a", JsonObject{{"lag_s", 3}});
  EXPECT_EQ(run.status("b"), StepStatus::skipped);
  EXPECT_THAT(run.started(), ElementsAre("c"));
}

TEST(RunMachine, AConditionThatCannotBeJudgedFailsItsStep) {
  auto step = a_step("b", {"a"});
  step.if_ = "steps.a.data.lag_s > 30s";
  Bench run({a_step("a"), step});
  run.succeed("a");
  EXPECT_EQ(run.status("b"), StepStatus::failed);
  EXPECT_THAT(run.state.step("b")->error, HasSubstr("steps.a.data.lag_s"));
}

TEST(RunMachine, HaltsWhenItsConditionHoldsOrCannotBeJudged) {
  for (std::string condition : {"steps.a.data.errors > 1", "steps.a.data.missing > 1"}) {
    auto step = a_step("a");
    step.halt_if = condition;
    Bench run({step, a_step("b", {"a"})});
    run.succeed("a", JsonObject{{"errors", 2}});
    EXPECT_EQ(status_of(run.state), RunStatus::paused);
    EXPECT_THAT(run.started(), IsEmpty());
    run.give(input::Resume{"ann"});
    EXPECT_THAT(run.started(), ElementsAre("b"));
  }
}

TEST(RunMachine, APauseStartsNothingAndEndsNothing) {
  auto retried = a_step("r");
  retried.retries.attempts = 2;
  Bench run({a_step("a"), a_step("b", {"a"}), retried});
  run.give(input::Pause{"ann", "look first"});
  run.succeed("a");
  run.fail_with("r", ErrorKind::unreachable);
  run.after(Duration{100'000});
  EXPECT_THAT(run.started(), IsEmpty());
  EXPECT_TRUE(run.give(input::Pause{"ann", ""}).refused);
  run.give(input::Resume{"ann"});
  EXPECT_THAT(run.started(), ::testing::UnorderedElementsAre("b", "r"));
}

TEST(RunMachine, WaitsByTimeAloneAndOnlyItsRest) {
  auto step = a_step("settle");
  step.kind = StepKind::wait;
  step.wait = Duration{30'000};
  Bench run({step});
  EXPECT_EQ(run.last.wake, run.now().mono + Duration{30'000});
  run.after(Duration{20'000});
  run.give(input::Recovered{"boot-1"});
  EXPECT_EQ(run.last.wake, run.now().mono + Duration{10'000});
  run.after(Duration{10'000});
  EXPECT_EQ(status_of(run.state), RunStatus::done);
}

TEST(RunMachine, CarriesWaitsOverARebootByWallTime) {
  auto step = a_step("settle");
  step.kind = StepKind::wait;
  step.wait = Duration{30'000};
  Bench run({step});
  // 12 s later by the wall; the monotonic clock begins again at 1 s.
  Now later{MonoTime(Duration{1'000}), run.now().wall + Duration{12'000}};
  auto decision = advance(run.state, input::Recovered{"boot-2"}, later, [] { return 0.5; });
  EXPECT_EQ(decision.wake, later.mono + Duration{18'000});
}

// Case 91, patroni#3560: the clock went back by two hours, and what was to be done waited for as long.
TEST(RunMachine, AWallClockThatWentBackOverARebootMakesNoWaitLonger) {
  auto step = a_step("settle");
  step.kind = StepKind::wait;
  step.wait = Duration{30'000};
  Bench run({step});
  Now later{MonoTime(Duration{1'000}), run.now().wall - std::chrono::hours(2)};
  auto decision = advance(run.state, input::Recovered{"boot-2"}, later, [] { return 0.5; });
  EXPECT_EQ(decision.wake, later.mono + Duration{30'000});
}

TEST(RunMachine, AbortStopsRunningStepsAndThenEnds) {
  Bench run({a_step("a"), asked(a_step("b")), a_step("c", {"a"})});
  run.give(input::Abort{"ann", "wrong scenario", false});
  ASSERT_TRUE(run.commanded<command::CancelStep>());
  EXPECT_EQ(run.status("b"), StepStatus::skipped);
  EXPECT_FALSE(run.state.finished());
  run.fail_with("a", ErrorKind::cancelled);
  EXPECT_EQ(status_of(run.state), RunStatus::aborted);
  EXPECT_THAT(run.state.end_reason, HasSubstr("may be half done: a"));
}

TEST(RunMachine, RollsBackNewestFirstWhatHadAnEffectAndCanBeTakenBack) {
  auto undoable = [](std::string id, std::vector<std::string> needs) {
    auto step = a_step(std::move(id), std::move(needs));
    step.can_undo = true;
    return step;
  };
  auto last = a_step("d", {"c"});
  last.on_failure = OnFailure::rollback;
  Bench run({undoable("a", {}), undoable("held", {"a"}), a_step("b", {"held"}), undoable("c", {"b"}), last});
  run.succeed("a", JsonObject{{"was", 1}});
  run.give(input::Held{"held", 1, "so before", {}});
  run.succeed("b");
  run.succeed("c");
  run.fail_with("d", ErrorKind::refused);
  ASSERT_TRUE(run.commanded<command::UndoStep>());
  EXPECT_EQ(run.commanded<command::UndoStep>()->step, "c");
  EXPECT_EQ(status_of(run.state), RunStatus::rolling_back);
  run.give(input::Undone{"c", "back"});
  EXPECT_EQ(run.commanded<command::UndoStep>()->step, "a");
  EXPECT_EQ(int_or(run.commanded<command::UndoStep>()->applied, "was"), 1);
  run.give(input::Undone{"a", "back"});
  EXPECT_EQ(status_of(run.state), RunStatus::rolled_back);
  EXPECT_EQ(run.status("held"), StepStatus::done);
}

TEST(RunMachine, ARollbackThatCannotTakeSomethingBackEndsAsFailedAndNamesIt) {
  auto step = a_step("a");
  step.can_undo = true;
  Bench run({step, a_step("b", {"a"})});
  run.succeed("a");
  run.give(input::Abort{"ann", "", true});
  run.fail_with("b", ErrorKind::cancelled);
  Error error;
  error.what = "stuck";
  run.give(input::UndoFailed{"a", error});
  EXPECT_EQ(status_of(run.state), RunStatus::failed);
  EXPECT_THAT(run.state.end_reason, HasSubstr("could not be taken back: a"));
}

// Case 54, patroni#1776: what was to be done once when roles change was done twice.
TEST(RunMachine, StartsAgainWhatARestartCutOffAndObservesItFirst) {
  Bench run({a_step("a"), a_step("b", {"a"})});
  auto folded = fold("R-1", run.journal);
  ASSERT_TRUE(folded);
  run.state = *folded;
  run.give(input::Recovered{"boot-1"});
  ASSERT_THAT(run.started(), ElementsAre("a"));
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must);
  EXPECT_EQ(run.commanded<command::StartStep>()->attempt, 2);
  run.fail_with("a", ErrorKind::refused);
  EXPECT_EQ(run.status("a"), StepStatus::failed);
}

TEST(RunMachine, ObservesInEveryAttemptAfterOneThatARestartCutOff) {
  auto step = a_step("a");
  step.retries = {.attempts = 3, .backoff = Duration{1'000}, .longest = Duration{60'000}};
  Bench run({step});
  auto folded = fold("R-1", run.journal);
  ASSERT_TRUE(folded);
  run.state = *folded;
  run.give(input::Recovered{"boot-1"});
  run.fail_with("a", ErrorKind::unreachable);
  run.after(Duration{1'000});
  EXPECT_EQ(run.commanded<command::StartStep>()->attempt, 3);
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must);
}

void restore(Bench& run) {
  ASSERT_TRUE(apply(run.state, {RunRestored{"from a copy"}, run.now().mono, run.now().wall}));
  run.give(input::Recovered{"boot-2"});
  EXPECT_THAT(run.started(), IsEmpty());
  EXPECT_EQ(run.commanded<command::UndoStep>(), nullptr);
}

// The copy is older than what was done: nothing goes on unasked, and what starts looks whether it is done already.
TEST(RunMachine, WhatWasRestoredFromACopyWaitsForAPersonAndLooksFirst) {
  Bench run({asked(a_step("a")), a_step("b", {"a"}), a_step("c", {"b"})});
  restore(run);
  run.give(input::Approve{"a", "ann"});
  run.give(input::Approve{"a", "bob"});
  EXPECT_THAT(run.started(), IsEmpty());
  run.after(Duration{3'600'000});
  EXPECT_THAT(run.started(), IsEmpty());
  EXPECT_EQ(status_of(run.state), RunStatus::paused);
  EXPECT_EQ(run.state.paused_why, "from a copy");
  run.give(input::Resume{"ann"});
  for (const char* each : {"a", "b", "c"}) {
    ASSERT_THAT(run.started(), ElementsAre(each));
    EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must)
        << "it may have been done after the copy";
    run.succeed(each);
  }
  EXPECT_EQ(status_of(run.state), RunStatus::done);
}

TEST(RunMachine, WhatWasAtWorkInACopyIsStartedAgainOnlyByAPerson) {
  auto retried = a_step("retried");
  retried.retries.attempts = 3;
  Bench run({a_step("running"), retried, a_step("after", {"running", "retried"})});
  run.fail_with("retried", ErrorKind::unreachable);
  ASSERT_EQ(run.status("retried"), StepStatus::retrying);
  restore(run);
  run.after(Duration{3'600'000});
  EXPECT_THAT(run.started(), IsEmpty());
  EXPECT_EQ(run.status("running"), StepStatus::failed);
  EXPECT_EQ(run.status("retried"), StepStatus::failed);
  run.give(input::Resume{"ann"});
  EXPECT_THAT(run.started(), IsEmpty()) << "what failed waits for a decision of its own";
  run.give(input::Skip{"retried", "ann", "is done"});
  run.give(input::Retry{"running", "ann"});
  ASSERT_THAT(run.started(), ElementsAre("running"));
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must);
}

TEST(RunMachine, ACopyOfARollbackTakesNothingMoreBack) {
  auto undoable = a_step("a");
  undoable.can_undo = true;
  Bench run({undoable, a_step("b", {"a"})});
  run.succeed("a");
  run.give(input::Abort{"ann", "wrong scenario", true});
  restore(run);
  EXPECT_EQ(status_of(run.state), RunStatus::failed);
  EXPECT_THAT(run.state.end_reason, HasSubstr("could not be taken back: a"));
  EXPECT_THAT(run.state.end_reason, HasSubstr("may be half done: b"));
}

TEST(RunMachine, IgnoresTheResultOfAnAttemptItNoLongerAwaits) {
  Bench run({a_step("a")});
  run.give(input::Recovered{"boot-1"});
  EXPECT_THAT(run.give(input::Succeeded{"a", 1, "late", {}}).events, IsEmpty());
  EXPECT_EQ(run.status("a"), StepStatus::running);
}

TEST(RunMachine, GivesUpAnAttemptThatDoesNotEndWhenItsTimeIsUp) {
  auto step = a_step("a");
  step.retries.attempts = 9;
  Bench run({step});
  run.after(Duration{64'999});
  EXPECT_EQ(run.status("a"), StepStatus::running);
  run.after(Duration{1});
  EXPECT_EQ(run.status("a"), StepStatus::failed);
  EXPECT_THAT(run.state.step("a")->error, HasSubstr("may still be at work"));
  run.give(input::Retry{"a", "ann"});
  ASSERT_THAT(run.started(), ElementsAre("a"));
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must);
}

TEST(RunMachine, WhatHadNoAnswerMayComeLateSoEveryAttemptAfterItLooksFirst) {
  auto step = a_step("a");
  step.retries.attempts = 9;
  Bench run({step});
  run.fail_with("a", ErrorKind::unknown_outcome);
  run.after(Duration{1'000});
  run.fail_with("a", ErrorKind::unreachable);
  run.after(Duration{60'000});
  ASSERT_THAT(run.started(), ElementsAre("a"));
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must);
}

TEST(RunMachine, APersonCanStopARunningStep) {
  auto step = a_step("a");
  step.retries.attempts = 9;
  Bench run({step});
  EXPECT_TRUE(run.give(input::Skip{"a", "ann", "hangs"}).refused);
  run.give(input::CancelStep{"a", "ann", "hangs"});
  ASSERT_TRUE(run.commanded<command::CancelStep>());
  run.fail_with("a", ErrorKind::cancelled);
  EXPECT_EQ(run.status("a"), StepStatus::failed);
  run.give(input::Retry{"a", "ann"});
  EXPECT_EQ(run.commanded<command::StartStep>()->observe, command::Observe::must);
}

TEST(RunMachine, RefusesWhatMakesNoSenseAndChangesNothing) {
  Bench run({a_step("a"), a_step("b", {"a"})});
  std::string before = fingerprint(run.state);
  EXPECT_TRUE(run.give(input::Approve{"a", "ann"}).refused);
  EXPECT_TRUE(run.give(input::Approve{"nothing", "ann"}).refused);
  EXPECT_TRUE(run.give(input::Skip{"b", "ann", ""}).refused);
  EXPECT_TRUE(run.give(input::Retry{"a", "ann"}).refused);
  EXPECT_TRUE(run.give(input::Resume{"ann"}).refused);
  EXPECT_EQ(fingerprint(run.state), before);
}

TEST(RunMachine, DecidingLeavesTheStateAlone) {
  Bench run({a_step("a")});
  std::string before = fingerprint(run.state);
  auto decision = decide(run.state, input::Succeeded{"a", 1, "ok", {}}, run.now(), [] { return 0.5; });
  EXPECT_FALSE(decision.events.empty());
  EXPECT_EQ(fingerprint(run.state), before);
}

TEST(RunMachine, AJournalThatDoesNotFitIsLoud) {
  Bench run({a_step("a"), a_step("b", {"a"})});
  auto journal = run.journal;
  journal.push_back({StepStarted{"b", 1, false, false}, MonoTime{}, WallTime{}});
  auto folded = fold("R-1", journal);
  ASSERT_FALSE(folded);
  EXPECT_THAT(folded.error().what, HasSubstr("event 3 of run R-1"));
  EXPECT_FALSE(fold("R-1", std::span(journal).subspan(1)));
}

}  // namespace
}  // namespace lifeboat::run
