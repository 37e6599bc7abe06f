// For rules: a finding in one line, and walks over the plan that several of them make.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/similar.hpp"
#include "plan/meaning.hpp"
#include "plan/rules/rule.hpp"

namespace lifeboat {

inline void tell(Findings& out, std::string_view rule, Severity severity, std::string path, std::string message,
                 std::string suggestion) {
  out.push_back(
      {std::string(rule), severity, std::move(message), std::move(path), std::move(suggestion), false, {}, {}});
}

// Calls `visit(scenario name, step, path)` for each step of the plan.
template <class Visit>
void for_each_step(const Plan& plan, const Visit& visit) {
  for (const auto& [name, scenario] : plan.scenarios) {
    for (const auto& [phase, steps] : scenario.phases) {
      for (size_t index = 0; index < steps.size(); ++index) visit(name, steps[index], step_path(name, phase, index));
    }
  }
}

// Calls `visit(name, service, path)` for each service of kind T.
template <class T, class Visit>
void for_each_service(const Plan& plan, const Visit& visit) {
  for (const auto& [name, service] : plan.services) {
    if (const T* known = std::get_if<T>(&service)) visit(name, *known, "/services/" + name);
  }
}

// "a, b, c and 4 more".
inline std::string some_of(const std::vector<std::string>& names, size_t most = 6) {
  size_t shown = std::min(names.size(), most);
  std::string out =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < names.size()) out += fmt::format(" and {} more", names.size() - shown);
  return out;
}

// What in a command line cannot work as written; empty if nothing is known against it. `suggestion` is what would.
struct Trap {
  std::string message;
  std::string suggestion;
  bool stops = true;  // the step fails; otherwise it works and does what was not meant
};
std::vector<Trap> traps_in(const Step& step);
std::vector<Trap> traps_in(std::string_view command);

}  // namespace lifeboat
