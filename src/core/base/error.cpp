#include "core/base/error.hpp"

namespace lifeboat {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_input: return "invalid input";
    case ErrorKind::not_found: return "not found";
    case ErrorKind::refused: return "refused";
    case ErrorKind::unreachable: return "unreachable";
    case ErrorKind::timed_out: return "timed out";
    case ErrorKind::unknown_outcome: return "unknown outcome";
    case ErrorKind::conflict: return "conflict";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::internal: return "internal";
  }
  return "internal";
}

Error Error::with(std::string line) && {
  context.push_back(std::move(line));
  return std::move(*this);
}

std::string Error::text() const {
  std::string out;
  for (auto line = context.rbegin(); line != context.rend(); ++line) out += *line + ": ";
  if (!where.empty()) out += where + ": ";
  out += what;
  if (!hint.empty()) out += "; hint: " + hint;
  return out;
}

std::unexpected<Error> fail(ErrorKind kind, std::string what, std::string hint, std::string where) {
  Error error;
  error.kind = kind;
  error.what = std::move(what);
  error.hint = std::move(hint);
  error.where = std::move(where);
  return std::unexpected(std::move(error));
}

}  // namespace lifeboat
