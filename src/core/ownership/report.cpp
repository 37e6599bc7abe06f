#include "core/ownership/report.hpp"

#include <fmt/format.h>

#include <charconv>

namespace lifeboat {

std::expected<Lsn, std::string> ScalarText<Lsn>::parse(std::string_view text) {
  auto hex = [](std::string_view part, uint64_t& value) {
    auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), value, 16);
    return !part.empty() && part.size() <= 8 && problem == std::errc{} && end == part.data() + part.size();
  };
  size_t slash = text.find('/');
  uint64_t high = 0, low = 0;
  bool fine = slash != std::string_view::npos && hex(text.substr(0, slash), high) && hex(text.substr(slash + 1), low);
  if (!fine) return std::unexpected("a WAL position is written 0/16B3748");
  return Lsn{(high << 32) | low};
}

std::string ScalarText<Lsn>::format(const Lsn& value) {
  return fmt::format("{:X}/{:X}", value.value >> 32, value.value & 0xffffffffu);
}

std::string sync_setting(const SyncSet& set) {
  if (set.copies == 0) return {};
  // Compared with what a server says in every step, so it is put together by hand.
  std::string out = "ANY " + std::to_string(set.copies) + " (";
  for (size_t at = 0; at < set.members.size(); ++at) {
    out += at == 0 ? "\"" : ", \"";
    for (char c : set.members[at]) out.append(c == '"' ? 2 : 1, c);
    out += '"';
  }
  return out + ")";
}

}  // namespace lifeboat
