#include "core/rehearsal/due.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lifeboat::rehearsal {
namespace {

// Faults are put in in the lab alone; elsewhere the drill is held as a whole.
std::vector<std::string> parts_of(const Drill& drill) {
  if (drill.in != "lab" || drill.faults.empty()) return {""};
  return drill.faults;
}

// When this part of it was last held with success.
std::optional<WallTime> newest_success(const std::string& part, const std::vector<Held>& held, WallTime now) {
  std::optional<WallTime> newest;
  for (const Held& one : held) {
    bool counts = one.passed && one.at <= now && (part.empty() || one.fault == part);
    if (counts && (!newest || one.at > *newest)) newest = one.at;
  }
  return newest;
}

}  // namespace

WallTime one_period_after(WallTime at, std::string_view every) {
  using namespace std::chrono;
  auto day_at = floor<days>(at);
  if (every == "weekly") return at + days(7);
  year_month_day date(day_at);
  date += months(every == "quarterly" ? 3 : every == "annually" ? 12 : 1);
  if (!date.ok()) date = date.year() / date.month() / last;
  return sys_days(date) + (at - day_at);
}

Duration grace_of(std::string_view every) {
  using std::chrono::days;
  return every == "weekly" ? days(2) : every == "quarterly" ? days(14) : every == "annually" ? days(30) : days(7);
}

Row judge(const Drill& drill, WallTime planned, const std::vector<Held>& held, WallTime now) {
  Row out;
  for (const Held& one : held) {
    if (one.at <= now && (!out.last || one.at >= out.last->at)) out.last = one;
  }
  std::vector<std::string> parts = parts_of(drill);
  for (const std::string& part : parts) {
    auto success = newest_success(part, held, now);
    if (!success) {
      out.open.push_back(part);
    } else if (!out.proven || *success < *out.proven) {
      out.proven = success;
    }
  }
  if (!out.open.empty()) out.proven.reset();
  if (parts.front().empty()) out.open.clear();
  out.due = one_period_after(out.proven.value_or(planned), drill.every);
  out.standing = now < out.due                           ? Standing::current
                 : now < out.due + grace_of(drill.every) ? Standing::due
                                                         : Standing::overdue;
  return out;
}

std::string in_words(const Row& row) {
  std::string out = "never held";
  if (row.last) {
    out = fmt::format("{} {} ({})", row.last->passed ? "held" : "not passed", day_of(row.last->at), row.last->source);
    if (!row.last->passed && row.proven) out += fmt::format(", held {}", day_of(*row.proven));
  }
  if (row.last && !row.open.empty()) out += fmt::format(", {} not yet", fmt::join(row.open, ", "));
  return out + fmt::format(", {} {}", row.standing == Standing::overdue ? "overdue since" : "due", day_of(row.due));
}

std::string how_to_hold(const Drill& drill) {
  std::string done = fmt::format("lifeboat drills done {}", drill.name.text);
  if (!drill.run) return done;
  if (drill.in == "production") return fmt::format("lifeboat run {}", drill.run->text);
  if (drill.in != "lab") return done;
  std::string faults = drill.faults.empty() ? "" : fmt::format(" --fault {}", fmt::join(drill.faults, "|"));
  return fmt::format("lifeboat drill {}{} --report FILE, then {} --report FILE", drill.run->text, faults, done);
}

std::string day_of(WallTime at) { return format_wall(at).substr(0, 10); }

}  // namespace lifeboat::rehearsal
