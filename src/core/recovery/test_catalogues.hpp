// Made-up catalogues for tests.
#pragma once

#include "core/recovery/catalogue.hpp"

namespace lifeboat::recovery {

inline constexpr uint64_t kSegment = uint64_t{16} << 20;
inline const Moment kNoon = *ScalarText<Moment>::parse("2026-11-27 12:00:00Z");

inline Moment minutes_after_noon(int minutes) { return kNoon + std::chrono::minutes{minutes}; }

// Segment `number` is archived `number` minutes after noon.
inline void archive(Catalogue& catalogue, uint64_t timeline, uint64_t first, uint64_t last) {
  for (uint64_t number = first; number <= last; ++number)
    catalogue.segments.push_back({.timeline = timeline,
                                  .number = number,
                                  .sha1 = std::string(40, 'a'),
                                  .stored_bytes = 1000,
                                  .archived = minutes_after_noon(static_cast<int>(number))});
  put_in_order(catalogue);
}

// A set whose log begins in segment `first` and that is consistent in the middle of segment `last`.
inline BackupSet set_at(const std::string& label, uint64_t timeline, uint64_t first, uint64_t last) {
  BackupSet set{.label = label, .archive = "15-1", .system_id = "7713003758779266069", .version = "15"};
  set.started = minutes_after_noon(static_cast<int>(first));
  set.stopped = minutes_after_noon(static_cast<int>(last));
  set.start_lsn = Lsn{first * kSegment + 40};
  set.stop_lsn = Lsn{last * kSegment + kSegment / 2};
  set.wal_start = segment_name(timeline, first, kSegment);
  set.wal_stop = segment_name(timeline, last, kSegment);
  set.bytes = 1'000'000'000;
  set.copied_bytes = 1'000'000'000;
  set.repository_bytes = set.repository_copied_bytes = 200'000'000;
  return set;
}

inline Catalogue quiet_week() {
  Catalogue out{.stanza = "m", .archive = "15-1", .system_id = "7713003758779266069", .version = "15"};
  out.sets = {set_at("first", 1, 10, 11), set_at("second", 1, 30, 31)};
  archive(out, 1, 5, 50);
  return out;
}

}  // namespace lifeboat::recovery
