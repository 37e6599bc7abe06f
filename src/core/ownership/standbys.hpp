// Which members are told to follow the holder, and which of them may give up what they have for it.
#pragma once

#include "core/ownership/state.hpp"

namespace lifeboat::ownership {

// Whether this member is to be told now whom to follow.
bool wants_follow(const State& state, const Member& member, MonoTime now);

// Whether what it has may be the only copy of something. Unasked, only data are given up that end before the holder's timeline
// begins.
bool keeps_data(const State& state, const Member& member);

}  // namespace lifeboat::ownership
