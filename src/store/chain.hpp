// The hash chain of the journal: each event's hash covers the hash before it, so a change anywhere shows from there on.
#pragma once

#include <string>
#include <string_view>

#include "core/base/time.hpp"

namespace lifeboat {

// Hash "before" the first event: 64 zeros.
std::string chain_root();

// SHA-256(previous ‖ canonical JSON of {at, body, kind, seq, stream}) in lower-case hex. `body` is canonical JSON already.
std::string chain_hash(std::string_view previous, uint64_t seq, WallTime at, std::string_view stream,
                       std::string_view kind, std::string_view body);

}  // namespace lifeboat
