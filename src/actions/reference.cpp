#include "actions/reference.hpp"

#include "actions/action.hpp"

namespace lifeboat {
namespace {

struct ParamDoc {
  std::string name;
  std::string type;
  bool required = false;
  std::string text;
};

std::string type_in_words(const Json& schema) {
  if (const Json& names = member(schema, "enum"); names.is_array()) {
    std::vector<std::string> words;
    for (const Json& name : names.get_array()) words.emplace_back(name.get_string());
    return fmt::format("{}", fmt::join(words, " | "));
  }
  if (std::string title = text_or(schema, "title"); !title.empty()) return title;
  std::string type = text_or(schema, "type");
  if (type == "string") return "text";
  if (type == "integer") return "whole number";
  if (type == "boolean") return "true or false";
  if (type == "array") return "list of " + type_in_words(member(schema, "items"));
  if (type == "object") {
    const Json& values = member(schema, "additionalProperties");
    return values.is_object() ? "mapping of names to " + type_in_words(values) : "mapping";
  }
  return type.empty() ? "any value" : type;
}

std::vector<ParamDoc> params_of(const ActionDescriptor& action) {
  std::vector<ParamDoc> out;
  Json schema = action.schema == nullptr ? Json(JsonObject{}) : action.schema();
  const Json& properties = member(schema, "properties");
  if (!properties.is_object()) return out;
  const Json& required = member(schema, "required");
  for (const auto& [name, property] : properties.get_object()) {
    bool needed = false;
    if (required.is_array()) {
      for (const Json& entry : required.get_array()) needed = needed || entry == Json(name);
    }
    out.push_back({std::string(name), type_in_words(property), needed, text_or(property, "description")});
  }
  return out;
}

std::string kind_line(const ActionDescriptor& action) {
  std::string undo = action.can_undo ? "It can be taken back." : "It cannot be taken back.";
  switch (action.kind) {
    case ActionKind::message: return "A message: recovery does not wait for it unless a step names it in `needs`.";
    case ActionKind::approval: return "A question to people.";
    case ActionKind::manual: return "Done by a person.";
    case ActionKind::wait: return "Only time.";
    case ActionKind::doing: break;
  }
  return fmt::format("{} One attempt may take {} unless the step says otherwise.", undo,
                     format_duration(action.usual_timeout));
}

// Breaks paragraphs at `width` columns, each line begun with `indent`.
std::string wrapped(std::string_view text, size_t width, std::string_view indent) {
  std::string out, line;
  auto flush = [&] {
    if (!line.empty()) out += fmt::format("{}{}\n", indent, line);
    line.clear();
  };
  while (!text.empty()) {
    size_t end = std::min(text.find_first_of(" \n"), text.size());
    std::string_view word = text.substr(0, end);
    if (!line.empty() && line.size() + 1 + word.size() + indent.size() > width) flush();
    if (!word.empty()) line += (line.empty() ? "" : " ") + std::string(word);
    if (text.substr(end).starts_with("\n\n")) {
      flush();
      out += "\n";
      ++end;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  flush();
  return out;
}

std::string indented(std::string_view text, std::string_view indent) {
  std::string out;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    out += fmt::format("{}{}\n", indent, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string table_cell(std::string text) {
  for (size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.replace(at, 1, "\\|");
  return text;
}

std::string section(const ActionDescriptor& action) {
  std::string out = fmt::format("\n## {}\n\n{}\n\n{}\n{}\n", action.name, action.summary,
                                wrapped(action.details, 120, ""), kind_line(action));
  auto params = params_of(action);
  if (!params.empty()) out += "\n| parameter | type | | meaning |\n| --- | --- | --- | --- |\n";
  for (const ParamDoc& param : params) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", param.name, table_cell(param.type),
                       param.required ? "required" : "", table_cell(param.text));
  }
  return out + fmt::format("\n```yaml\n{}\n```\n", action.example);
}

}  // namespace

Result<std::string> explain_action(std::string_view name) {
  const ActionDescriptor* action = find_action(name);
  if (action == nullptr) {
    std::vector<std::string> names = action_names();
    std::string hint = did_you_mean(name, names);
    return fail(ErrorKind::not_found, fmt::format("there is no action '{}'", Decoder::printable(name)),
                hint.empty() ? "`lifeboat explain` lists them all" : hint);
  }
  std::string out = fmt::format("{}\n{}\n{}\n{}", action->name, wrapped(action->summary, 78, "  "),
                                wrapped(action->details, 78, "  "), wrapped(kind_line(*action), 78, "  "));
  auto params = params_of(*action);
  if (!params.empty()) out += "\nparameters (in `with`)\n";
  for (const ParamDoc& param : params) {
    out += fmt::format("  {} ({}{})\n{}", param.name, param.type, param.required ? ", required" : "",
                       wrapped(param.text, 78, "      "));
  }
  return out + "\nexample\n" + indented(action->example, "  ");
}

std::string list_actions() {
  size_t widest = 0;
  for (const ActionDescriptor* action : all_actions()) widest = std::max(widest, action->name.size());
  std::string out;
  for (const ActionDescriptor* action : all_actions())
    out += fmt::format("{:{}}  {}\n", action->name, widest, action->summary);
  return out;
}

std::string actions_markdown() {
  std::string out =
      "# Actions\n\n<!-- Made by `lifeboat explain --markdown`. Change the action's own file instead. -->\n\n"
      "What a step of a scenario can use. Each action can say whether its goal already holds, bring it about, and some "
      "can\n"
      "take it back. Order, timeouts, retries and approvals belong to the step, not to the action.\n\n";
  for (const ActionDescriptor* action : all_actions()) {
    std::string anchor(action->name);
    std::erase(anchor, '.');
    out += fmt::format("- [{}](#{}): {}\n", action->name, anchor, action->summary);
  }
  for (const ActionDescriptor* action : all_actions()) out += section(*action);
  return out;
}

}  // namespace lifeboat
