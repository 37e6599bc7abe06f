// Who goes first on a busy processor. What keeps a lease, and a server while everybody waits for it, is small and must be prompt; what they
// start is as important as anything else (io/process.hpp starts everything at the usual priority).
#pragma once

#include <sys/types.h>

namespace lifeboat {

// The calling thread and those it starts later go before others; those for long work (`blocking`, io/task.hpp) do not. Without the right to
// it (CAP_SYS_NICE) nothing changes. Where Linux weighs sessions instead of processes (sched(7), autogroup), the session goes first
// when this process leads it.
void go_first();
// The same, or no more, for a process and all its descendants as they are now.
void let_go_first(pid_t root, bool first);

// In a child, before it becomes another program, and after setsid() if it leads a session. Async-signal-safe.
void start_first();
void start_like_others();
void start_behind_others();
// In a child that has just begun a session: that goes as early or late as the process does.
void take_priority_into_session();

}  // namespace lifeboat
