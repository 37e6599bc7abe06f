#include "core/data/scalars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace lifeboat {

bool is_identifier(std::string_view text) {
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && plain(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return plain(c) || c == '-'; });
}

std::expected<Duration, std::string> ScalarText<Duration>::parse(std::string_view text) {
  if (auto span = parse_duration(text)) return *span;
  return std::unexpected("a duration is written as a whole number and a unit: 250ms, 30s, 15m, 4h, 7d or 1h30m");
}

std::expected<DurationRange, std::string> ScalarText<DurationRange>::parse(std::string_view text) {
  size_t dots = text.find("..");
  auto least = parse_duration(text.substr(0, dots));
  auto most = dots == std::string_view::npos ? least : parse_duration(text.substr(dots + 2));
  if (!least || !most) return std::unexpected("a duration or a range of two is written 2h or 2h..4h");
  if (*least > *most) return std::unexpected("the range ends before it starts");
  return DurationRange{*least, *most};
}

std::string ScalarText<DurationRange>::format(const DurationRange& value) {
  std::string least = format_duration(value.least);
  return value.least == value.most ? least : least + ".." + format_duration(value.most);
}

std::expected<Percent, std::string> ScalarText<Percent>::parse(std::string_view text) {
  if (!text.ends_with('%')) return std::unexpected("a percentage is written with its sign: 10%");
  text.remove_suffix(1);
  double value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (problem != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return std::unexpected("a percentage is a number and the sign: 10%");
  if (value < 0 || value > 100) return std::unexpected("a percentage lies between 0% and 100%");
  return Percent{value};
}

std::string ScalarText<Percent>::format(const Percent& value) { return fmt::format("{}%", value.value); }

std::expected<Identifier, std::string> ScalarText<Identifier>::parse(std::string_view text) {
  if (is_identifier(text)) return Identifier{std::string(text)};
  return std::unexpected("a name has only a-z, 0-9 and '-', starts with a letter or digit and is at most 63 long");
}

std::expected<SecretRef, std::string> ScalarText<SecretRef>::parse(std::string_view text) {
  if (is_identifier(text)) return SecretRef{std::string(text)};
  return std::unexpected("a secret is referred to by its name (a-z, 0-9, '-'); its value never stands in a plan");
}

std::expected<Date, std::string> ScalarText<Date>::parse(std::string_view text) {
  auto number = [&](size_t from, size_t count) {
    int value = -1;
    auto [end, problem] = std::from_chars(text.data() + from, text.data() + from + count, value);
    return problem == std::errc{} && end == text.data() + from + count ? value : -1;
  };
  auto wrong = std::unexpected(std::string("a date is written 2024-01-15, or 2024-01 for a whole month"));
  if (text.size() != 7 && text.size() != 10) return wrong;
  if (text[4] != '-' || (text.size() == 10 && text[7] != '-')) return wrong;
  int year = number(0, 4), month = number(5, 2), day = text.size() == 10 ? number(8, 2) : 1;
  std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                   std::chrono::day{static_cast<unsigned>(day)}};
  if (year < 1970 || month < 0 || day < 0 || !date.ok()) return std::unexpected("there is no such day");
  return Date{year, static_cast<unsigned>(month), text.size() == 10 ? static_cast<unsigned>(day) : 0};
}

std::string ScalarText<Date>::format(const Date& value) {
  return value.day == 0 ? fmt::format("{:04}-{:02}", value.year, value.month)
                        : fmt::format("{:04}-{:02}-{:02}", value.year, value.month, value.day);
}

}  // namespace lifeboat
