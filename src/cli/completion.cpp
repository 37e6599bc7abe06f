#include "cli/completion.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace lifeboat::cli {
namespace {

std::string options_of(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) out += (out.empty() ? "--" : " --") + name;
  }
  return out;
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\'' || c == ':') c = ' ';
  }
  return text;
}

std::string for_bash(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); })) {
    commands += " " + command->get_name();
    cases += fmt::format("    {}) words='{}' ;;\n", command->get_name(), options_of(*command));
  }
  return fmt::format(
      "_lifeboat() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} words\n"
      "  case ${{COMP_WORDS[1]}} in\n{}    *) words='{}' ;;\n  esac\n"
      "  [ \"$COMP_CWORD\" = 1 ] && words='{}'\n"
      "  COMPREPLY=( $(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\") )\n"
      "}}\n"
      "complete -o filenames -F _lifeboat lifeboat\n",
      cases, options_of(app), commands);
}

std::string for_zsh(const CLI::App& app) {
  std::string commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    commands += fmt::format("    '{}:{}'\n", command->get_name(), one_line(command->get_description()));
  return fmt::format(
      "#compdef lifeboat\n"
      "_lifeboat() {{\n"
      "  local -a commands\n  commands=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then _describe command commands; else _files; fi\n"
      "}}\n"
      "compdef _lifeboat lifeboat\n",
      commands);
}

std::string for_fish(const CLI::App& app) {
  std::string out;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); })) {
    out += fmt::format("complete -c lifeboat -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(),
                       one_line(command->get_description()));
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames())
        out += fmt::format("complete -c lifeboat -n '__fish_seen_subcommand_from {}' -l {} -d '{}'\n",
                           command->get_name(), name, one_line(option->get_description()));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return for_bash(app);
  if (shell == "zsh") return for_zsh(app);
  if (shell == "fish") return for_fish(app);
  return {};
}

}  // namespace lifeboat::cli
