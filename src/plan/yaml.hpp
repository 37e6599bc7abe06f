// YAML → JSON with the place of every value. libyaml's event parser does the reading and never recurses; this part
// builds the value and refuses all that makes a plan mean something other than it seems to: anchors, aliases, merge
// keys, tags, directives, several documents, duplicate keys, plain scalars that other readers take for something else
// (yes, 012, 1e3, 12:30), control and bidirectional characters, broken UTF-8. Limits hold before any memory is spent:
// 1 MiB, 32 levels, 10,000 nodes, 64 KiB a scalar.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/data/json.hpp"

namespace lifeboat {

struct Position {
  int line = 1;    // from 1
  int column = 1;  // in characters, from 1
  auto operator<=>(const Position&) const = default;
};

// Where each value of a document stands, by JSON Pointer; and the key before it, if it has one.
class Positions {
 public:
  struct Place {
    Position value;
    Position key;
  };
  void add(std::string path, Place place) { places_.insert_or_assign(std::move(path), place); }
  // The place of the value at `path`, or of its nearest ancestor that the document holds. `at_key`: of its key.
  Position at(std::string_view path, bool at_key = false) const;

 private:
  std::unordered_map<std::string, Place> places_;
};

struct YamlProblem {
  Position at;
  std::string message;
  std::string suggestion;  // may be empty
};

struct YamlDocument {
  Json value;
  Positions positions;
};

inline constexpr size_t kLargestPlan = 1024 * 1024;

std::expected<YamlDocument, YamlProblem> parse_yaml(std::string_view bytes);

}  // namespace lifeboat
