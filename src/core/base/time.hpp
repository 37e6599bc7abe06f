// Time as types. core/ never reads a clock: every function that depends on time takes it as an argument.
// io/clock.hpp reads the real ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lifeboat {

// Every span in a plan and in decisions. Milliseconds carry a 10-year plan in 64 bits with room to spare.
using Duration = std::chrono::milliseconds;

// Monotonic time that goes on counting while the machine sleeps (CLOCK_BOOTTIME). Leases and deadlines use
// nothing else.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock, duration>;
  static constexpr bool is_steady = true;
};
using MonoTime = BootClock::time_point;

// Wall-clock time, for people and reports; no decision that concerns safety uses it.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// "250ms", "30s", "15m", "4h", "7d", or a sum such as "1h30m". Nothing for anything else, negative or above 10 years.
std::optional<Duration> parse_duration(std::string_view text);

// The shortest exact form that parse_duration reads: "1h30m", "250ms", "0s".
std::string format_duration(Duration span);

// For people: "0:24:32" for clocks.
std::string format_clock(Duration span);
// For people: "1.84 s", "1 min 52 s", "1 h 22 min".
std::string format_span(Duration span);

// "2026-11-23T04:12:55.123Z", always UTC.
std::string format_wall(WallTime at);
// "04:12:55", UTC.
std::string format_wall_clock(WallTime at);
// Reads what format_wall writes (fraction optional); nothing for anything else.
std::optional<WallTime> parse_wall(std::string_view text);

// What the monotonic clock showed at that time of day, as far as nobody has set the time of day since: good for spans of hours. `wall` and
// `mono` are now.
inline MonoTime mono_at(WallTime at, WallTime wall, MonoTime mono) { return mono - (wall - at); }

inline Duration to_duration(std::chrono::nanoseconds span) { return std::chrono::duration_cast<Duration>(span); }
inline double to_seconds(std::chrono::nanoseconds span) { return std::chrono::duration<double>(span).count(); }

}  // namespace lifeboat
