// What the steps of a search for a clean moment take: believed at first, then as they were seen to.
#pragma once

#include <cstddef>

namespace lifeboat::clean_point {

// In seconds, as far as they are known; only how they stand to each other matters.
struct Costs {
  double restore = 60;    // a copy, up to position 0
  double per_commit = 0;  // replaying one more commit
  double step = 2;        // stopping at a position and going on from it
  double check = 1;       // asking all checks
};

// A copy that came to a position: rolled forward from another, or restored first.
struct Move {
  bool fresh = false;
  size_t from = 0;  // of a copy that rolled forward
  size_t to = 0;
  double seconds = 0;
};

// A long way tells what a commit takes, a short one what stopping takes, and a restore what is left of it.
void learn(Costs& costs, const Move& move);

}  // namespace lifeboat::clean_point
