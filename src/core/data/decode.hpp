// JSON (or YAML turned into JSON) → described structs. Closed world: an unknown key is an error with a suggestion.
// All problems are collected, so that a person sees them at once; each names the path of what is wrong
// ("/services/database/max_lag"), which plan/ turns into line and column.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <variant>

#include "core/base/similar.hpp"
#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

struct DecodeProblem {
  std::string path;        // JSON Pointer to the value, or to the unknown key
  std::string message;     // what is wrong
  std::string suggestion;  // what would be right; may be empty
  bool at_key = false;     // the key at `path` is wrong, not its value
};
using DecodeProblems = std::vector<DecodeProblem>;

// One step of a JSON Pointer (RFC 6901): '~' and '/' are escaped.
std::string pointer_step(std::string_view key);
// "a list", "a mapping", "text", "a number", "true or false", "nothing".
std::string_view kind_in_words(const Json& value);

class Decoder {
 public:
  DecodeProblems problems;

  void complain(const std::string& path, std::string message, std::string suggestion = {}, bool at_key = false) {
    // A hostile document must not make the list of complaints larger than itself.
    if (problems.size() < 200) problems.push_back({path, std::move(message), std::move(suggestion), at_key});
  }

  void read(const Json& from, std::string& to, const std::string& path) {
    if (!from.is_string()) return expected("text", from, path);
    to = std::string(from.get_string());
  }
  void read(const Json& from, bool& to, const std::string& path) {
    if (!from.is_bool()) return expected("true or false", from, path);
    to = from.get_bool();
  }
  void read(const Json& from, int64_t& to, const std::string& path) {
    if (!from.is_int64()) return expected("a whole number", from, path);
    to = from.get_int64();
  }
  void read(const Json& from, uint64_t& to, const std::string& path) {
    if (from.is_uint64()) {
      to = from.get_uint64();
    } else if (from.is_int64() && from.get_int64() >= 0) {
      to = static_cast<uint64_t>(from.get_int64());
    } else {
      expected("a whole number that is not negative", from, path);
    }
  }
  void read(const Json& from, int& to, const std::string& path) {
    if (!from.is_int64() || from.get_int64() < -2'000'000'000 || from.get_int64() > 2'000'000'000)
      return expected("a whole number", from, path);
    to = static_cast<int>(from.get_int64());
  }
  void read(const Json& from, double& to, const std::string& path) {
    if (!from.is_number()) return expected("a number", from, path);
    to = from.to_number<double>();
  }
  void read(const Json& from, Json& to, const std::string&) { to = from; }

  template <TextScalar T>
  void read(const Json& from, T& to, const std::string& path) {
    if (!from.is_string()) return expected(ScalarText<T>::kName, from, path);
    auto parsed = ScalarText<T>::parse(std::string_view(from.get_string()));
    if constexpr (std::is_same_v<T, SecretRef>) {
      // What stands where a secret's name belongs may be the secret itself.
      if (!parsed) return complain(path, parsed.error());
    } else {
      if (!parsed) return complain(path, fmt::format("cannot read {}: {}", quoted(from), parsed.error()));
    }
    to = std::move(*parsed);
  }

