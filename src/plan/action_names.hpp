// Near misses among names of actions. Their two parts are compared each by itself, so that `postgres.failovr` is near
// `postgres.failover` and `postgres.restore`, which a later version may have, is near nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lifeboat {

// The known action that was meant, or empty.
std::string nearest_action(std::string_view name, std::span<const std::string> known);

}  // namespace lifeboat
