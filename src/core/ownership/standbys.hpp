// Which members are told to follow the holder, and which of them may give up what they have for it.
#pragma once

#include "core/ownership/messages.hpp"
#include "core/ownership/state.hpp"

namespace lifeboat::ownership {

// Whether this member is to be told now whom to follow.
bool wants_follow(const State& state, const Member& member, MonoTime now);

// What it is told. Unasked, only data are given up that end before the holder's timeline begins; that is judged here by what
// was heard of it, and once more by the member itself.
wire::Follow order_to_follow(const State& state, const Member& member);

}  // namespace lifeboat::ownership
