#include "plan/text.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace lifeboat {
namespace {

struct Character {
  uint32_t code = 0;
  size_t length = 0;  // 0: not UTF-8
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Character decode_character(std::string_view text, size_t at) {
  auto byte = [&](size_t index) { return static_cast<uint8_t>(text[index]); };
  uint8_t first = byte(at);
  if (first < 0x80) return {first, 1};
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return {};
  uint32_t code = first & (0xffU >> (length + 1));
  for (size_t index = 1; index < length; ++index) {
    if ((byte(at + index) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte(at + index) & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, length};
}

bool reorders_text(uint32_t code) {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f ||
         code == 0x061c;
}

bool invisible(uint32_t code) {
  return (code >= 0x200b && code <= 0x200d) || code == 0x2060 || code == 0xfeff || code == 0x2028 || code == 0x2029 ||
         code == 0x00ad || (code >= 0xe0000 && code <= 0xe007f) || (code & 0xfffe) == 0xfffe;
}

std::optional<TextProblem> judge(uint32_t code, std::string_view text, size_t at, bool as_file) {
  if (code == '\n' || code == '\t') return std::nullopt;
  if (code == '\r' && as_file && at + 1 < text.size() && text[at + 1] == '\n') return std::nullopt;
  if (code == 0) return TextProblem{at, "a NUL byte", "a plan is a text file"};
  if (code == 0xfeff && at == 0) return TextProblem{at, "a byte order mark", "save the file as UTF-8 without one"};
  if (code < 0x20 || (code >= 0x7f && code < 0xa0))
    return TextProblem{at, fmt::format("the control character U+{:04X}", code), "remove it"};
  if (reorders_text(code))
    return TextProblem{at, fmt::format("the character U+{:04X}, which changes the direction of text", code),
                       "remove it: it can make a plan look different from what it says"};
  if (invisible(code)) return TextProblem{at, fmt::format("the invisible character U+{:04X}", code), "remove it"};
  return std::nullopt;
}

}  // namespace

std::optional<TextProblem> check_text(std::string_view text, bool as_file) {
  for (size_t at = 0; at < text.size();) {
    Character character = decode_character(text, at);
    if (character.length == 0) return TextProblem{at, "bytes that are not UTF-8", "save the file as UTF-8"};
    if (auto problem = judge(character.code, text, at, as_file)) return problem;
    at += character.length;
  }
  return std::nullopt;
}

}  // namespace lifeboat
