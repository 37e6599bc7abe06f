// The figures of a drill, computed from what its witnesses wrote down. Pure: no clock, no network; tests feed it samples.
//
// Users' witness, one JSON object per line and journey:  {"kind": "read" | "write", "sent_ns", "done_ns", "ok", "key"}
// Witness at a server, one per attempt to write there:    {"sent_ns", "done_ns", "ok"}
// Times are CLOCK_BOOTTIME. A line that is cut off (its writer was killed) is left out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/drill_trace.hpp"

namespace lifeboat::lab {

struct Sample {
  int64_t sent_ns = 0;
  int64_t done_ns = 0;
  bool ok = false;
  bool write = false;
  std::string key;
};
using Samples = std::vector<Sample>;

// In the order in which they were done.
Samples read_samples(std::string_view lines);

struct Gap {
  int64_t from_ns = 0;  // the last good answer
  int64_t to_ns = 0;    // the next one; 0 when none came
};
// The longest time without a good answer to journeys of one kind that overlaps [from, to]. Nothing if there was no good
// answer before.
std::optional<Gap> longest_gap(const Samples& samples, bool writes, int64_t from_ns, int64_t to_ns);

// Time in which two servers of one database acknowledged writes, in nanoseconds. Any two acknowledgements that interleave
// count at least a millisecond.
int64_t double_acknowledged_ns(const std::vector<Samples>& members);

// When a server acknowledged a write again after the fault: the first acknowledgement of one that did not just before it,
// or of the one that did, after a silence. 0 if none.
int64_t writable_again_ns(const std::vector<Samples>& members, int64_t fault_ns);

// When the last journey that failed in [from, to] was followed by a good one; `from` itself if none failed. 0 if failures
// went on.
int64_t all_served_ns(const Samples& samples, int64_t from_ns, int64_t to_ns);

struct Lost {
  int64_t lost = 0;
  int64_t oldest_ns = 0;  // when the oldest of them was acknowledged; 0: none lost
};
// Of the acknowledged writes that are missing, those acknowledged in [from, to).
Lost lost_between(const Samples& samples, const std::vector<std::string>& missing_keys, int64_t from_ns, int64_t to_ns);

// The first moment at which the controller knew (a signal was believed, or a database had no holder) and decided.
struct Decided {
  int64_t detected_ns = 0;
  int64_t decided_ns = 0;
  int64_t opened_ns = 0;  // the run
};
Decided decided_in(const JsonArray& events, int64_t fault_ns, std::string_view run_id);

}  // namespace lifeboat::lab
