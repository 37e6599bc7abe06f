#include "core/run/events.hpp"

#include <gtest/gtest.h>

#include <map>

#include "core/data/encode.hpp"
#include "core/run/test_runs.hpp"

namespace lifeboat::run {
namespace {

Event at_noon(EventBody body) {
  return {std::move(body), MonoTime(std::chrono::nanoseconds(42)),
          WallTime(std::chrono::milliseconds(1'700'000'000'123))};
}

std::vector<Event> one_of_each() {
  RunOpened opened = test::opened_with({test::a_step("a")});
  opened.vars.add("to", Json("us-west-2"));
  return {at_noon(opened),
          at_noon(RunRecovered{"boot-2"}),
          at_noon(StepStarted{"a", 2, true, true}),
          at_noon(StepObserved{"a", 2, "holds", JsonObject{{"x", 1}}}),
          at_noon(StepFinished{"a", 1, "done", JsonObject{{"x", 1}}}),
          at_noon(StepFailed{"a", 1, "unreachable", "no route", false}),
          at_noon(StepUnknown{"a", 1, "no answer"}),
          at_noon(StepRetryScheduled{"a", 2, Duration{1'500}}),
          at_noon(StepRetryAsked{"a", "ann"}),
          at_noon(StepSkipped{"a", "ann", "not needed"}),
          at_noon(ApprovalAsked{"a", 2, {"lead"}, {"ann", "bob"}, Duration{60'000}, "go on?", "12 writes", "abc"}),
          at_noon(ApprovalGiven{"a", "ann"}),
          at_noon(ApprovalDeclined{"a", "bob", "no"}),
          at_noon(ApprovalExpired{"a"}),
          at_noon(ManualAsked{"a", "turn the key", {"ann"}}),
          at_noon(ManualConfirmed{"a", "ann", "turned"}),
          at_noon(StepCancelAsked{"a", "ann", "hangs"}),
          at_noon(RunPaused{"ann", "lunch"}),
          at_noon(RunResumed{"ann"}),
          at_noon(RunHalted{"a", "1 == 1"}),
          at_noon(RunRestored{"from a copy of noon"}),
          at_noon(AbortAsked{"ann", "wrong scenario", true}),
          at_noon(RollbackStarted{"asked"}),
          at_noon(UndoStarted{"a"}),
          at_noon(StepUndone{"a", "back"}),
          at_noon(StepUndoFailed{"a", "stuck"}),
          at_noon(RunFinished{RunEnd::rolled_back, "asked"})};
}

TEST(RunEvents, EveryKindComesBackFromTheJournalAsItWas) {
  auto events = one_of_each();
  ASSERT_EQ(events.size(), std::variant_size_v<EventBody>);
  for (const Event& event : events) {
    Json body = encode_event(event);
    auto text = parse_json(to_text(body));
    ASSERT_TRUE(text);
    auto back = decode_event(kind_of(event), *text);
    ASSERT_TRUE(back) << kind_of(event) << ": " << back.error().text();
    EXPECT_EQ(to_canonical_text(encode_event(*back)), to_canonical_text(body));
    EXPECT_EQ(back->body.index(), event.body.index());
    EXPECT_FALSE(in_words(event).empty());
  }
}

// What released versions have written must be read for ever: these lines are never changed, only added to.
TEST(RunEvents, ReadsGoldenSamples) {
  const std::map<std::string, std::string> golden{
      {"step-started",
       R"({"attempt":2,"boot_ns":42,"cut_off":true,"observe":true,"step":"a","wall":"2023-11-14T22:13:20.123Z"})"},
      {"step-finished",
       R"({"attempt":1,"boot_ns":42,"data":{"x":1},"step":"a","summary":"done","wall":"2023-11-14T22:13:20.123Z"})"},
      {"step-failed",
       R"({"attempt":1,"boot_ns":42,"error":"no route","final":false,"kind":"unreachable","step":"a","wall":"2023-11-14T22:13:20.123Z"})"},
      {"step-retry-scheduled",
       R"({"after":"1s500ms","attempt":2,"boot_ns":42,"step":"a","wall":"2023-11-14T22:13:20.123Z"})"},
      {"approval-asked",
       R"({"boot_ns":42,"expires":"1m","loss":"12 writes","need":2,"people":["ann","bob"],"plan_hash":"abc","roles":["lead"],"step":"a","text":"go on?","wall":"2023-11-14T22:13:20.123Z"})"},
      {"run-finished", R"({"boot_ns":42,"reason":"asked","state":"rolled-back","wall":"2023-11-14T22:13:20.123Z"})"},
  };
  size_t seen = 0;
  for (const Event& event : one_of_each()) {
    auto sample = golden.find(std::string(kind_of(event)));
    if (sample == golden.end()) continue;
    ++seen;
    EXPECT_EQ(to_canonical_text(encode_event(event)), sample->second);
    auto back = decode_event(sample->first, *parse_json(sample->second));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(to_canonical_text(encode_event(*back)), sample->second);
  }
  EXPECT_EQ(seen, golden.size());
}

TEST(RunEvents, RefusesUnknownKindsAndBodiesThatDoNotFit) {
  Json body = encode_event(at_noon(UndoStarted{"a"}));
  EXPECT_FALSE(decode_event("no-such-kind", body));
  EXPECT_FALSE(decode_event("run-finished", body));
  EXPECT_FALSE(decode_event("undo-started", Json(JsonObject{{"step", "a"}})));
  EXPECT_FALSE(decode_event("undo-started", Json(nullptr)));
}

TEST(RunEvents, KindsOfErrorsComeBackByTheirNames) {
  for (ErrorKind kind : {ErrorKind::refused, ErrorKind::unknown_outcome, ErrorKind::internal, ErrorKind::cancelled})
    EXPECT_EQ(error_kind_of(to_string(kind)), kind);
}

}  // namespace
}  // namespace lifeboat::run
