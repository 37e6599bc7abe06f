// How far a slot that is kept for orphaned writes may be advanced.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "core/ownership/report.hpp"

namespace lifeboat::orphans {

// The slot must keep what some standby has not confirmed yet: that is what may have to be given back. `confirmed` are the
// positions of the slots of all other members (nothing: one has none yet). It also keeps the last `back` bytes of log, which a restore to
// an older moment would take away. But it never holds more than `most` bytes behind `written`: a standby that is further behind is no
// longer waited for, and the answer says so.
struct SlotAdvance {
  Lsn to;
  bool limited = false;
};
inline SlotAdvance slot_advance(Lsn written, const std::vector<std::optional<Lsn>>& confirmed, uint64_t back,
                                uint64_t most) {
  Lsn oldest{written.value > back ? written.value - back : 0};
  for (const std::optional<Lsn>& one : confirmed) oldest = std::min(oldest, one.value_or(Lsn{}));
  Lsn floor{written.value > most ? written.value - most : 0};
  if (oldest < floor) return {floor, true};
  return {oldest, false};
}

}  // namespace lifeboat::orphans
