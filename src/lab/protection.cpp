#include "lab/protection.hpp"

namespace lifeboat::lab {

bool protected_by(const Json& status, Protection wanted) {
  if (!member(status, "databases").is_object()) return false;
  for (const auto& [name, view] : member(status, "databases").get_object()) {
    if (!bool_or(view, "writable") || !member(view, "members").is_array()) return false;
    bool some = false, all = true;
    for (const Json& one : member(view, "members").get_array()) {
      if (text_or(one, "member") == text_or(view, "holder")) continue;
      bool streams =
          bool_or(one, "connected") && bool_or(one, "streaming") && text_or(one, "upstream") == text_or(view, "holder");
      some = some || streams;
      all = all && streams;
    }
    if (!some || (wanted == Protection::whole && !all)) return false;
  }
  return true;
}

std::string holders_in(const Json& status) {
  std::string all;
  if (!member(status, "databases").is_object()) return all;
  for (const auto& [name, view] : member(status, "databases").get_object()) all += text_or(view, "holder") + " ";
  return all;
}

}  // namespace lifeboat::lab
