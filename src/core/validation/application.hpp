// Does the application say that it is well, and does it serve what it should? Judged by what it answers, as JSON.
#pragma once

#include <string>
#include <string_view>

#include "core/validation/judge.hpp"

namespace lifeboat {

// A detailed health answer: its own status and that of every part it names ("status", "state", "healthy", "ok" or "up" anywhere
// inside) is held against the words for being well. `expected` is held against the answer as in judge_fields.
Checks judge_health(int status, std::string_view body, const Json& expected);

// Fields that an answer must have: a value is the same value; "*" is anything but null and empty; ">= 1" and "<= 5"
// bound a number; a mapping asks its fields of
// the mapping in the answer; a list is the same list. Others may be there too.
Checks judge_fields(std::string_view name, int status, std::string_view body, const Json& expected);

}  // namespace lifeboat
