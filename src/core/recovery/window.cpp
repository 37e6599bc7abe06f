#include "core/recovery/window.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::recovery {
namespace {

// The part of a history that lies on one timeline; nothing when the history does not pass it.
const orphans::Stretch* stretch_of(const orphans::Lineage& lineage, uint64_t timeline) {
  auto found = std::ranges::find(lineage, timeline, &orphans::Stretch::timeline);
  return found == lineage.end() ? nullptr : &*found;
}

std::string unusable_because(const SegmentChain& chain, const BackupSet& set, uint64_t first, uint64_t last,
                             uint64_t segment_bytes) {
  for (uint64_t number = first; number <= last; ++number) {
    if (chain.find(number) == nullptr)
      return fmt::format("segment {} of its own log is not in the archive",
                         segment_name(chain.timeline_of(number), number, segment_bytes));
  }
  return set.page_errors.value_or(false) ? "page checksums failed when it was taken" : "";
}

Reach reach_of(const Catalogue& catalogue, const SegmentChain& chain, const BackupSet& set, uint64_t first,
               uint64_t last) {
  Reach out{.set = set.label, .from = set.stop_lsn, .to = set.stop_lsn, .from_time = set.stopped};
  out.unusable = unusable_because(chain, set, first, last, catalogue.segment_bytes);
  auto end = chain.run_from(first);
  if (!end) return out;
  out.last_segment = *end;
  out.to = std::max(set.stop_lsn, segment_begin(*end + 1, catalogue.segment_bytes));
  out.to_time = chain.find(*end)->archived;
  out.to_end = *end == chain.newest();
  return out;
}

std::vector<Gap> gaps_of(const Catalogue& catalogue, const SegmentChain& chain, uint64_t first) {
  std::vector<Gap> out;
  for (uint64_t number = first; number <= chain.newest(); ++number) {
    if (chain.find(number) != nullptr) continue;
    Gap gap{.timeline = chain.timeline_of(number), .first = number, .last = number};
    while (chain.find(gap.last + 1) == nullptr) ++gap.last;
    gap.from = segment_begin(gap.first, catalogue.segment_bytes);
    gap.to = segment_begin(gap.last + 1, catalogue.segment_bytes);
    if (const WalSegment* file = number == 0 ? nullptr : chain.find(number - 1)) gap.after = file->archived;
    gap.before = chain.find(gap.last + 1)->archived;
    number = gap.last;
    out.push_back(gap);
  }
  return out;
}

}  // namespace

SegmentChain::SegmentChain(const Catalogue& catalogue, const orphans::Lineage& lineage)
    : lineage_(lineage), segment_bytes_(catalogue.segment_bytes) {
  for (const WalSegment& segment : catalogue.segments) {
    if (segment.partial) continue;
    const orphans::Stretch* stretch = stretch_of(lineage, segment.timeline);
    if (stretch == nullptr || segment.number < segment_of(stretch->begin, segment_bytes_)) continue;
    // Behind the fork an older timeline's log is another history.
    if (stretch->end != orphans::kNoEnd && segment.number > segment_of(stretch->end, segment_bytes_)) continue;
    const WalSegment*& slot = files_[segment.number];
    if (slot == nullptr || slot->timeline < segment.timeline) slot = &segment;
  }
}

const WalSegment* SegmentChain::find(uint64_t number) const {
  auto found = files_.find(number);
  return found == files_.end() ? nullptr : found->second;
}

std::optional<uint64_t> SegmentChain::run_from(uint64_t first) const {
  auto at = files_.find(first);
  if (at == files_.end()) return std::nullopt;
  uint64_t last = first;
  for (++at; at != files_.end() && at->first == last + 1; ++at) last = at->first;
  return last;
}

std::vector<const WalSegment*> SegmentChain::between(uint64_t first, uint64_t last) const {
  std::vector<const WalSegment*> out;
  for (auto at = files_.lower_bound(first); at != files_.end() && at->first <= last; ++at) out.push_back(at->second);
  return out;
}

uint64_t SegmentChain::timeline_of(uint64_t number) const {
  uint64_t timeline = lineage_.front().timeline;
  for (const orphans::Stretch& stretch : lineage_) {
    if (segment_of(stretch.begin, segment_bytes_) <= number) timeline = stretch.timeline;
  }
  return timeline;
}

Result<Window> window_of(const Catalogue& catalogue, uint64_t timeline) {
  Window out;
  out.timeline = timeline == 0 ? std::max<uint64_t>(1, newest_timeline(catalogue)) : timeline;
  TRY(orphans::Lineage lineage, lineage_of(catalogue, out.timeline));
  SegmentChain chain(catalogue, lineage);
  std::optional<uint64_t> first_needed;
  for (const BackupSet& set : catalogue.sets) {
    auto first = parse_segment_name(set.wal_start, catalogue.segment_bytes);
    auto last = parse_segment_name(set.wal_stop, catalogue.segment_bytes);
    if (!first || !last) continue;
    const orphans::Stretch* stretch = stretch_of(lineage, first->timeline);
    // A set that ended behind the fork holds what this history never had.
    if (stretch == nullptr || set.stop_lsn > stretch->end) continue;
    out.reach.push_back(reach_of(catalogue, chain, set, first->number, last->number));
    first_needed = std::min(first_needed.value_or(first->number), first->number);
  }
  if (out.reach.empty())
    return fail(
        ErrorKind::not_found,
        fmt::format("there is no backup of stanza '{}' on the history of timeline {}", catalogue.stanza, out.timeline),
        "take one, or name another timeline");
  out.gaps = gaps_of(catalogue, chain, *first_needed);
  for (const Reach& reach : out.reach) {
    if (!reach.unusable.empty()) continue;
    if (!out.oldest) out.oldest = reach.from_time, out.oldest_lsn = reach.from;
    if (reach.to >= out.newest_lsn) {
      out.newest_lsn = reach.to;
      out.newest = std::max(reach.from_time, reach.to_time.value_or(reach.from_time));
    }
  }
  return out;
}

}  // namespace lifeboat::recovery
