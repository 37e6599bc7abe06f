// Commits that nobody waits for any more. With synchronous replication a session whose wait is cut short has committed on the primary
// alone; PostgreSQL undoes nothing, counts nothing, and says so in one line of its log. They are counted from that line, so that whoever
// looks knows that they are there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.hpp"
#include "core/member/server.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat {

// What was read of a part of the log: how much of it ended with a line, and how many of those lines tell of a cancelled wait.
struct LogPart {
  size_t used = 0;
  int64_t cancelled = 0;
  bool inside_line = false;  // the next part begins in the middle of a line that is too long to be one of them
};
// `full`: more than `text` did not fit, so a line without an end is not waited for. `inside_line`: as the part before said.
LogPart read_log_part(std::string_view text, bool full, bool inside_line);

// Why a server with these settings does not write such a line, or not in words that are known; empty: it does.
std::string why_waits_not_counted(std::string_view log_min_messages, std::string_view log_destination,
                                  std::string_view logging_collector, std::string_view lc_messages);

// Of one server, from its start on.
class WaitCount {
 public:
  const CancelledWaits& is() const { return is_; }
  void found(int64_t cancelled, WallTime now);
  void not_counted(std::string why) { is_.not_counted = std::move(why); }
  // What a primary says of itself. `counted`: is().count before it was asked; what was found since may lie after `look.written`.
  void saw(int64_t counted, const ServerLook& look, const SyncSet& waited_for);

 private:
  CancelledWaits is_;
  bool placed_ = true;  // those that may be nowhere else lie before:
  Lsn before_;
};

// For people; empty when there is nothing to say.
std::string in_words(const CancelledWaits& waits);

}  // namespace lifeboat
