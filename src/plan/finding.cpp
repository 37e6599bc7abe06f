#include "plan/finding.hpp"

#include <fmt/format.h>

namespace lifeboat {

std::string one_line(const Finding& finding) {
  std::string hint = finding.suggestion.empty() ? "" : " (" + finding.suggestion + ")";
  return fmt::format("{}:{}:{}: {}: {}{} [{}]", finding.file, finding.at.line, finding.at.column,
                     enum_name(finding.severity), finding.message, hint, finding.rule);
}

bool has_errors(const Findings& findings) {
  return std::ranges::any_of(findings, [](const Finding& finding) { return finding.severity == Severity::error; });
}

Error to_error(const Findings& findings) {
  Error error{ErrorKind::invalid_input, {}, {}, {}, {}};
  for (const Finding& finding : findings) {
    if (finding.severity != Severity::error) continue;
    if (!error.what.empty()) error.what += "\n";
    error.what += one_line(finding);
  }
  return error;
}

}  // namespace lifeboat
