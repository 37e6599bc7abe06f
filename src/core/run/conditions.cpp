#include "core/run/conditions.hpp"

#include <charconv>

#include "core/expression/expression.hpp"

namespace lifeboat::run {
namespace {

const Json* walk(const Json* value, std::span<const std::string> path) {
  for (const std::string& part : path) {
    if (value->is_object()) {
      value = value->get_object().if_contains(part);
    } else if (value->is_array()) {
      size_t index = 0;
      auto [rest, error] = std::from_chars(part.data(), part.data() + part.size(), index);
      bool number = error == std::errc{} && rest == part.data() + part.size();
      value = number ? value->get_array().if_contains(index) : nullptr;
    } else {
      value = nullptr;
    }
    if (value == nullptr) return nullptr;
  }
  return value;
}

}  // namespace

Json look_up(const RunState& state, std::span<const std::string> path) {
  if (path[0] == "vars") {
    const Json* value = state.opened->vars.find(path[1]);
    const Json* found = value == nullptr ? nullptr : walk(value, path.subspan(2));
    return found == nullptr ? Json() : *found;
  }
  const StepState* step = state.step(path[1]);
  if (step == nullptr) return {};
  if (path[2] == "status") return Json(enum_name(step->status));
  const Json* found = walk(&step->data, path.subspan(3));
  return found == nullptr ? Json() : *found;
}

Result<bool> condition_holds(const RunState& state, std::string_view condition) {
  auto parsed = Expression::parse(condition);
  if (!parsed) return fail(ErrorKind::invalid_input, parsed.error().text());
  return parsed->holds([&](std::span<const std::string> path) { return look_up(state, path); });
}

}  // namespace lifeboat::run
