// Which bytes may stand in a plan: strict UTF-8 without characters that hide or reorder what a person sees.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lifeboat {

struct TextProblem {
  size_t offset = 0;  // of the first wrong byte
  std::string message;
  std::string suggestion;
};

// Nothing when all is well. Line feeds and tabs are allowed; `as_file`: also a carriage return before a line feed.
std::optional<TextProblem> check_text(std::string_view text, bool as_file);

}  // namespace lifeboat
