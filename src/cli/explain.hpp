// `lifeboat explain [ACTION]`: what an action does and takes, from the action's own description.
#pragma once

#include <string>

namespace lifeboat::cli {

struct ExplainOptions {
  std::string action;     // empty: all, one line each
  bool markdown = false;  // the whole reference as docs/actions.md
  bool json = false;      // the schema of the action's parameters, or of all by name
};

// Prints to standard output; problems to standard error. Gives the exit code (cli/exit_codes.hpp).
int run_explain(const ExplainOptions& options);

}  // namespace lifeboat::cli
