// Which timelines a server's history went through, and where two histories parted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat::orphans {

inline constexpr Lsn kNoEnd{UINT64_MAX};

// One timeline of a history: the log from `begin` up to `end` was written under it.
struct Stretch {
  uint64_t timeline = 0;
  Lsn begin;
  Lsn end = kNoEnd;
  bool operator==(const Stretch&) const = default;
};

// All timelines of a history, oldest first; the last has no end.
using Lineage = std::vector<Stretch>;

// `text` is what NNNNNNNN.history of `timeline` holds (lines of "parent switch-position reason"); empty for timeline 1.
Result<Lineage> parse_lineage(uint64_t timeline, std::string_view text);

// Where `mine` leaves what it has in common with `theirs`. kNoEnd: theirs goes on from mine, or is the same. Nothing when
// they have no beginning in common.
struct Fork {
  uint64_t timeline = 0;
  Lsn at;
  bool operator==(const Fork&) const = default;
};
std::optional<Fork> fork_of(const Lineage& mine, const Lineage& theirs);

// The parts of `mine` that lie behind the fork.
std::vector<Stretch> behind(const Lineage& mine, const Fork& fork);

}  // namespace lifeboat::orphans
