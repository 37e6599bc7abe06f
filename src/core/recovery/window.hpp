// How far back and how exactly a repository can restore, and where it cannot: what the operator must know before the bad day.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/recovery/catalogue.hpp"

namespace lifeboat::recovery {

// Segments of log that are not in the archive though others behind them are. Nothing beyond it can be reached from a set
// before it.
struct Gap {
  uint64_t timeline = 0;
  uint64_t first = 0;  // number of the first missing segment
  uint64_t last = 0;
  Lsn from;  // restorable up to here from what lies before
  Lsn to;
  std::optional<Moment> after;   // archived last before the gap
  std::optional<Moment> before;  // archived first behind it
};

// What one set reaches: every point between, and none outside.
struct Reach {
  std::string set;
  Lsn from;
  Lsn to;
  Moment from_time;
  std::optional<Moment> to_time;  // when the last segment was archived: commits up to about then
  uint64_t last_segment = 0;
  bool to_end = false;   // up to the end of the archive; else a gap ends it
  std::string unusable;  // why it cannot be restored at all; empty: it can
};

struct Window {
  uint64_t timeline = 0;     // the window is of the history that leads here
  std::vector<Reach> reach;  // of the sets on that history, oldest first
  std::vector<Gap> gaps;
  std::optional<Moment> oldest, newest;  // restorable moments; between them the gaps are not
  Lsn oldest_lsn, newest_lsn;
};

// The segments that replay reads on one history: which timeline's file each number is read from.
class SegmentChain {
 public:
  SegmentChain(const Catalogue& catalogue, const orphans::Lineage& lineage);
  // The file that PostgreSQL would read for a number: the newest timeline of the history that has begun there and has one.
  const WalSegment* find(uint64_t number) const;
  // The last number for which there is a file; 0 when there is none.
  uint64_t newest() const { return files_.empty() ? 0 : files_.rbegin()->first; }
  // The last of an unbroken run that begins at `first`; nothing when `first` itself is missing.
  std::optional<uint64_t> run_from(uint64_t first) const;
  // Files the archive has for numbers `first` and up, in order, up to `last`.
  std::vector<const WalSegment*> between(uint64_t first, uint64_t last) const;
  // Which timeline a missing number would be of.
  uint64_t timeline_of(uint64_t number) const;

 private:
  std::map<uint64_t, const WalSegment*> files_;
  orphans::Lineage lineage_;
  uint64_t segment_bytes_;
};

// Of the history that leads to `timeline` (0: the newest). Errors: `not_found` (no backup, or no history of that timeline).
Result<Window> window_of(const Catalogue& catalogue, uint64_t timeline = 0);

}  // namespace lifeboat::recovery
