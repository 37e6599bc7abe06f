#include "cli/explain.hpp"

#include <cstdio>

#include "actions/action.hpp"
#include "actions/reference.hpp"
#include "cli/exit_codes.hpp"

namespace lifeboat::cli {
namespace {

int print(const std::string& text) {
  fmt::print("{}{}", text, text.ends_with('\n') ? "" : "\n");
  return 0;
}

Json as_json(const ActionDescriptor& action) {
  return JsonObject{{"name", action.name},         {"summary", action.summary}, {"details", action.details},
                    {"can_undo", action.can_undo}, {"example", action.example}, {"with", action.schema()}};
}

}  // namespace

int run_explain(const ExplainOptions& options) {
  if (options.markdown) return print(actions_markdown());
  if (options.action.empty() && options.json) {
    JsonArray all;
    for (const ActionDescriptor* action : all_actions()) all.push_back(as_json(*action));
    return print(to_pretty_text(all));
  }
  if (options.action.empty()) return print(list_actions());
  auto text = explain_action(options.action);
  if (!text) return complain(text.error());
  if (options.json) return print(to_pretty_text(as_json(*find_action(options.action))));
  return print(*text);
}

}  // namespace lifeboat::cli
