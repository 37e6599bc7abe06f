#include "controller/action_catalogue.hpp"

#include "actions/action.hpp"

namespace lifeboat {

ActionCatalogue built_in_actions() {
  ActionCatalogue out;
  out.names = action_names();
  std::ranges::sort(out.names);
  out.validate = [](std::string_view uses, const Json& with, const Plan& plan) {
    const ActionDescriptor* action = find_action(uses);
    return action == nullptr || action->validate == nullptr ? DecodeProblems{} : action->validate(with, plan);
  };
  out.is_message = [](std::string_view uses) {
    const ActionDescriptor* action = find_action(uses);
    return action != nullptr && action->kind == ActionKind::message;
  };
  return out;
}

}  // namespace lifeboat
