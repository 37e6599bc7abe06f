// What is done without anybody asking, as far as the plan wants it: automatic failover, and leaving a disk that is full.
#pragma once

#include "core/ownership/candidates.hpp"

namespace lifeboat::ownership {

struct Reflex {
  Choice choice;        // nobody: nothing is promoted by itself, at least not yet
  std::string refused;  // why not, when that is worth saying
};
// Whether it said a moment ago that it cannot take over: everybody else who may is tried before it is again.
bool could_not_lately(const Member& member, MonoTime now);

// Who takes a right that has ended. The caller has seen that it is vacant.
Reflex judge_reflex(State& state, MonoTime now);

// Who is to take over from a primary whose disk has been full for a lease: it answers, renews its lease and takes no more writes. Empty
// when it is not full, when nobody can without loss, or when the plan wants a person to ask. A disk is rarely full on one
// member alone, so one whose own is full too is nobody's successor.
std::string successor_of_full_disk(State& state, MonoTime now);

}  // namespace lifeboat::ownership
