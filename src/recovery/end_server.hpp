// Ends the server of a restored copy.
#pragma once

#include <string>

namespace lifeboat::recovery {

// Ends the server that runs on `data`, whoever started it, without a checkpoint: `postgres` is the full path of its program. It is told
// to end at once first (SIGQUIT, PostgreSQL manual, 19.5), so that it gives back its shared memory, which one that is killed leaves to
// the host; what is still there after two seconds is killed. False when a process of it is there all the same, three seconds later.
// Blocks for as long as that takes; nothing to do when none runs.
bool end_server_at(const std::string& data, const std::string& postgres);

}  // namespace lifeboat::recovery
