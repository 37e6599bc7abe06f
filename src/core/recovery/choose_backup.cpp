#include "core/recovery/choose_backup.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/recovery/window.hpp"

namespace lifeboat::recovery {
namespace {

using std::chrono::seconds;

// A backup's stop time is known to the second only, and clocks of the hosts involved differ a little.
constexpr seconds kStopPrecision{1};
constexpr seconds kClocksDiffer{5};
// What is fetched beyond the segment that is expected to hold the target.
constexpr size_t kToSpare = 2;

std::string describe(Lsn at) { return ScalarText<Lsn>::format(at); }

Moment earliest_of(const Reach& reach) { return reach.from_time + kStopPrecision; }

// Whether a set may serve the target at all, going by what is known without reading log.
bool begins_before(const Reach& reach, const RecoveryTarget& target) {
  if (target.kind == TargetKind::time) return earliest_of(reach) <= target.time;
  if (target.kind == TargetKind::lsn) return reach.from <= target.lsn;
  return true;
}

bool reaches(const Reach& reach, const RecoveryTarget& target) {
  if (target.kind == TargetKind::lsn) return target.lsn <= reach.to;
  if (target.kind == TargetKind::time)
    return !reach.to_time || target.time <= *reach.to_time + (reach.to_end ? kClocksDiffer : seconds{0});
  return true;
}

// "newest restorable moment ..., position ...".
std::string nearest(const Window& window, const RecoveryTarget& target) {
  bool by_position = target.kind == TargetKind::lsn;
  std::string before, after;
  for (const Reach& reach : window.reach) {
    if (!reach.unusable.empty()) continue;
    if (begins_before(reach, target)) {
      before = by_position ? describe(reach.to) : moment_in_words(reach.to_time.value_or(reach.from_time));
    } else if (after.empty()) {
      after = by_position ? describe(reach.from) : moment_in_words(earliest_of(reach));
    }
  }
  if (before.empty() && after.empty()) return "no set of this history can be restored";
  if (before.empty()) return fmt::format("the earliest that can be restored is {}", after);
  if (after.empty()) return fmt::format("the latest that can be restored is {}, or --latest", before);
  return fmt::format("the nearest that can be restored are {} before and {} after it", before, after);
}

std::unexpected<Error> refuse(const Window& window, const RecoveryTarget& target, std::string why) {
  return fail(ErrorKind::refused, fmt::format("cannot restore to {}: {}", in_words(target), why),
              nearest(window, target));
}

// Why no set serves the target.
std::unexpected<Error> refusal(const Catalogue& catalogue, const Window& window, const RecoveryTarget& target) {
  const Reach* last = nullptr;
  for (const Reach& reach : window.reach) {
    if (reach.unusable.empty() && begins_before(reach, target)) last = &reach;
  }
  if (last == nullptr) {
    for (const Reach& reach : window.reach) {
      if (!reach.unusable.empty())
        return refuse(window, target, fmt::format("set {} cannot be used: {}", reach.set, reach.unusable));
    }
    return refuse(window, target, "no backup is that old");
  }
  for (const Gap& gap : window.gaps) {
    bool beyond = gap.first == last->last_segment + 1;
    if (beyond)
      return refuse(window, target,
                    fmt::format("the log has a gap, {} to {} are not in the archive",
                                segment_name(gap.timeline, gap.first, catalogue.segment_bytes),
                                segment_name(gap.timeline, gap.last, catalogue.segment_bytes)));
  }
  return refuse(window, target, "the archive ends before that");
}

// A position may lie on a timeline that was left: then it is not part of the history.
std::string left_behind(const Catalogue& catalogue, const Window& window, const RecoveryTarget& target) {
  if (target.kind != TargetKind::lsn || target.lsn <= window.newest_lsn) return {};
  for (const WalSegment& segment : catalogue.segments) {
    if (segment.timeline != window.timeline && segment.number >= segment_of(target.lsn, catalogue.segment_bytes))
      return fmt::format("that position is on timeline {}, which the history of timeline {} left before",
                         segment.timeline, window.timeline);
  }
  return {};
}

// How many segments are expected to be needed.
size_t expected_of(const std::vector<WalSegment>& log, const BackupSet& set, const RecoveryTarget& target,
                   uint64_t segment_bytes) {
  uint64_t first = log.front().number;
  auto up_to = [&](uint64_t number) { return static_cast<size_t>(number - std::min(number, first) + 1); };
  size_t least = up_to(segment_of(set.stop_lsn, segment_bytes));
  size_t wanted = log.size();
  if (target.kind == TargetKind::lsn) wanted = up_to(segment_of(target.lsn, segment_bytes)) + kToSpare;
  if (target.kind == TargetKind::immediate) wanted = least + kToSpare;
  if (target.kind == TargetKind::time) {
    auto later = std::ranges::find_if(log, [&](const WalSegment& segment) {
      return segment.archived && *segment.archived > target.time + kClocksDiffer;
    });
    wanted = static_cast<size_t>(later - log.begin()) + kToSpare;
  }
  return std::clamp(wanted, std::min(least, log.size()), log.size());
}

BackupChoice choice_of(const Catalogue& catalogue, const Window& window, const orphans::Lineage& lineage,
                       const Reach& reach, const RecoveryTarget& target) {
  BackupChoice out;
  out.set = *std::ranges::find(catalogue.sets, reach.set, &BackupSet::label);
  out.timeline = window.timeline;
  out.lineage = lineage;
  SegmentChain chain(catalogue, lineage);
  uint64_t first = parse_segment_name(out.set.wal_start, catalogue.segment_bytes)->number;
  for (const WalSegment* segment : chain.between(first, reach.last_segment)) out.log.push_back(*segment);
  out.cut_by_gap = !reach.to_end;
  out.expected = expected_of(out.log, out.set, target, catalogue.segment_bytes);
  return out;
}

}  // namespace

Result<BackupChoice> choose_backup(const Catalogue& catalogue, const RestoreWish& wish) {
  TRY(Window window, window_of(catalogue, wish.timeline));
  TRY(orphans::Lineage lineage, lineage_of(catalogue, window.timeline));
  const RecoveryTarget& target = wish.target;
  if (!wish.set.empty()) {
    auto named = std::ranges::find(window.reach, wish.set, &Reach::set);
    if (named == window.reach.end()) {
      std::string known;
      for (const Reach& reach : window.reach) known += (known.empty() ? "" : ", ") + reach.set;
      return fail(ErrorKind::invalid_input,
                  fmt::format("there is no set '{}' on the history of timeline {}", wish.set, window.timeline),
                  "there are: " + known);
    }
    if (!named->unusable.empty()) return refuse(window, target, fmt::format("set {}: {}", wish.set, named->unusable));
    if (!begins_before(*named, target))
      return refuse(window, target, fmt::format("set {} is consistent only later", wish.set));
    if (!reaches(*named, target)) return refusal(catalogue, window, target);
    if (target.kind == TargetKind::latest && !named->to_end && !wish.accept_gap)
      return refusal(catalogue, window, target);
    return choice_of(catalogue, window, lineage, *named, target);
  }
  const Reach* best = nullptr;
  for (const Reach& reach : window.reach) {
    bool fits = reach.unusable.empty() && begins_before(reach, target) && reaches(reach, target);
    if (fits && (best == nullptr || reach.from >= best->from)) best = &reach;
  }
  if (best == nullptr) {
    if (std::string left = left_behind(catalogue, window, target); !left.empty()) return refuse(window, target, left);
    return refusal(catalogue, window, target);
  }
  if (target.kind == TargetKind::latest && !best->to_end && !wish.accept_gap) {
    auto refused = refusal(catalogue, window, target);
    return fail(refused.error().kind, refused.error().what,
                fmt::format("--accept-gap restores up to position {}, {}", describe(best->to),
                            moment_in_words(best->to_time.value_or(best->from_time))));
  }
  return choice_of(catalogue, window, lineage, *best, target);
}

}  // namespace lifeboat::recovery
