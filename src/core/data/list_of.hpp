// Reading lists out of JSON that may lack them.
#pragma once

#include <string_view>

#include "core/data/json.hpp"

namespace lifeboat {

// The list under `key`, where it is; empty when there is none, or something else.
inline const JsonArray& list_of(const Json& object, std::string_view key) {
  static const JsonArray kNone;
  const Json& found = member(object, key);
  return found.is_array() ? found.get_array() : kNone;
}

}  // namespace lifeboat
