#include "core/data/json.hpp"

#include <boost/json/parse_options.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <set>
#include <vector>

namespace lifeboat {
namespace {

constexpr size_t kDeepest = 32;

// Boost.JSON keeps the last of two equal keys without a word. Whoever reads the first would see another document,
// so duplicates are looked for in the text itself: strings directly followed by ':' inside one object.
bool has_duplicate_keys(std::string_view text) {
  std::vector<std::set<std::string, std::less<>>> open;
  for (size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '{' || c == '[') {
      open.emplace_back();
    } else if (c == '}' || c == ']') {
      if (!open.empty()) open.pop_back();
    } else if (c == '"') {
      size_t start = at + 1;
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') ++at;
      }
      size_t next = text.find_first_not_of(" \t\r\n", at + 1);
      bool is_key = next != std::string_view::npos && text[next] == ':';
      if (is_key && !open.empty() && !open.back().emplace(text.substr(start, at - start)).second) return true;
    }
  }
  return false;
}

void write_canonical(const Json& value, std::string& out) {
  if (value.is_object()) {
    std::vector<std::string_view> keys;
    for (const auto& entry : value.get_object()) keys.push_back(entry.key());
    std::ranges::sort(keys);
    out += '{';
    for (std::string_view key : keys) {
      if (out.back() != '{') out += ',';
      out += boost::json::serialize(Json(key));
      out += ':';
      write_canonical(value.get_object().at(key), out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (const Json& element : value.get_array()) {
      if (out.back() != '[') out += ',';
      write_canonical(element, out);
    }
    out += ']';
  } else {
    out += boost::json::serialize(value);
  }
}

void write_pretty(const Json& value, std::string& out, size_t depth) {
  std::string indent(2 * (depth + 1), ' ');
  std::string closing(2 * depth, ' ');
  if (value.is_object() && !value.get_object().empty()) {
    out += "{\n";
    size_t left = value.get_object().size();
    for (const auto& [key, element] : value.get_object()) {
      out += indent + boost::json::serialize(Json(key)) + ": ";
      write_pretty(element, out, depth + 1);
      out += --left == 0 ? "\n" : ",\n";
    }
    out += closing + "}";
  } else if (value.is_array() && !value.get_array().empty()) {
    out += "[\n";
    size_t left = value.get_array().size();
    for (const Json& element : value.get_array()) {
      out += indent;
      write_pretty(element, out, depth + 1);
      out += --left == 0 ? "\n" : ",\n";
    }
    out += closing + "]";
  } else {
    out += boost::json::serialize(value);
  }
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kDeepest;
  boost::json::parser parser({}, options);
  boost::json::error_code problem;
  size_t read = parser.write(text.data(), text.size(), problem);
  if (problem) {
    return fail(ErrorKind::invalid_input, "not valid JSON at byte " + std::to_string(read) + ": " + problem.message());
  }
  if (has_duplicate_keys(text)) return fail(ErrorKind::invalid_input, "a key stands twice in one JSON object");
  return parser.release();
}

std::string to_text(const Json& value) { return boost::json::serialize(value); }

std::string to_canonical_text(const Json& value) {
  std::string out;
  write_canonical(value, out);
  return out;
}

std::string to_pretty_text(const Json& value) {
  std::string out;
  write_pretty(value, out, 0);
  return out;
}

const Json& member(const Json& object, std::string_view key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const Json* found = object.get_object().if_contains(key);
  return found == nullptr ? kNull : *found;
}

std::string text_or(const Json& object, std::string_view key, std::string_view otherwise) {
  const Json& found = member(object, key);
  return found.is_string() ? std::string(found.get_string()) : std::string(otherwise);
}

int64_t int_or(const Json& object, std::string_view key, int64_t otherwise) {
  const Json& found = member(object, key);
  if (found.is_int64()) return found.get_int64();
  if (found.is_uint64()) return static_cast<int64_t>(found.get_uint64());
  if (found.is_double()) return static_cast<int64_t>(found.get_double());
  return otherwise;
}

double number_or(const Json& object, std::string_view key, double otherwise) {
  const Json& found = member(object, key);
  if (found.is_double()) return found.get_double();
  if (found.is_int64()) return static_cast<double>(found.get_int64());
  if (found.is_uint64()) return static_cast<double>(found.get_uint64());
  return otherwise;
}

bool bool_or(const Json& object, std::string_view key, bool otherwise) {
  const Json& found = member(object, key);
  return found.is_bool() ? found.get_bool() : otherwise;
}

}  // namespace lifeboat
