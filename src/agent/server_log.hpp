// What a server's log says that the agent did not know before. The file belongs to the server: it is only read, what is new of it, and
// an operator may cut it off or put another in its place.
#pragma once

#include <cstdint>
#include <string>

#include "core/member/cancelled_waits.hpp"

namespace lifeboat {

// How far it was read.
struct LogPlace {
  uint64_t file = 0;  // its inode
  int64_t offset = 0;
  bool inside_line = false;
};
// Where it ends now; its beginning when it is not there.
LogPlace end_of_log(const std::string& path);

struct LogNews {
  LogPlace next;
  int64_t cancelled = 0;  // waits for a standby
};
// Blocking. At most so much is read at once; the rest is there the next time. One that is shorter than it was, or another file,
// is begun anew. Nothing when it cannot be read.
inline constexpr size_t kLogPartMost = 1024 * 1024;
LogNews read_server_log(const std::string& path, LogPlace from, size_t most = kLogPartMost);

}  // namespace lifeboat
