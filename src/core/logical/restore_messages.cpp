#include "core/logical/restore_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lifeboat {
namespace {

constexpr std::string_view kError = "pg_restore: error: ";
constexpr std::string_view kEntry = "pg_restore: from TOC entry ";
constexpr std::string_view kCommand = "Command was: ";

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// "215; 1259 16391 TABLE public users postgres" → "TABLE public users postgres"
std::string entry_name(std::string_view line) {
  size_t semicolon = line.find("; ");
  if (semicolon == std::string_view::npos) return std::string(line);
  line.remove_prefix(semicolon + 2);
  for (int number = 0; number < 2; ++number) {
    size_t blank = line.find(' ');
    if (blank == std::string_view::npos) break;
    line.remove_prefix(blank + 1);
  }
  return std::string(line);
}

RestoreWeight weight_of(const RestoreProblem& problem) {
  std::string_view message = problem.message;
  for (std::string_view part :
       {"COPY failed", "could not uncompress", "could not read", "corrupt", "unexpected end of file",
        "did not find magic string", "server closed the connection", "terminating connection", "No space left",
        "unrecognized data block", "found unexpected block"}) {
    if (has(message, part)) return RestoreWeight::data;
  }
  if (problem.entry.starts_with("TABLE DATA") || problem.entry.starts_with("SEQUENCE SET") ||
      problem.entry.starts_with("BLOB"))
    return RestoreWeight::data;
  bool role = has(message, "role \"") && has(message, "does not exist");
  bool about_rights = has(problem.command, " OWNER TO ") || has(problem.command, "GRANT ") ||
                      has(problem.command, "REVOKE ") || has(problem.command, "ALTER DEFAULT PRIVILEGES");
  if (about_rights && (role || has(message, "must be member of role") || has(message, "permission denied") ||
                       has(message, "must be owner")))
    return RestoreWeight::ownership;
  bool comment_of_extension = has(problem.command, "COMMENT ON EXTENSION");
  bool public_schema = has(message, "schema \"public\" already exists") ||
                       (has(message, "must be owner of schema public") || has(message, "cannot drop schema public"));
  if (comment_of_extension || public_schema) return RestoreWeight::harmless;
  return RestoreWeight::structure;
}

std::vector<RestoreProblem> read_problems(std::string_view said) {
  std::vector<RestoreProblem> out;
  std::string entry;
  while (!said.empty()) {
    size_t end = std::min(said.find('\n'), said.size());
    std::string_view line = said.substr(0, end);
    said.remove_prefix(std::min(end + 1, said.size()));
    if (line.starts_with(kEntry)) {
      entry = entry_name(line.substr(kEntry.size()));
    } else if (line.starts_with(kError)) {
      RestoreProblem& problem = out.emplace_back();
      problem.entry = std::exchange(entry, {});
      problem.message = std::string(line.substr(kError.size()).substr(0, 400));
    } else if (line.starts_with(kCommand) && !out.empty()) {
      out.back().command = std::string(line.substr(kCommand.size()).substr(0, 200));
    }
  }
  for (RestoreProblem& problem : out) problem.weight = weight_of(problem);
  return out;
}

}  // namespace

RestoreVerdict judge_restore(int exit_code, std::string_view said) {
  RestoreVerdict out;
  out.problems = read_problems(said);
  auto count = [&](RestoreWeight weight) { return std::ranges::count(out.problems, weight, &RestoreProblem::weight); };
  auto data = count(RestoreWeight::data), structure = count(RestoreWeight::structure);
  if (exit_code == 0 && out.problems.empty()) {
    out.loaded = true;
    out.words = "everything was loaded";
  } else if (exit_code > 1 || (exit_code == 1 && out.problems.empty())) {
    // Ended by a signal, or without a word that is known.
    while (said.ends_with('\n')) said.remove_suffix(1);
    size_t line = said.rfind('\n');
    out.words = fmt::format("pg_restore ended with {}: {}", exit_code,
                            said.substr(line == std::string_view::npos ? 0 : line + 1).substr(0, 300));
  } else if (data > 0 || structure > 0) {
    auto worst = std::ranges::min_element(out.problems, {}, &RestoreProblem::weight);
    std::string of = worst->entry.empty() ? "" : worst->entry + ": ";
    out.words = fmt::format("{} not loaded whole: {}{}{}", data > 0 ? "rows were" : "objects were", of, worst->message,
                            data + structure > 1 ? fmt::format(" (and {} more)", data + structure - 1) : "");
  } else {
    out.loaded = true;
    auto roles = count(RestoreWeight::ownership);
    out.words =
        roles == 0 ? "everything was loaded"
                   : fmt::format("everything was loaded; {} owners or rights name roles that do not exist here", roles);
  }
  return out;
}

}  // namespace lifeboat
