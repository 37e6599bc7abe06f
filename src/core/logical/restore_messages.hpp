// What pg_restore said, and what of it counts. Its exit code is 1 for a comment that could not be set and for a table that
// was not loaded alike, so its words are read: this is the one place that judges them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/describe.hpp"

namespace lifeboat {

BOOST_DEFINE_ENUM_CLASS(RestoreWeight,
                        data,       // rows are missing or the file is damaged
                        structure,  // an object is missing
                        ownership,  // a role that does not exist here: owner or rights differ
                        harmless)   // what the server has already, or keeps to itself

struct RestoreProblem {
  RestoreWeight weight = RestoreWeight::structure;
  std::string entry;    // "TABLE DATA users", as the file's list names it; may be empty
  std::string message;  // one line
  std::string command;  // its beginning, if one was named
};
BOOST_DESCRIBE_STRUCT(RestoreProblem, (), (weight, entry, message, command))
constexpr auto field_docs(const RestoreProblem*) {
  return std::to_array<FieldDoc>({{"weight", Need::required, "what it means for the data"},
                                  {"entry", Need::optional, "what was being restored"},
                                  {"message", Need::required, "what was said"},
                                  {"command", Need::optional, "the command that failed"}});
}

struct RestoreVerdict {
  std::vector<RestoreProblem> problems;
  bool loaded = false;  // everything that counts is there
  std::string words;    // one line
};

// `exit_code` and what was written to stderr.
RestoreVerdict judge_restore(int exit_code, std::string_view said);

}  // namespace lifeboat
