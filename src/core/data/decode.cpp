#include "core/data/decode.hpp"

namespace lifeboat {

std::string pointer_step(std::string_view key) {
  std::string out;
  for (char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view kind_in_words(const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::object: return "a mapping";
    case boost::json::kind::array: return "a list";
    case boost::json::kind::string: return "text";
    case boost::json::kind::bool_: return "true or false";
    case boost::json::kind::null: return "nothing";
    default: return "a number";
  }
}

// Foreign text on its way to a terminal: cut to a readable length, control bytes and escapes made visible.
std::string Decoder::printable(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 60)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  if (text.size() > 60) {
    // Not in the middle of a UTF-8 sequence.
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0x80) != 0) out.pop_back();
    out += "…";
  }
  return out;
}

std::string Decoder::quoted(const Json& value) {
  if (value.is_string()) return "'" + printable(std::string_view(value.get_string())) + "'";
  if (value.is_object() || value.is_array() || value.is_null()) return std::string(kind_in_words(value));
  return to_text(value);
}

Error to_error(const DecodeProblems& problems, std::string what) {
  Error error;
  error.kind = ErrorKind::invalid_input;
  error.what = std::move(what);
  for (const DecodeProblem& problem : problems) {
    error.what += fmt::format("; {}{}{}", problem.path.empty() ? "" : problem.path + ": ", problem.message,
                              problem.suggestion.empty() ? "" : " (" + problem.suggestion + ")");
  }
  return error;
}

}  // namespace lifeboat
