#include "cli/exit_codes.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace lifeboat::cli {

ExitCode exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_input:
    case ErrorKind::not_found: return kBadInput;
    case ErrorKind::unreachable:
    case ErrorKind::timed_out: return kUnreachable;
    case ErrorKind::refused:
    case ErrorKind::conflict: return kRefused;
    case ErrorKind::unknown_outcome: return kUnknown;
    case ErrorKind::unsupported: return kMissing;
    case ErrorKind::cancelled: return kNotWell;
    case ErrorKind::internal: return kDefect;
  }
  return kDefect;
}

int complain(const Error& error) {
  Error shown = error;
  shown.hint.clear();
  fmt::print(stderr, "lifeboat: {}\n", shown.text());
  if (!error.hint.empty()) fmt::print(stderr, "          {}\n", error.hint);
  return exit_code_of(error.kind);
}

}  // namespace lifeboat::cli
