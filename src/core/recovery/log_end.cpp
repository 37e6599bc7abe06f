#include "core/recovery/log_end.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::recovery {
namespace {

bool cannot_write(const LogWriter& one) {
  ServerState state = one.report.state;
  bool at_rest = state == ServerState::absent || state == ServerState::stopped || state == ServerState::parked ||
                 state == ServerState::standby;
  return one.connected && at_rest && one.report.term == 0;
}

}  // namespace

bool ends_with_record(uint64_t at, uint64_t record_bytes, uint64_t written) {
  constexpr uint64_t kPage = 8192, kHeader = 24, kAlignment = 8;
  uint64_t pages = record_bytes / (kPage - kHeader) + 2;
  return written <= at + record_bytes + pages * kHeader + kAlignment;
}

bool is_all_received(const std::optional<UnfinishedSegment>& unfinished, const std::string& segment, Lsn replayed) {
  return unfinished && unfinished->name == segment && replayed > unfinished->last_record;
}

bool is_an_answer(bool good_to_the_end, bool log_closed) { return log_closed || !good_to_the_end; }

bool may_lack_the_newest(const RecoveryTarget& target, bool log_closed) {
  return !log_closed && target.kind == TargetKind::latest;
}

Result<LogEnd> who_ends_the_log(const std::vector<LogWriter>& members, const std::string& repository_host) {
  auto writer = std::ranges::find(members, true, &LogWriter::writes);
  if (writer != members.end()) return LogEnd{writer->host, writer->member};
  auto open = std::ranges::find_if_not(members, cannot_write);
  if (open != members.end())
    return fail(ErrorKind::refused, fmt::format("nobody is known to write, and {} may", open->member),
                "the log that is not archived yet cannot be had before that is known");
  if (repository_host.empty())
    return fail(ErrorKind::refused,
                "nobody writes, and the plan names no host of the repository that was sent the log");
  return LogEnd{repository_host, ""};
}

}  // namespace lifeboat::recovery
