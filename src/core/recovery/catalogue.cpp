#include "core/recovery/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace lifeboat::recovery {
namespace {

// Segments are numbered within files of 4 GiB of log, which is what the middle eight digits count.
constexpr uint64_t kLogFile = uint64_t{1} << 32;

std::optional<uint64_t> hex(std::string_view text) {
  uint64_t value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool agrees(const BackupSet& set, uint64_t bytes) {
  auto fits = [bytes](Lsn at, const std::string& name) {
    auto parsed = parse_segment_name(name, bytes);
    if (!parsed) return false;
    // A set that stops at the very beginning of a segment needs the one before it.
    return parsed->number == segment_of(at, bytes) ||
           (at.value % bytes == 0 && parsed->number + 1 == segment_of(at, bytes));
  };
  return fits(set.start_lsn, set.wal_start) && fits(set.stop_lsn, set.wal_stop);
}

}  // namespace

std::string segment_name(uint64_t timeline, uint64_t number, uint64_t segment_bytes) {
  uint64_t per_file = kLogFile / segment_bytes;
  return fmt::format("{:08X}{:08X}{:08X}", timeline, number / per_file, number % per_file);
}

std::optional<SegmentName> parse_segment_name(std::string_view name, uint64_t segment_bytes) {
  if (name.size() != 24) return std::nullopt;
  auto timeline = hex(name.substr(0, 8)), file = hex(name.substr(8, 8)), part = hex(name.substr(16, 8));
  uint64_t per_file = kLogFile / segment_bytes;
  if (!timeline || !file || !part || *part >= per_file) return std::nullopt;
  return SegmentName{*timeline, *file * per_file + *part};
}

std::optional<uint64_t> segment_bytes_of(const std::vector<BackupSet>& sets) {
  std::vector<uint64_t> sizes{uint64_t{16} << 20};
  for (uint64_t megabytes = 1; megabytes <= 1024; megabytes *= 2) sizes.push_back(megabytes << 20);
  for (uint64_t bytes : sizes) {
    if (std::ranges::all_of(sets, [bytes](const BackupSet& set) { return agrees(set, bytes); })) return bytes;
  }
  return std::nullopt;
}

Result<orphans::Lineage> lineage_of(const Catalogue& catalogue, uint64_t timeline) {
  auto found = std::ranges::find(catalogue.histories, timeline, &TimelineHistory::timeline);
  bool known = found != catalogue.histories.end() && !found->text.empty();
  if (timeline > 1 && !known)
    return fail(ErrorKind::not_found, fmt::format("the history of timeline {} is not in the archive", timeline),
                "without it nobody knows which log leads there; name another timeline");
  return orphans::parse_lineage(timeline, known ? std::string_view(found->text) : std::string_view());
}

uint64_t newest_timeline(const Catalogue& catalogue) {
  uint64_t newest = 0;
  for (const WalSegment& segment : catalogue.segments) newest = std::max(newest, segment.timeline);
  for (const TimelineHistory& history : catalogue.histories) newest = std::max(newest, history.timeline);
  return newest;
}

void put_in_order(Catalogue& catalogue) {
  std::ranges::sort(catalogue.sets, {}, [](const BackupSet& set) { return std::pair(set.stopped, set.label); });
  std::ranges::sort(catalogue.segments, {}, [](const WalSegment& segment) {
    return std::tuple(segment.timeline, segment.number, segment.partial);
  });
  std::ranges::sort(catalogue.histories, {}, &TimelineHistory::timeline);
}

}  // namespace lifeboat::recovery
