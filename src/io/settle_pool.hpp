// For programs whose executor is about to end.
#pragma once

namespace lifeboat {

// Returns when every thread of blocking_pool() has let go of what it did so far. Who waited for blocking() goes on a moment before that, while
// the thread still holds the executor, which must not end then. Not from a thread of the pool.
void settle_blocking_pool();

}  // namespace lifeboat
