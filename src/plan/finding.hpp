// What check and load say about a plan: one sentence, how bad it is, where, and what would be right.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/describe.hpp"
#include "plan/yaml.hpp"

namespace lifeboat {

BOOST_DEFINE_ENUM_CLASS(Severity, error, warning, note)

struct Finding {
  std::string rule;  // stable name: "rto-exceeds-plan"
  Severity severity = Severity::error;
  std::string message;
  std::string path;        // JSON Pointer into the plan
  std::string suggestion;  // may be empty
  bool at_key = false;     // it is the key at `path` that is wrong, not its value
  std::string file;        // filled in by load
  Position at;             // filled in by load
};
using Findings = std::vector<Finding>;

// "plan.yaml:12:7: error: message [rule]".
std::string one_line(const Finding& finding);
bool has_errors(const Findings& findings);
// The errors among them as one Error, for daemons.
Error to_error(const Findings& findings);

}  // namespace lifeboat