  template <DescribedEnum E>
  void read(const Json& from, E& to, const std::string& path) {
    std::vector<std::string> known;
    bool found = false;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) {
      known.push_back(enumerator_name(d.name));
      if (from.is_string() && std::string_view(from.get_string()) == known.back()) {
        to = d.value;
        found = true;
      }
    });
    if (found) return;
    std::string given = from.is_string() ? std::string(from.get_string()) : std::string();
    std::string hint = did_you_mean(given, known);
    complain(path, fmt::format("{} is not one of {}", quoted(from), fmt::join(known, ", ")), hint);
  }

  template <class T>
  void read(const Json& from, std::optional<T>& to, const std::string& path) {
    if (from.is_null()) return;
    read(from, to.emplace(), path);
  }

  template <class T>
  void read(const Json& from, std::vector<T>& to, const std::string& path) {
    if (!from.is_array()) return expected("a list", from, path);
    for (size_t index = 0; index < from.get_array().size(); ++index)
      read(from.get_array()[index], to.emplace_back(), path + "/" + std::to_string(index));
  }

  template <class T>
  void read(const Json& from, OrderedMap<T>& to, const std::string& path) {
    if (!from.is_object()) return expected("a mapping of names", from, path);
    for (const auto& [key, value] : from.get_object()) {
      std::string at = path + "/" + pointer_step(key);
      if (!is_identifier(key)) {
        complain(at, fmt::format("'{}' is not a name", printable(key)),
                 "a name has only a-z, 0-9 and '-', starts with a letter or digit and is at most 63 long", true);
      }
      read(value, to.add(std::string(key), T{}), at);
    }
  }

  template <class T>
  void read(const Json& from, TextMap<T>& to, const std::string& path) {
    if (!from.is_object()) return expected("a mapping", from, path);
    for (const auto& [key, value] : from.get_object())
      read(value, to.add(std::string(key), T{}), path + "/" + pointer_step(key));
  }

  // A choice by `kind`: each alternative has `static constexpr std::string_view kKind`.
  template <class... Ts>
  void read(const Json& from, std::variant<Ts...>& to, const std::string& path) {
    if (!from.is_object()) return expected("a mapping", from, path);
    std::vector<std::string> known{std::string(Ts::kKind)...};
    const Json& kind = member(from, "kind");
    if (!kind.is_string()) {
      return complain(path, "'kind' is missing", fmt::format("one of {}", fmt::join(known, ", ")));
    }
    std::string_view name = kind.get_string();
    bool found = (try_alternative<Ts>(name, from, to, path) || ...);
    if (!found) {
      complain(path + "/kind", fmt::format("{} is not one of {}", quoted(kind), fmt::join(known, ", ")),
               did_you_mean(name, known));
    }
  }

  template <Described T>
  void read(const Json& from, T& to, const std::string& path) {
    read_members(from, to, path, {});
  }

  static std::string printable(std::string_view text);
  static std::string quoted(const Json& value);

 private:
  void expected(std::string_view wanted, const Json& from, const std::string& path) {
    complain(path, fmt::format("expected {}, found {}", wanted, quoted(from)),
             wanted == "text" && (from.is_number() || from.is_bool()) ? "put it in quotes" : "");
  }

  template <class T, class Variant>
  bool try_alternative(std::string_view name, const Json& from, Variant& to, const std::string& path) {
    if (name != T::kKind) return false;
    read_members(from, to.template emplace<T>(), path, "kind");
    return true;
  }

  template <Described T>
  void read_members(const Json& from, T& to, const std::string& path, std::string_view also_known) {
    static_assert(docs_match_members<T>(), "field_docs() names the members of the struct, in their order");
    if (!from.is_object()) return expected("a mapping", from, path);
    constexpr auto docs = field_docs(static_cast<const T*>(nullptr));
    std::vector<std::string> known;
    size_t index = 0;
    boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
      std::string name{field_name(d.name)};
      if (const Json* value = from.get_object().if_contains(name)) {
        read(*value, to.*d.pointer, path + "/" + name);
      } else if (docs[index].need == Need::required) {
        complain(path, fmt::format("'{}' is missing", name), std::string(docs[index].text));
      }
      known.push_back(std::move(name));
      ++index;
    });
    for (const auto& entry : from.get_object()) {
      std::string_view key = entry.key();
      if (key == also_known || std::ranges::find(known, key) != known.end()) continue;
      std::string hint = did_you_mean(key, known);
      if (hint.empty()) hint = fmt::format("known here: {}", fmt::join(known, ", "));
      complain(path + "/" + pointer_step(key), fmt::format("unknown key '{}'", printable(key)), hint, true);
    }
  }
};

// The value, or everything that is wrong with it.
template <class T>
std::expected<T, DecodeProblems> decode(const Json& from, const std::string& path = {}) {
  Decoder decoder;
  T out{};
  decoder.read(from, out, path);
  if (!decoder.problems.empty()) return std::unexpected(std::move(decoder.problems));
  return out;
}

// All problems in one Error, for messages and API bodies.
Error to_error(const DecodeProblems& problems, std::string what);

}  // namespace lifeboat
