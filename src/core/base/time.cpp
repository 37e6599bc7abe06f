#include "core/base/time.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace lifeboat {
namespace {

struct Unit {
  std::string_view name;
  int64_t ms;
};
// Longest first, so that "m" is not taken from "ms".
constexpr std::array<Unit, 5> kUnits{{{"ms", 1}, {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}}};
constexpr int64_t kLongestMs = int64_t{10} * 366 * 86'400'000;

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t total = 0;
  int64_t previous_unit = kLongestMs;
  while (!text.empty()) {
    int64_t count = 0;
    auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (problem != std::errc{} || count < 0 || *text.data() == '-') return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const Unit* found = nullptr;
    for (const Unit& unit : kUnits) {
      if (text.starts_with(unit.name)) {
        found = &unit;
        break;
      }
    }
    // Units may only shrink ("1h30m"), so that "30m1h" and "1s1s" are seen as slips.
    if (found == nullptr || found->ms >= previous_unit) return std::nullopt;
    if (count > kLongestMs / found->ms) return std::nullopt;
    total += count * found->ms;
    if (total > kLongestMs) return std::nullopt;
    previous_unit = found->ms;
    text.remove_prefix(found->name.size());
  }
  return Duration{total};
}

std::string format_duration(Duration span) {
  int64_t left = span.count();
  if (left == 0) return "0s";
  std::string out = left < 0 ? "-" : "";
  left = left < 0 ? -left : left;
  constexpr std::array<Unit, 5> order{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
  for (const Unit& unit : order) {
    if (left >= unit.ms) out += fmt::format("{}{}", left / unit.ms, unit.name);
    left %= unit.ms;
  }
  return out;
}

std::string format_clock(Duration span) {
  int64_t seconds = span.count() / 1000;
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string format_span(Duration span) {
  int64_t ms = span.count();
  if (ms < 0) return "-" + format_span(-span);
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 10'000) return fmt::format("{:.2f} s", static_cast<double>(ms) / 1000);
  if (ms < 60'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
  int64_t seconds = ms / 1000;
  if (seconds < 3600) {
    return seconds % 60 == 0 ? fmt::format("{} min", seconds / 60)
                             : fmt::format("{} min {} s", seconds / 60, seconds % 60);
  }
  return seconds / 60 % 60 == 0 ? fmt::format("{} h", seconds / 3600)
                                : fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

std::string format_wall(WallTime at) {
  auto day = std::chrono::floor<std::chrono::days>(at);
  std::chrono::year_month_day date{day};
  std::chrono::hh_mm_ss clock{at - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string format_wall_clock(WallTime at) { return format_wall(at).substr(11, 8); }

std::optional<WallTime> parse_wall(std::string_view text) {
  // Fixed columns: 2026-11-23T04:12:55[.123]Z
  if (text.size() != 20 && text.size() != 24) return std::nullopt;
  auto number = [&](size_t from, size_t count) -> int {
    int value = -1;
    auto [end, problem] = std::from_chars(text.data() + from, text.data() + from + count, value);
    return problem == std::errc{} && end == text.data() + from + count ? value : -1;
  };
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text.back() != 'Z')
    return std::nullopt;
  int ms = 0;
  if (text.size() == 24) {
    if (text[19] != '.') return std::nullopt;
    ms = number(20, 3);
  }
  int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  std::chrono::year_month_day date{std::chrono::year{number(0, 4)},
                                   std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                   std::chrono::day{static_cast<unsigned>(number(8, 2))}};
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || ms < 0)
    return std::nullopt;
  return WallTime{std::chrono::sys_days{date}} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second} + std::chrono::milliseconds{ms};
}

}  // namespace lifeboat
