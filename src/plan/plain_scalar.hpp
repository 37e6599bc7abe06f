// What an unquoted YAML scalar means: the part of YAML 1.2's core schema that all readers agree on. What some readers
// take for a number, a time or a truth value and others for text is refused, because a plan must mean one thing.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "core/data/json.hpp"

namespace lifeboat {

struct Ambiguous {
  std::string message;
  std::string suggestion;
};

std::expected<Json, Ambiguous> plain_scalar(std::string_view text);

}  // namespace lifeboat
