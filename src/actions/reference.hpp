// The reference of all actions, made from what each says of itself: for `lifeboat explain` and docs/actions.md.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.hpp"

namespace lifeboat {

// One action for a terminal: what it does, its parameters, an example. `not_found` with the nearest name.
Result<std::string> explain_action(std::string_view name);
// All names with their summaries, one per line.
std::string list_actions();
// docs/actions.md.
std::string actions_markdown();

}  // namespace lifeboat
