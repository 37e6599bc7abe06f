// Who can be promoted, who of them should be, and what that would set aside.
#pragma once

#include "core/ownership/state.hpp"

namespace lifeboat::ownership {

// Why this member cannot be promoted now; empty when it can.
std::string why_not_candidate(const State& state, const Member& member, MonoTime now);

// Why nobody may be promoted yet, though nobody holds the right: somebody may have promised the old primary not to take over, or has
// not been heard since. Empty: nothing is waited for.
std::string why_to_wait(const State& state, MonoTime now);

struct Choice {
  std::string member;       // empty: nobody
  std::string reason;       // why this one, or why nobody, for people
  uint64_t lost_bytes = 0;  // what it lacks of what is known to have been written
  std::string
      may_lose;  // with synchronous replication: why it may lack what was acknowledged; empty: it has all of that
  std::optional<Duration> lost_age;  // the same as time; nothing when it cannot be told
};

// The most advanced candidate in `to` (a region, a member, or empty for anywhere) that is not in `except`; ties go to the
// order of the plan. A primary that was stopped can be one too, unless only standbys are asked for: it needs no promotion
// and has everything of its timeline.
Choice choose(const State& state, const std::string& to, const std::vector<std::string>& except, MonoTime now,
              bool standbys_only = false);

// Whether promoting it would set aside more than may be without a person.
bool is_too_much(const Config& config, const Choice& choice);
std::string loss_in_words(const Choice& choice);

}  // namespace lifeboat::ownership
