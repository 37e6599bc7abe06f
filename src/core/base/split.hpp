// Text in pieces.
#pragma once

#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace lifeboat {

// The pieces between the separators: n separators part n + 1 pieces, which may be empty.
inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  for (auto piece : std::views::split(text, separator)) out.emplace_back(piece.begin(), piece.end());
  return out;
}

// The same for lines, each ended by a newline; the last one may lack its own.
inline std::vector<std::string> lines_of(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return {};
  return split(text, '\n');
}

}  // namespace lifeboat
