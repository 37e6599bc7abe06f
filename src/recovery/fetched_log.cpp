#include "recovery/fetched_log.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/recovery/window.hpp"
#include "io/file.hpp"
#include "recovery/wal_dump.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using recovery::Catalogue;
using recovery::segment_name;
using recovery::WalSegment;

// Looks far enough for the first transaction that ended there.
Task<Result<std::optional<Moment>>> first_time(const WalFolder& log, std::string waldump, WalRun run, uint64_t segment,
                                               Deadline deadline) {
  std::optional<Moment> found;
  auto sink = [&found](const forensics::Record& record) {
    found = record.at;
    return !found;
  };
  DumpWish wish{.program = waldump,
                .view = log.view(),
                .timeline = run.timeline,
                .begin = std::max(run.begin, Lsn{segment * log.segment_bytes()}),
                .end = run.end,
                .managers = {"Transaction"}};
  auto dumping = dump_records(wish, sink, deadline);
  auto dumped = co_await std::move(dumping);
  // A damaged segment tells no time; its neighbours do.
  if (!dumped && dumped.error().kind == ErrorKind::timed_out) co_return std::unexpected(dumped.error());
  co_return found;
}

// The segments of the newest history, in the order of the log; those that were archived before `from` hold nothing of it.
std::vector<const WalSegment*> wanted(const recovery::SegmentChain& chain, Moment from) {
  std::vector<const WalSegment*> out;
  for (const WalSegment* segment : chain.between(0, UINT64_MAX)) {
    if (!segment->archived || *segment->archived >= from) out.push_back(segment);
  }
  return out;
}

Result<std::string> make_scratch(const std::string& user) {
  std::string path = (fs::temp_directory_path() / "lifeboat-fetch-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr)
    return fail(ErrorKind::refused, fmt::format("{}: {}", path, std::strerror(errno)));
  const passwd* account = user.empty() || geteuid() != 0 ? nullptr : getpwnam(user.c_str());
  if (account != nullptr && chown(path.c_str(), account->pw_uid, account->pw_gid) != 0)
    return fail(ErrorKind::refused, fmt::format("{}: {}", path, std::strerror(errno)));
  return path;
}

Result<> check_room(const std::string& folder, uint64_t bytes) {
  std::error_code problem;
  fs::space_info space = fs::space(folder, problem);
  if (problem || space.available > bytes + bytes / 10) return {};
  return fail(
      ErrorKind::refused,
      fmt::format("the log of that time takes {} MB, {} has {} MB left", bytes >> 20, folder, space.available >> 20),
      "ask for a shorter time, or set TMPDIR to a larger disk");
}

}  // namespace

Task<Result<WalPlace>> segment_at(const WalFolder& log, std::string waldump, Moment at, Deadline deadline) {
  std::vector<WalPlace> all;
  for (size_t run = 0; run < log.runs().size(); ++run) {
    for (uint64_t segment = log.runs()[run].first; segment <= log.runs()[run].last; ++segment)
      all.push_back({run, segment, std::nullopt});
  }
  // Often all of the log is later. A look at what holds no commits for long takes long, so the first is looked at first.
  auto first = first_time(log, waldump, log.runs()[all[0].run], all[0].segment, deadline);
  CO_TRY(all[0].first, co_await std::move(first));
  if (all[0].first && *all[0].first >= at) co_return all[0];
  size_t low = 0, high = all.size();  // the wanted one lies in [low, high)
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    auto looking = first_time(log, waldump, log.runs()[all[middle].run], all[middle].segment, deadline);
    CO_TRY(all[middle].first, co_await std::move(looking));
    if (all[middle].first && *all[middle].first < at) {
      low = middle;
    } else {
      high = middle;
    }
  }
  co_return all[low];
}

FetchedFolder::FetchedFolder(FetchedFolder&& other) noexcept
    : scratch(std::exchange(other.scratch, {})), log(std::exchange(other.log, {})) {}
FetchedFolder& FetchedFolder::operator=(FetchedFolder&& other) noexcept {
  std::swap(scratch, other.scratch);
  std::swap(log, other.log);
  return *this;
}
FetchedFolder::~FetchedFolder() {
  std::error_code ignored;
  if (!scratch.empty()) fs::remove_all(scratch, ignored);
}

Result<FetchedFolder> FetchedFolder::make(const std::string& user) {
  FetchedFolder out;
  TRY(out.scratch, make_scratch(user));
  return out;
}

Task<Result<FetchedFolder>> fetch_log_of(PgBackRest repository, Moment from, Moment to, Deadline deadline) {
  CO_TRY(FetchedFolder out, FetchedFolder::make(repository.user));
  repository.scratch = out.scratch;
  auto reading = read_catalogue(repository, deadline);
  CO_TRY(Catalogue catalogue, co_await std::move(reading));
  uint64_t newest = recovery::newest_timeline(catalogue);
  CO_TRY(orphans::Lineage lineage, recovery::lineage_of(catalogue, std::max<uint64_t>(1, newest)));
  recovery::SegmentChain chain(catalogue, lineage);
  std::vector<const WalSegment*> segments = wanted(chain, from);
  if (segments.empty())
    co_return fail(ErrorKind::not_found, "the archive holds no log that was written after the beginning of that time",
                   "`lifeboat backups list` tells which time can be restored");
  FetchLog what;
  what.control_folder = out.scratch + "/control";
  what.processes = 2;
  CO_TRY_VOID(make_control_folder(what.control_folder, catalogue));
  out.log = fetched_log_folder(repository);
  size_t done = 0;
  // A commit is archived after it was made, sometimes long after: fetching goes on until the log itself is past the end.
  auto past =
      std::ranges::find_if(segments, [&](const WalSegment* one) { return one->archived && *one->archived > to; });
  size_t until = past == segments.end() ? segments.size() : static_cast<size_t>(past - segments.begin()) + 1;
  while (done < segments.size()) {
    CO_TRY_VOID(check_room(out.scratch, (until - done) * catalogue.segment_bytes));
    what.segments.clear();
    for (; done < until; ++done)
      what.segments.push_back(segment_name(segments[done]->timeline, segments[done]->number, catalogue.segment_bytes));
    auto fetching = fetch_log(repository, what, deadline);
    CO_TRY(FetchedLog fetched, co_await std::move(fetching));
    if (fetched.present.empty())
      co_return fail(ErrorKind::refused,
                     fmt::format("no segment could be fetched: {}",
                                 fetched.damaged.empty() ? "none is there" : fetched.damaged.front()));
    for (const recovery::TimelineHistory& history : catalogue.histories) {
      if (!history.text.empty())
        CO_TRY_VOID(write_file_atomic(fmt::format("{}/{:08X}.history", out.log, history.timeline), history.text));
    }
    if (done == segments.size()) break;
    CO_TRY(WalFolder log, WalFolder::open(out.log));
    CO_TRY(std::string waldump, find_waldump(log.version()));
    const WalRun& last = log.runs().back();
    auto looking = first_time(log, waldump, last, last.last, deadline);
    CO_TRY(std::optional<Moment> seen, co_await std::move(looking));
    if (seen && *seen > to) break;
    until = std::min(segments.size(), done + std::max<size_t>(4, done / 2));
  }
  co_return std::move(out);
}

}  // namespace lifeboat
