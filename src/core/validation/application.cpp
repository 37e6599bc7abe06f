#include "core/validation/application.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/data/decode.hpp"

namespace lifeboat {
namespace {

std::string shown(const Json& value) {
  std::string text = to_text(value);
  return Decoder::printable(text.size() > 80 ? text.substr(0, 80) + "…" : text);
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

bool says_state(std::string_view key) {
  static constexpr std::array kKeys = {"status", "state", "health", "healthy", "ok", "up"};
  return std::ranges::find(kKeys, lowered(key)) != kKeys.end();
}

bool is_well(const Json& value) {
  if (value.is_bool()) return value.get_bool();
  if (!value.is_string()) return false;
  static constexpr std::array kWords = {"ok", "healthy", "up", "pass", "passed", "connected", "true", "green", "ready"};
  return std::ranges::find(kWords, lowered(value.get_string())) != kWords.end();
}

struct Bound {
  bool least = true;
  double value = 0;
};

// ">= 1" and "<= 5".
std::optional<Bound> bound_of(const Json& expected) {
  if (!expected.is_string()) return std::nullopt;
  std::string_view text = expected.get_string();
  Bound out;
  if (text.starts_with("<=")) out.least = false;
  if (!text.starts_with(">=") && out.least) return std::nullopt;
  text.remove_prefix(2);
  while (text.starts_with(' ')) text.remove_prefix(1);
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out.value);
  bool whole = problem == std::errc{} && end == text.data() + text.size();
  return whole ? std::optional(out) : std::nullopt;
}

void walk_health(const Json& value, const std::string& path, Checks& out) {
  if (!value.is_object()) return;
  for (const auto& [key, inner] : value.get_object()) {
    std::string at = path.empty() ? std::string(key) : fmt::format("{}.{}", path, std::string_view(key));
    bool plain = inner.is_bool() || inner.is_string();
    if (says_state(key) && plain) {
      out.push_back({fmt::format("health {}", Decoder::printable(at)),
                     is_well(inner) ? Verdict::passed : Verdict::failed, fmt::format("it says {}", shown(inner)), inner,
                     nullptr});
    }
    walk_health(inner, at, out);
  }
}

void compare(const std::string& name, const Json& found, const Json& expected, Checks& out) {
  auto say = [&](bool same, std::string text) {
    out.push_back({name, same ? Verdict::passed : Verdict::failed, std::move(text), found, expected});
  };
  if (expected.is_object()) {
    if (!found.is_object()) return say(false, fmt::format("it is {}, expected {}", shown(found), shown(expected)));
    for (const auto& [key, inner] : expected.get_object()) {
      std::string at = fmt::format("{}.{}", name, Decoder::printable(key));
      if (const Json* value = found.get_object().if_contains(key)) {
        compare(at, *value, inner, out);
      } else {
        out.push_back({at, Verdict::failed, "it is missing", nullptr, inner});
      }
    }
    return;
  }
  if (expected.is_string() && expected.get_string() == "*") {
    bool empty = found.is_null() || (found.is_string() && found.get_string().empty()) ||
                 (found.is_array() && found.get_array().empty()) || (found.is_object() && found.get_object().empty());
    return say(!empty, empty ? "it is empty" : "it is there");
  }
  if (auto bound = bound_of(expected)) {
    bool kept = found.is_number() &&
                (bound->least ? found.to_number<double>() >= bound->value : found.to_number<double>() <= bound->value);
    return say(kept, fmt::format("it is {}, expected {}", shown(found), shown(expected)));
  }
  bool numbers = found.is_number() && expected.is_number();
  bool same = numbers ? found.to_number<double>() == expected.to_number<double>() : found == expected;
  say(same, same ? fmt::format("it is {}", shown(found))
                 : fmt::format("it is {}, expected {}", shown(found), shown(expected)));
}

// The answer as JSON, or the check that says why not.
std::optional<Json> read_answer(std::string_view name, int status, std::string_view body, Checks& out) {
  Verdict right = status == 200 ? Verdict::passed : Verdict::failed;
  out.push_back({fmt::format("{} answers", name), right, fmt::format("it answers {}", status), status, 200});
  if (status != 200) return std::nullopt;
  auto json = parse_json(body);
  if (json) return std::move(*json);
  out.push_back({fmt::format("{} is JSON", name), Verdict::failed, "its answer is not JSON", nullptr, nullptr});
  return std::nullopt;
}

}  // namespace

Checks judge_health(int status, std::string_view body, const Json& expected) {
  Checks out;
  auto answer = read_answer("health", status, body, out);
  if (!answer) {
    // A service that is ill may still say which part is.
    if (auto json = parse_json(body)) walk_health(*json, "", out);
    return out;
  }
  size_t before = out.size();
  walk_health(*answer, "", out);
  if (out.size() == before)
    out.push_back({"health", Verdict::noted, "the answer names no part and its state", nullptr, nullptr});
  if (expected.is_object()) compare("health", *answer, expected, out);
  return out;
}

Checks judge_fields(std::string_view name, int status, std::string_view body, const Json& expected) {
  Checks out;
  auto answer = read_answer(name, status, body, out);
  if (answer && !expected.is_null()) compare(std::string(name), *answer, expected, out);
  return out;
}

}  // namespace lifeboat
