// Synchronous replication: whom commits wait for, and who therefore has every commit that was acknowledged.
//
// A commit is acknowledged when `copies` members of the set in force have it on disk. Which sets may be in force is durable before
// any server hears of it, so whoever decides after a loss knows whom to ask. While a set is being replaced, and until enough members
// of the new one have everything that was written under the old, both count. Sets are numbered, so that what was said of an earlier one
// and comes late, by a slow way or from a controller that does not know of its end, is known for what it is. With all sets that count:
//   - of N members of whom one has each commit, any N - copies + 1 together have all; the most advanced of them has everything;
//   - who took writes under a set has everything that was acknowledged under it.
#pragma once

#include "core/ownership/state.hpp"

namespace lifeboat::ownership {

bool is_synchronous(const Config& config);

// The set that a server begins to take writes under: all that may count, whether they are there or not. A server has it in its
// settings from its start on, so that nothing else is in force in the moment of its promotion.
SyncSet first_sync_set(const Config& config, const std::string& holder);

// What counts where the recorded sets mean nothing, as in a store that was restored from an older copy: nobody but `holder` is
// known to have everything. Empty: nobody at all.
std::vector<SyncSet> unknown_sets(const std::string& holder);

// What is durable with a grant: the sets that counted before count on; with a loss that a person accepted they do not.
std::vector<SyncSet> sync_sets_of_grant(const State& state, const std::string& holder, bool loss_is_accepted);

// Why promoting this member may lose a commit that was acknowledged; empty when it cannot. Only what members said since the last
// holder's end counts: before, more may have come.
std::string why_it_may_lose(const State& state, const Member& candidate, MonoTime now);

// Members that were asked to look again and may still answer.
bool awaits_looks(const State& state, MonoTime now);

// What is to be done about the sets now; called after each input.
struct SyncTurn {
  std::optional<std::vector<SyncSet>> record;  // make these durable
  std::optional<SyncSet> apply;                // then tell the holder
};
SyncTurn turn_sync_sets(State& state, MonoTime now);

}  // namespace lifeboat::ownership
