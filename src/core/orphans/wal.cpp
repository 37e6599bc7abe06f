#include "core/orphans/wal.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lifeboat::orphans {
namespace {

// The text behind `label`, up to `stop`.
std::string_view after(std::string_view line, std::string_view label, char stop) {
  size_t at = line.find(label);
  if (at == line.npos) return {};
  line.remove_prefix(at + label.size());
  size_t first = line.find_first_not_of(' ');
  if (first == line.npos) return {};
  line.remove_prefix(first);
  return line.substr(0, line.find(stop));
}

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::optional<CommitRecord> parse_commit(std::string_view line) {
  if (!line.starts_with("rmgr: Transaction")) return std::nullopt;
  size_t desc = line.find("desc: COMMIT");
  if (desc == line.npos) return std::nullopt;
  CommitRecord out;
  out.xid = number(after(line, "tx:", ','));
  // "0/0177E5D8": pg_waldump pads where PostgreSQL itself does not.
  if (auto at = ScalarText<Lsn>::parse(after(line, "lsn:", ','))) out.at = *at;
  std::string_view rest = line.substr(desc + std::string_view("desc: COMMIT").size());
  if (rest.starts_with("_PREPARED ")) {
    rest.remove_prefix(std::string_view("_PREPARED ").size());
    out.xid = number(rest);
    size_t colon = rest.find(": ");
    rest = colon == rest.npos ? std::string_view() : rest.substr(colon + 1);
  }
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  out.time = rest.substr(0, rest.find(';'));
  std::string_view parts = after(rest, "subxacts:", ';');
  while (!parts.empty()) {
    size_t end = std::min(parts.find(' '), parts.size());
    if (uint64_t part = number(parts.substr(0, end)); part != 0) out.parts.push_back(part);
    parts.remove_prefix(std::min(end + 1, parts.size()));
  }
  if (out.xid == 0) return std::nullopt;
  return out;
}

std::optional<HeapRecord> parse_heap(std::string_view line) {
  if (!line.starts_with("rmgr: Heap")) return std::nullopt;
  constexpr std::array<std::string_view, 5> kWrites = {"INSERT", "DELETE", "UPDATE", "HOT_UPDATE", "MULTI_INSERT"};
  HeapRecord out;
  out.what = after(line, "desc:", ' ');
  if (out.what.ends_with("+INIT")) out.what.resize(out.what.size() - 5);
  if (out.what == "TRUNCATE") {
    out.xid = number(after(line, "tx:", ','));
    std::string_view tables =
        after(line, " relids", '\n');  // version 15: "nrelids 1 relids 16390"; later: "relids: [16390]"
    size_t digit = tables.find_first_of("0123456789");
    if (out.xid == 0 || digit == tables.npos) return std::nullopt;
    out.file = number(tables.substr(digit));
    return out;
  }
  bool writes = false;
  for (std::string_view known : kWrites) writes = writes || known == out.what;
  out.xid = number(after(line, "tx:", ','));
  if (!writes || out.xid == 0) return std::nullopt;
  std::string_view file = after(line, "rel ", ' ');  // "1663/16384/16390"
  size_t first = file.find('/'), second = file.find('/', first + 1);
  if (first == file.npos || second == file.npos) return std::nullopt;
  out.database = number(file.substr(first + 1));
  out.file = number(file.substr(second + 1));
  return out;
}

LogEnd log_end_of(std::string_view said) {
  auto says = [&](std::string_view text) { return said.find(text) != said.npos; };
  if (says("error in WAL record at") || says("could not find a valid record after")) return LogEnd::reached;
  if (says("could not find file") || says("could not open file")) return LogEnd::missing;
  return LogEnd::unknown;
}

}  // namespace lifeboat::orphans
