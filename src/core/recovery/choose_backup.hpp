// Which set a restore begins from, and which log it needs; or a refusal that names what is possible instead.
#pragma once

#include <string>
#include <vector>

#include "core/recovery/catalogue.hpp"
#include "core/recovery/target.hpp"

namespace lifeboat::recovery {

struct RestoreWish {
  RecoveryTarget target;
  std::string set;          // label of a set; empty: chosen here
  uint64_t timeline = 0;    // 0: the newest
  bool accept_gap = false;  // for `latest`: as far as the log goes without a break
};

struct BackupChoice {
  BackupSet set;
  uint64_t timeline = 0;
  orphans::Lineage lineage;
  std::vector<WalSegment> log;  // unbroken, from the first segment the set needs
  // How much of `log` is expected to be needed, by when it was archived: for forecasts and for what to fetch first.
  size_t expected = 0;
  bool cut_by_gap = false;  // more log lies behind a gap and is not reached
};

// Errors: `invalid_input` (no such set, or one that the target lies before), `refused` (outside of what can be restored, in a
// gap, on another timeline). The hint names the nearest points that can be reached.
Result<BackupChoice> choose_backup(const Catalogue& catalogue, const RestoreWish& wish);

}  // namespace lifeboat::recovery
