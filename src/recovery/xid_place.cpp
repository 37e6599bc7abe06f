#include "recovery/xid_place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>

#include "io/process.hpp"

namespace lifeboat::recovery {
namespace {

uint64_t number_after(std::string_view line, std::string_view label) {
  size_t at = line.find(label);
  if (at == line.npos) return 0;
  at = line.find_first_not_of(' ', at + label.size());
  uint64_t value = 0;
  if (at != line.npos) std::from_chars(line.data() + at, line.data() + line.size(), value);
  return value;
}

Task<Result<uint64_t>> next_xid_of(XidSearch search, BackupSet set, Deadline deadline) {
  FetchLog what;
  what.segments = {set.wal_start};
  if (set.wal_stop != set.wal_start) what.segments.push_back(set.wal_stop);
  what.control_folder = search.control_folder;
  auto fetching = fetch_log(search.repository, what, deadline);
  CO_TRY(FetchedLog got, co_await std::move(fetching));
  uint64_t next = 0;
  for (const std::string& name : got.present) {
    auto place = parse_segment_name(name, search.catalogue.segment_bytes);
    Lsn begin = std::max(segment_begin(place->number, search.catalogue.segment_bytes), set.start_lsn);
    ProcessSpec spec;
    spec.argv = {search.tool, "--path=" + fetched_log_folder(search.repository),
                 fmt::format("--timeline={}", place->timeline), "--start=" + ScalarText<Lsn>::format(begin),
                 "--end=" + ScalarText<Lsn>::format(set.stop_lsn)};
    spec.user = search.repository.user;
    spec.directory = "/";
    spec.capture = size_t{256} << 20;
    spec.ends_with_us = true;
    auto running = run_process(std::move(spec), deadline);
    CO_TRY(ProcessResult result, co_await std::move(running));
    next = std::max(next, next_xid_in(result.out));
  }
  co_return next;
}

}  // namespace

uint64_t next_xid_in(std::string_view text) {
  uint64_t next = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (uint64_t xid = number_after(line, " tx:"); xid != 0) next = std::max(next, xid + 1);
    next = std::max(next, number_after(line, " nextXid "));
  }
  return next;
}

Task<Result<std::string>> set_before_xid(XidSearch search, Deadline deadline) {
  std::string seen;
  for (const BackupSet& set : search.catalogue.sets | std::views::reverse) {
    auto asking = next_xid_of(search, set, deadline);
    auto next = co_await std::move(asking);
    // A set whose own log cannot be read serves nobody.
    if (!next || *next == 0) continue;
    if (*next <= search.xid) co_return set.label;
    seen = fmt::format("{}{} ends with transaction {}", seen.empty() ? "" : "; ", set.label, *next - 1);
  }
  co_return fail(
      ErrorKind::refused,
      fmt::format("transaction {} had begun before the end of every backup that is there", search.xid),
      seen.empty() ? "name a set with --set" : seen + "; if it ended later than that, name the set with --set");
}

}  // namespace lifeboat::recovery
