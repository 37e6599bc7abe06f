// The exit codes of every subcommand. Stable: scripts rely on them.
#pragma once

#include "core/base/error.hpp"

namespace lifeboat::cli {

enum ExitCode : int {
  kOk = 0,           // done, and well
  kNotWell = 1,      // done, and the answer is no: findings of severity error, objectives missed, a run that failed
  kBadInput = 2,     // what was given cannot be read or makes no sense
  kUnreachable = 3,  // no controller answered
  kRefused = 4,      // understood and refused: rights, state, policy
  kUnknown = 5,      // the outcome is not known
  kMissing = 6,      // a program or feature is missing on this machine
  kDefect = 70,      // a defect of Lifeboat
};

ExitCode exit_code_of(ErrorKind kind);

// The error in three parts on stderr: what happened, where, what you can do. Gives its exit code.
int complain(const Error& error);

}  // namespace lifeboat::cli
