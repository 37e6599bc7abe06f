#include "core/rehearsal/due.hpp"

#include <gtest/gtest.h>

namespace lifeboat::rehearsal {
namespace {

WallTime on(std::string_view text) { return *parse_wall(text); }

Drill drill_of(std::string every, std::string in = "production") {
  return {.name = {"d"}, .title = "d", .run = Identifier{"prove"}, .every = std::move(every), .in = std::move(in)};
}
Held held_at(std::string_view text, bool passed = true, std::string fault = {}) {
  return {.at = on(text), .fault = std::move(fault), .passed = passed, .source = "R-1"};
}

const WallTime kPlanned = on("2026-01-10T08:00:00Z");

TEST(OnePeriodAfter, GoesByTheCalendar) {
  EXPECT_EQ(one_period_after(on("2026-01-10T08:30:00Z"), "weekly"), on("2026-01-17T08:30:00Z"));
  EXPECT_EQ(one_period_after(on("2026-01-31T23:30:00Z"), "monthly"), on("2026-02-28T23:30:00Z"));
  EXPECT_EQ(one_period_after(on("2026-12-05T00:00:00Z"), "monthly"), on("2027-01-05T00:00:00Z"));
  EXPECT_EQ(one_period_after(on("2026-11-30T08:00:00Z"), "quarterly"), on("2027-02-28T08:00:00Z"));
  EXPECT_EQ(one_period_after(on("2028-02-29T08:00:00Z"), "annually"), on("2029-02-28T08:00:00Z"));
}

TEST(Due, ADrillThatIsNewInThePlanHasOnePeriodToBeHeld) {
  Drill drill = drill_of("monthly");
  Row row = judge(drill, kPlanned, {}, on("2026-02-10T07:59:59Z"));
  EXPECT_EQ(row.standing, Standing::current);
  EXPECT_EQ(in_words(row), "never held, due 2026-02-10");
  EXPECT_EQ(judge(drill, kPlanned, {}, on("2026-02-10T08:00:00Z")).standing, Standing::due);
  EXPECT_EQ(judge(drill, kPlanned, {}, on("2026-02-17T07:59:59Z")).standing, Standing::due);
  row = judge(drill, kPlanned, {}, on("2026-02-17T08:00:00Z"));
  EXPECT_EQ(row.standing, Standing::overdue);
  EXPECT_EQ(in_words(row), "never held, overdue since 2026-02-10");
}

TEST(Due, SuccessPutsItOffByOnePeriod) {
  std::vector<Held> held{held_at("2026-03-01T02:00:00Z"), held_at("2026-02-01T02:00:00Z")};
  Row row = judge(drill_of("monthly"), kPlanned, held, on("2026-03-20T00:00:00Z"));
  EXPECT_EQ(row.due, on("2026-04-01T02:00:00Z"));
  EXPECT_EQ(row.standing, Standing::current);
  EXPECT_EQ(in_words(row), "held 2026-03-01 (R-1), due 2026-04-01");
}

TEST(Due, OneThatDidNotPassIsToldAndPutsNothingOff) {
  std::vector<Held> held{held_at("2026-02-01T02:00:00Z"), held_at("2026-03-01T02:00:00Z", false)};
  Row row = judge(drill_of("monthly"), kPlanned, held, on("2026-03-20T00:00:00Z"));
  EXPECT_EQ(row.due, on("2026-03-01T02:00:00Z"));
  EXPECT_EQ(row.standing, Standing::overdue);
  EXPECT_EQ(in_words(row), "not passed 2026-03-01 (R-1), held 2026-02-01, overdue since 2026-03-01");
}

TEST(Due, WhatLiesInTheFutureCountsForNothing) {
  Row row = judge(drill_of("weekly"), kPlanned, {held_at("2030-01-01T00:00:00Z")}, on("2026-03-20T00:00:00Z"));
  EXPECT_FALSE(row.last);
  EXPECT_EQ(row.standing, Standing::overdue);
}

TEST(Due, EachFaultOfADrillInTheLabCountsByItself) {
  Drill drill = drill_of("quarterly", "lab");
  drill.faults = {"kill-region", "cut-region"};
  std::vector<Held> held{held_at("2026-02-01T00:00:00Z", true, "kill-region")};
  Row row = judge(drill, kPlanned, held, on("2026-02-02T00:00:00Z"));
  EXPECT_FALSE(row.proven);
  EXPECT_EQ(row.open, std::vector<std::string>{"cut-region"});
  EXPECT_EQ(row.due, on("2026-04-10T08:00:00Z"));
  EXPECT_EQ(in_words(row), "held 2026-02-01 (R-1), cut-region not yet, due 2026-04-10");
  held.push_back(held_at("2026-02-20T00:00:00Z", true, "cut-region"));
  row = judge(drill, kPlanned, held, on("2026-02-21T00:00:00Z"));
  EXPECT_EQ(row.proven, on("2026-02-01T00:00:00Z"));
  EXPECT_TRUE(row.open.empty());
  // In production nobody puts faults in.
  drill.in = "production";
  EXPECT_EQ(judge(drill, kPlanned, {held_at("2026-02-01T00:00:00Z")}, on("2026-02-02T00:00:00Z")).proven,
            on("2026-02-01T00:00:00Z"));
}

TEST(Due, SaysWhatAPersonDoesToHoldIt) {
  Drill drill = drill_of("monthly");
  EXPECT_EQ(how_to_hold(drill), "lifeboat run prove");
  drill.in = "lab";
  drill.faults = {"kill-region", "cut-region"};
  EXPECT_EQ(how_to_hold(drill),
            "lifeboat drill prove --fault kill-region|cut-region --report FILE, then lifeboat drills done d --report "
            "FILE");
  drill.in = "table";
  drill.run.reset();
  EXPECT_EQ(how_to_hold(drill), "lifeboat drills done d");
}

}  // namespace
}  // namespace lifeboat::rehearsal
