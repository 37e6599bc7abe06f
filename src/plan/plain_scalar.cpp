#include "plan/plain_scalar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/data/decode.hpp"

namespace lifeboat {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_digit); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_truth_word(std::string_view text) {
  constexpr std::array<std::string_view, 10> kWords{"yes", "no", "on", "off", "y", "n", "true", "false", "null", "~"};
  return text.size() <= 5 && std::ranges::find(kWords, lower(text)) != kWords.end();
}

bool is_odd_number_word(std::string_view text) {
  if (text.size() > 10) return false;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('.')) text.remove_prefix(1);
  std::string word = lower(text);
  return word == "nan" || word == "inf" || word == "infinity";
}

// [-]digits without a leading zero.
bool is_whole_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return all_digits(text) && (text.size() == 1 || text.front() != '0');
}

bool is_decimal(std::string_view text) {
  size_t dot = text.find('.');
  return dot != std::string_view::npos && is_whole_number(text.substr(0, dot)) && all_digits(text.substr(dot + 1));
}

// Looks like a number to some reader: hexadecimal, octal, exponents, underscores, base 60, a plus sign, no digit
// before or after the point.
bool is_doubtful_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !(is_digit(text.front()) || (text.front() == '.' && text.size() > 1 && is_digit(text[1]))))
    return false;
  std::string word = lower(text);
  if (word.starts_with("0x") && word.find_first_not_of("0123456789abcdef_", 2) == std::string::npos) return true;
  if (word.starts_with("0o") || word.starts_with("0b"))
    return word.size() == 2 || word.find_first_not_of("01234567_", 2) == std::string::npos;
  if (word.find_first_not_of("0123456789_") == std::string::npos) return true;
  if (word.find_first_not_of("0123456789_.:") == std::string::npos)
    return std::ranges::count(word, '.') <= 1 && word.find("..") == std::string::npos;
  size_t exponent = word.find('e');
  if (exponent == std::string::npos) return false;
  std::string_view power = std::string_view(word).substr(exponent + 1);
  if (power.starts_with('-') || power.starts_with('+')) power.remove_prefix(1);
  return word.substr(0, exponent).find_first_not_of("0123456789_.") == std::string::npos && all_digits(power);
}

std::unexpected<Ambiguous> refuse(std::string_view text, std::string_view why) {
  return std::unexpected(Ambiguous{fmt::format("'{}' {}", Decoder::printable(text), why),
                                   fmt::format("put it in quotes: \"{}\"", Decoder::printable(text))});
}

}  // namespace

std::expected<Json, Ambiguous> plain_scalar(std::string_view text) {
  if (text.empty() || text == "null") return Json(nullptr);
  if (text == "true") return Json(true);
  if (text == "false") return Json(false);
  if (text == "<<") {
    return std::unexpected(Ambiguous{"'<<' is a merge key, which plans do not use", "write the values out"});
  }
  if (is_truth_word(text)) {
    auto refused = refuse(text, "means true, false, nothing or text, depending on the reader");
    refused.error().suggestion += ", or write true, false or null";
    return refused;
  }
  if (is_odd_number_word(text)) return refuse(text, "is not a number that a plan can hold");
  if (is_whole_number(text) && text != "-0") {
    int64_t value = 0;
    auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{}) return refuse(text, "is too large a number");
    return Json(value);
  }
  if (is_decimal(text)) {
    double value = 0;
    auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (problem != std::errc{} || !std::isfinite(value)) return refuse(text, "is too large a number");
    return Json(value);
  }
  if (is_doubtful_number(text) || text == "-0") return refuse(text, "is a number to some readers and text to others");
  return Json(text);
}

}  // namespace lifeboat
