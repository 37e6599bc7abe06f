// The scalar types a plan or message may hold beyond text, numbers and booleans. Each says how it reads and writes
// itself and which pattern a JSON Schema gives for it.
#pragma once

#include <compare>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"

namespace lifeboat {

// A name that things refer to: [a-z0-9][a-z0-9-]{0,62}.
struct Identifier {
  std::string text;
  auto operator<=>(const Identifier&) const = default;
};
bool is_identifier(std::string_view text);

// "99.9%". 0 to 100.
struct Percent {
  double value = 0;
  auto operator<=>(const Percent&) const = default;
};

// "2h..4h", or a single duration for both ends.
struct DurationRange {
  Duration least{};
  Duration most{};
  auto operator<=>(const DurationRange&) const = default;
};

// "2024-01-15", or "2024-01" for a whole month (day 0).
struct Date {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  auto operator<=>(const Date&) const = default;
};

// The name of a secret, never its value. Values are read by io/secrets.hpp where they are needed.
struct SecretRef {
  std::string name;
  auto operator<=>(const SecretRef&) const = default;
};

// How a scalar type reads itself from text. `parse` returns the reason in words when it can't.
template <class T>
struct ScalarText;

template <>
struct ScalarText<Duration> {
  static constexpr std::string_view kName = "duration";
  static constexpr std::string_view kPattern = "^([0-9]+(ms|s|m|h|d))+$";
  static std::expected<Duration, std::string> parse(std::string_view text);
  static std::string format(const Duration& value) { return format_duration(value); }
};
template <>
struct ScalarText<DurationRange> {
  static constexpr std::string_view kName = "duration or range";
  static constexpr std::string_view kPattern = "^([0-9]+(ms|s|m|h|d))+(\\.\\.([0-9]+(ms|s|m|h|d))+)?$";
  static std::expected<DurationRange, std::string> parse(std::string_view text);
  static std::string format(const DurationRange& value);
};
template <>
struct ScalarText<Percent> {
  static constexpr std::string_view kName = "percentage";
  static constexpr std::string_view kPattern = "^[0-9]+(\\.[0-9]+)?%$";
  static std::expected<Percent, std::string> parse(std::string_view text);
  static std::string format(const Percent& value);
};
template <>
struct ScalarText<Identifier> {
  static constexpr std::string_view kName = "name";
  static constexpr std::string_view kPattern = "^[a-z0-9][a-z0-9-]{0,62}$";
  static std::expected<Identifier, std::string> parse(std::string_view text);
  static std::string format(const Identifier& value) { return value.text; }
};
template <>
struct ScalarText<Date> {
  static constexpr std::string_view kName = "date";
  static constexpr std::string_view kPattern = "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$";
  static std::expected<Date, std::string> parse(std::string_view text);
  static std::string format(const Date& value);
};
template <>
struct ScalarText<SecretRef> {
  static constexpr std::string_view kName = "name of a secret";
  static constexpr std::string_view kPattern = "^[a-z0-9][a-z0-9-]{0,62}$";
  static std::expected<SecretRef, std::string> parse(std::string_view text);
  static std::string format(const SecretRef& value) { return value.name; }
};

template <class T>
concept TextScalar = requires(std::string_view text) { ScalarText<T>::parse(text); };

}  // namespace lifeboat
