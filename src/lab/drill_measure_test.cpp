#include "lab/drill_measure.hpp"

#include <gtest/gtest.h>

namespace lifeboat::lab {
namespace {

MonoTime at_ms(int64_t ms) { return MonoTime(std::chrono::milliseconds(ms)); }

// One acknowledgement every 20 ms.
std::vector<measure::Ack> every_20ms(int64_t from_ms, int64_t to_ms) {
  std::vector<measure::Ack> out;
  for (int64_t at = from_ms; at < to_ms; at += 20) out.push_back({at_ms(at - 2), at_ms(at)});
  return out;
}

TEST(DrillMeasure, WritableIsWhenAnotherServerTakesWrites) {
  auto cut_off = every_20ms(0, 3500), promoted = every_20ms(4000, 6000);
  EXPECT_EQ(writable_again({cut_off, promoted}, at_ms(2000)), at_ms(4000));
}

TEST(DrillMeasure, WritableIsWhenTheSameServerTakesWritesAfterASilence) {
  auto restarted = every_20ms(0, 2000), after = every_20ms(2700, 4000);
  restarted.insert(restarted.end(), after.begin(), after.end());
  EXPECT_EQ(writable_again({restarted, {}}, at_ms(2000)), at_ms(2700));
}

TEST(DrillMeasure, NothingIsWritableWhenNobodyTakesWritesAgain) {
  EXPECT_EQ(writable_again({every_20ms(0, 2000), {}}, at_ms(2000)), MonoTime{});
}

TEST(DrillMeasure, TheOldServerGoesOnUntilItFallsSilent) {
  auto cut_off = every_20ms(0, 3500), promoted = every_20ms(4000, 6000), returned = every_20ms(7000, 7100);
  cut_off.insert(cut_off.end(), returned.begin(), returned.end());
  EXPECT_EQ(acknowledged_until({promoted, cut_off}, at_ms(2010)), at_ms(3480));
  EXPECT_EQ(acknowledged_until({every_20ms(0, 2000), promoted}, at_ms(2010)), at_ms(1980));
  EXPECT_EQ(acknowledged_until({promoted, {}}, at_ms(2000)), MonoTime{});
}

JsonObject event(int64_t ms, std::string_view stream, std::string_view kind, Json body = nullptr) {
  return {{"boot_ns", ms * 1'000'000}, {"stream", stream}, {"kind", kind}, {"body", std::move(body)}};
}

TEST(DrillMeasure, DetectionIsTheFirstSignalAfterTheFaultAndDecisionTheFirstStart) {
  JsonArray events{event(900, "signals", "signal-raised"), event(2500, "signals", "signal-raised"),
                   event(2500, "signals", "decided", {{"verdict", "nothing"}}),
                   event(2600, "signals", "decided", {{"verdict", "start"}}), event(2700, "run/R-1", "run-opened")};
  Decided found = decided_in(events, at_ms(1000), "R-1");
  EXPECT_EQ(found.detected, at_ms(2500));
  EXPECT_EQ(found.decided, at_ms(2600));
  EXPECT_EQ(found.opened, at_ms(2700));
}

TEST(DrillMeasure, AReflexCountsAsDecision) {
  JsonArray events{event(1100, "database/main", "vacant"), event(1110, "database/main", "automatic-failover"),
                   event(2000, "signals", "signal-raised")};
  Decided found = decided_in(events, at_ms(1000), "R-1");
  EXPECT_EQ(found.detected, at_ms(1100));
  EXPECT_EQ(found.decided, at_ms(1110));
  EXPECT_EQ(found.opened, MonoTime{});
}

TEST(DrillMeasure, TheJournalGoesOnWithTheFirstEventAfterAMomentHoweverTheyAreOrdered) {
  JsonArray events{event(900, "run/R-1", "step-started"), event(0, "run/R-1", "without-a-time"),
                   event(2600, "run/R-1", "run-recovered"), event(2500, "signals", "signal-raised")};
  EXPECT_EQ(first_event_after(events, at_ms(1000)), at_ms(2500));
  EXPECT_EQ(first_event_after(events, at_ms(3000)), MonoTime{});
}

TEST(DrillMeasure, SeveralReportsBecomeLeastMedianAndMostOfEachFigure) {
  auto report = [](double rta, Json detected, std::string_view target) {
    return Json(JsonObject{{"fault", "kill-node"},
                           {"target", target},
                           {"rta_s", rta},
                           {"milestones", JsonObject{{"detected", std::move(detected)}, {"reprotected", nullptr}}}});
  };
  JsonObject spread = spread_of({report(2.5, 2.0, "a"), report(1.5, nullptr, "b"), report(4.0, 3.0, "a")});
  EXPECT_EQ(spread["repeat"], Json(3U));
  EXPECT_EQ(spread["fault"], Json("kill-node"));
  EXPECT_EQ(spread["target"], Json(nullptr)) << "they differ";
  EXPECT_EQ(spread["rta_s"], Json(JsonObject{{"min", 1.5}, {"median", 2.5}, {"max", 4.0}}));
  EXPECT_EQ(member(spread["milestones"], "detected"),
            Json(JsonObject{{"min", 2.0}, {"median", 2.5}, {"max", 3.0}, {"none", 1U}}));
  EXPECT_EQ(member(spread["milestones"], "reprotected"), Json(nullptr));
}

}  // namespace
}  // namespace lifeboat::lab
