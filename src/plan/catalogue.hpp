// What the plan room has to know of actions, which live in a room that comes after it. Whoever loads a plan passes the
// real ones (or, in tests, a few made up). An empty catalogue knows no action, so no step can run.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/decode.hpp"
#include "core/model/plan.hpp"

namespace lifeboat {

struct ActionCatalogue {
  std::vector<std::string> names;  // sorted
  // Problems of the parameters of a step (paths relative to `with`); variables are already expanded.
  std::function<DecodeProblems(std::string_view uses, const Json& with, const Plan& plan)> validate;
  // It only tells people something: nothing waits for it unless a step says `needs`.
  std::function<bool(std::string_view uses)> is_message;

  bool has(std::string_view name) const { return std::ranges::find(names, name) != names.end(); }
};

}  // namespace lifeboat
