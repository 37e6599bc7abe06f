#include "core/orphans/lineage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace lifeboat::orphans {

Result<Lineage> parse_lineage(uint64_t timeline, std::string_view text) {
  Lineage out;
  Lsn begin;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    size_t first = line.find_first_not_of(" \t");
    if (first == line.npos || line[first] == '#') continue;
    line.remove_prefix(first);
    uint64_t parent = 0;
    auto [rest, problem] = std::from_chars(line.data(), line.data() + line.size(), parent);
    size_t gap = static_cast<size_t>(rest - line.data());
    size_t from = line.find_first_not_of(" \t", gap);
    size_t to = from == line.npos ? from : std::min(line.find_first_of(" \t\r", from), line.size());
    auto position =
        from == line.npos ? std::unexpected(std::string()) : ScalarText<Lsn>::parse(line.substr(from, to - from));
    bool grows = out.empty() || parent > out.back().timeline;
    if (problem != std::errc{} || !position || !grows || *position < begin || parent >= timeline)
      return fail(ErrorKind::invalid_input,
                  fmt::format("line {} of the history of timeline {} does not fit", number, timeline));
    out.push_back({parent, begin, *position});
    begin = *position;
  }
  out.push_back({timeline, begin, kNoEnd});
  return out;
}

std::optional<Fork> fork_of(const Lineage& mine, const Lineage& theirs) {
  std::optional<Fork> last;
  for (size_t index = 0; index < std::min(mine.size(), theirs.size()); ++index) {
    const Stretch &a = mine[index], &b = theirs[index];
    if (a.timeline != b.timeline || a.begin != b.begin) break;
    last = Fork{a.timeline, std::min(a.end, b.end)};
    // Where the shorter one ends they have parted, whatever follows.
    if (a.end != b.end) break;
  }
  return last;
}

std::vector<Stretch> behind(const Lineage& mine, const Fork& fork) {
  std::vector<Stretch> out;
  for (const Stretch& one : mine) {
    if (one.timeline < fork.timeline || one.end <= fork.at) continue;
    out.push_back({one.timeline, std::max(one.begin, fork.at), one.end});
  }
  return out;
}

}  // namespace lifeboat::orphans
