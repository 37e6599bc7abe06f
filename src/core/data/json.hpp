// JSON as a plain data type: step parameters, event bodies, messages. Boost.JSON does no I/O, so core/ may hold it.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

#include "core/base/error.hpp"

namespace lifeboat {

using Json = boost::json::value;
using JsonObject = boost::json::object;
using JsonArray = boost::json::array;

// Strict: one value, UTF-8, at most 32 levels deep, no duplicate keys, nothing after it.
Result<Json> parse_json(std::string_view text);

// Compact, keys in the order they were written.
std::string to_text(const Json& value);

// Compact with keys sorted: equal values give equal bytes. For hashing.
std::string to_canonical_text(const Json& value);

// Indented by two spaces, for people and for report files.
std::string to_pretty_text(const Json& value);

// The member as text, or `otherwise` when it is absent or of another type.
std::string text_or(const Json& object, std::string_view key, std::string_view otherwise = {});
int64_t int_or(const Json& object, std::string_view key, int64_t otherwise = 0);
double number_or(const Json& object, std::string_view key, double otherwise = 0);
bool bool_or(const Json& object, std::string_view key, bool otherwise = false);
// The member, or null.
const Json& member(const Json& object, std::string_view key);
// A JsonObject turns into a Json that is gone at the end of the expression; what stands in it would be gone too.
const Json& member(const Json&& object, std::string_view key) = delete;

}  // namespace lifeboat
