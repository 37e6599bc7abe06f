#include "core/run/parameters.hpp"

#include <fmt/format.h>

#include "core/base/split.hpp"
#include "core/model/variables.hpp"
#include "core/run/conditions.hpp"

namespace lifeboat::run {
Result<Json> parameters_of(const RunState& state, const ResolvedStep& step, const Plan& plan) {
  Json with = step.with;
  StepData found;
  found.find = [&](const std::string& name) -> std::optional<Json> {
    std::vector<std::string> path = split(name, '.');
    constexpr size_t kLeast = 4;  // steps, the step, data, what of it
    if (path.size() < kLeast || path[2] != "data") return std::nullopt;
    Json value = look_up(state, path);
    if (value.is_null()) return std::nullopt;
    return value;
  };
  DecodeProblems problems;
  for (const std::string& pointer : step.later) {
    boost::system::error_code missing;
    Json* text = with.find_pointer(pointer, missing);
    if (text == nullptr)
      return fail(ErrorKind::internal, fmt::format("step '{}' has no parameter {}", step.id, pointer));
    *text = expand(*text, state.opened->vars, plan, problems, pointer, &found);
  }
  if (!problems.empty()) return std::unexpected(to_error(problems, fmt::format("step '{}' cannot begin", step.id)));
  return with;
}

}  // namespace lifeboat::run
