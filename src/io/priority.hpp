// Who goes first on a busy processor. What keeps a lease, and a server while everybody waits for it, is small and must be prompt; what they
// start is as important as anything else (io/process.hpp starts everything at the usual priority).
#pragma once

#include <sys/types.h>

namespace lifeboat {

// The calling thread and those it starts later go before others; those for long work (`blocking`, io/task.hpp) do not. Without the right to it (CAP_SYS_NICE) nothing changes.
void go_first();
// The same, or no more, for a process and all its descendants as they are now.
void let_go_first(pid_t root, bool first);
// In a child, before it becomes another program: the usual priority. Async-signal-safe.
void go_like_others();

}  // namespace lifeboat
