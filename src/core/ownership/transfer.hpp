// What whoever asked for a transfer is told in the end.
#pragma once

#include "core/ownership/state.hpp"

namespace lifeboat::ownership {

Error transfer_error(ErrorKind kind, std::string what, std::string hint = {});

// Whether a failover was asked for that waits until nobody holds the right.
bool failover_waits(const State& state);

// Whether the right to write is being moved, because somebody asked for it or unasked. A failover that waits has moved nothing yet:
// standbys are attached meanwhile, and who is waited for changes, as if it had not been asked for.
bool is_moving(const State& state);

// Whether what the transfer is for is so already: the holder is whom it names, or is in the region it names, and is known to take
// writes now.
bool is_there(const State& state, const Transfer& transfer, MonoTime now);

// What is known may be as old as a lease and the time in which a server that hangs is noticed; before somebody is told that all is as
// wished, the holder is looked at once more. True when that look has answered.
bool was_looked_at_since(const State& state, const Transfer& transfer);

// Whether the failover waits for a vacancy that does not come: for longer than it takes to find out that a server hangs or that its
// host is gone, the holder has renewed its lease and said that it takes writes. Somebody took over before this was asked, or
// nothing is wrong with who writes.
bool is_writable_elsewhere(const State& state, const Transfer& transfer, MonoTime now);

// {member, from, term, timeline, how, seconds[, write_outage_s]} of the transfer under way; the last only for a switchover.
Json result_of_transfer(const State& state, std::string how, MonoTime now);

}  // namespace lifeboat::ownership
