// `lifeboat check`: what is wrong with a plan, and which of its scenarios could be run today. Prints; changes nothing.
#pragma once

#include <optional>
#include <string>

#include "controller/action_catalogue.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

struct CheckOptions {
  std::string plan;             // path
  std::string format = "text";  // text or json
  std::string inventory;        // may be empty
  std::string profile;          // may be empty
  std::optional<Date> today;    // the real one when left out
};

// 0: no errors (warnings are allowed); 1: findings of severity error; 2: the file cannot be read or is not YAML.
int run_check(const CheckOptions& options);

}  // namespace lifeboat
