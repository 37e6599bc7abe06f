// When each drill of the plan's calendar is due, by when it was held. Pure: the caller knows the time and what the journal tells.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/data/describe.hpp"
#include "core/model/plan.hpp"

namespace lifeboat::rehearsal {

// One time that a drill was held, or tried.
struct Held {
  WallTime at{};      // when it began
  std::string fault;  // that was put in; empty: none
  bool passed = false;
  std::string source;  // the run, or who said so
  std::string text;    // what came of it
};

BOOST_DEFINE_ENUM_CLASS(Standing,
                        current,  // held, or the plan has it for less than one period
                        due,      // to be held now
                        overdue)  // should have been, and its days of grace are over

struct Row {
  std::optional<Held> last;        // the newest, however it ended
  std::optional<WallTime> proven;  // when all of it was last held with success
  std::vector<std::string> open;   // faults of the drill that were never put in with success
  WallTime due{};
  Standing standing = Standing::current;
};

// weekly, monthly, quarterly or annually after `at`, by the calendar, at the same time of day (UTC): a month after 31 January is the last
// day of February. What `lifeboat check` refuses counts as monthly.
WallTime one_period_after(WallTime at, std::string_view every);
// How long after it is due a drill may still wait for people: 2, 7, 14 or 30 days.
Duration grace_of(std::string_view every);

// `planned`: since when the plan has this drill. One that was never held is due one period after that, so that a new plan does not begin
// with reproaches. Only success puts it off; with several faults, each of them counts by itself. What lies in the future, by a clock that
// was wrong, counts for nothing.
Row judge(const Drill& drill, WallTime planned, const std::vector<Held>& held, WallTime now);

// "held 2026-11-28, due 2026-12-28".
std::string in_words(const Row& row);
// What a person does to hold it: "lifeboat run database-recovery-test".
std::string how_to_hold(const Drill& drill);
// The day, UTC: "2026-11-28".
std::string day_of(WallTime at);

}  // namespace lifeboat::rehearsal
