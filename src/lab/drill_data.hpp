// What a drill reports of data that were damaged and restored. Pure: no clock, no network.
#pragma once

#include <optional>

#include "lab/drill_trace.hpp"

namespace lifeboat::lab {

// When the restored data took the place of the damaged ones, by the page of the run that did it, since that run was opened. Nothing when
// it did not.
std::optional<Duration> put_back_after(const Json& run);

// `lost`: writes acknowledged before the damage that are not there; `collateral`: such as came after it, which no restore to before it can
// have. Null when the run restored nothing. {target, reached, lost_transactions, collateral_transactions, seconds, copy_seconds,
// replay_seconds, bytes, host, evidence, damaged_pages}. The last is how many damaged pages the members still have in the end.
Json restore_in(const DrillTrace& trace, size_t lost, size_t collateral);

// {found, true_moment, found_xid, true_xid, error_transactions, restores_used}; null when nobody looked for it. The error is how many
// transactions lie between what was found and what did the damage.
Json clean_point_in(const DrillTrace& trace);

// Where the data are that were set aside, and what was reported of them: {kept, manifest, sha256, …}; null when none were.
Json evidence_in(const DrillTrace& trace);

// Why the drill has failed, beside the plan's objectives: evidence that is not whole, or what became of the backups. Empty: it has not.
std::string why_data_fail(const DrillTrace& trace);

// Damaged pages that were found in the end, of all members.
int64_t damaged_pages_left(const DrillTrace& trace);

}  // namespace lifeboat::lab
