#include "core/recovery/moment.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace lifeboat {
namespace {

// Takes exactly `digits` digits from the front.
std::optional<int> take_number(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::minutes> take_zone(std::string_view& text) {
  if (text == "Z" || text == "z" || text == "UTC") {
    text = {};
    return std::chrono::minutes{0};
  }
  bool west = text.starts_with('-');
  if (!west && !text.starts_with('+')) return std::nullopt;
  text.remove_prefix(1);
  auto hours = take_number(text, 2);
  if (!hours || *hours > 15) return std::nullopt;
  int minutes = 0;
  if (!text.empty()) {
    take(text, ':');
    auto part = take_number(text, 2);
    if (!part || *part > 59) return std::nullopt;
    minutes = *part;
  }
  std::chrono::minutes east{*hours * 60 + minutes};
  return west ? -east : east;
}

constexpr std::string_view kForm = "a moment is written with its zone: 2024-01-01 14:30:00+00, or 2024-01-01T14:30:00Z";

std::string date_and_clock(Moment at, char between) {
  auto day = std::chrono::floor<std::chrono::days>(at);
  std::chrono::year_month_day date{day};
  std::chrono::hh_mm_ss clock{at - day};
  std::string out = fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), between,
                                clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (int64_t micros = clock.subseconds().count(); micros != 0) {
    std::string fraction = fmt::format(".{:06}", micros);
    fraction.resize(fraction.find_last_not_of('0') + 1);
    out += fraction;
  }
  return out;
}

}  // namespace

std::expected<Moment, std::string> ScalarText<Moment>::parse(std::string_view text) {
  auto wrong = [] { return std::unexpected(std::string(kForm)); };
  auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return wrong();
  auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return wrong();
  auto day = take_number(text, 2);
  if (!day || !(take(text, 'T') || take(text, ' '))) return wrong();
  auto hour = take_number(text, 2);
  if (!hour || !take(text, ':')) return wrong();
  auto minute = take_number(text, 2);
  int second = 0;
  int64_t micros = 0;
  if (!minute) return wrong();
  if (take(text, ':')) {
    auto part = take_number(text, 2);
    if (!part) return wrong();
    second = *part;
    if (take(text, '.')) {
      int digits = 0;
      for (; digits < 6 && !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits)
        micros = micros * 10 + *take_number(text, 1);
      if (digits == 0) return wrong();
      for (; digits < 6; ++digits) micros *= 10;
    }
  }
  take(text, ' ');
  if (text.empty()) return std::unexpected("the zone is missing: " + std::string(kForm));
  auto east = take_zone(text);
  std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                   std::chrono::day{static_cast<unsigned>(*day)}};
  if (!east || !text.empty() || !date.ok() || *hour > 23 || *minute > 59 || second > 59) return wrong();
  return Moment{std::chrono::sys_days{date}} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
         std::chrono::seconds{second} + std::chrono::microseconds{micros} - *east;
}

std::string ScalarText<Moment>::format(const Moment& value) { return date_and_clock(value, 'T') + "Z"; }

std::string moment_for_postgres(Moment at) { return date_and_clock(at, ' ') + "+00"; }

std::string moment_in_words(Moment at) { return date_and_clock(at, ' ') + " UTC"; }

}  // namespace lifeboat
