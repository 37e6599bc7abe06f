// What is durable of a database's ownership besides its term and holder: what a controller that has just begun to lead knows of the
// time before it. The journal says what happened, one thing after the other; each is taken in by one of these.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat::ownership {

struct Past {
  std::deque<MonoTime> automatic_failovers;  // when they were made, oldest first
  bool ever_written = true;                  // somebody took writes once
  std::vector<SyncSet> sync_sets;            // the last that were recorded
  bool led = true;                           // the holder did, and nobody else was granted anything since
  uint64_t above = 0;                        // terms that a restored store leaves out; 0: it was not restored
  bool restored = false;                     // and nobody was known to take writes since
};

// Of a database that nobody has heard of yet.
inline Past no_past() { return {.ever_written = false, .led = false}; }

// A grant was recorded (MakeGrant). `goes_on`: as the grant says.
void was_granted(Past& past, bool goes_on, std::vector<SyncSet> sync);
// Whether a note of that kind says that the holder takes writes.
bool tells_of_writes(std::string_view note);
void took_writes(Past& past);
// The store was restored from an older copy, which leaves out the terms up to `above`.
void left_terms_out(Past& past, uint64_t above);

}  // namespace lifeboat::ownership
