#include "recovery/point.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "core/recovery/catalogue.hpp"
#include "io/process.hpp"

namespace lifeboat::recovery {
namespace {

// Commits looked at behind the point.
constexpr size_t kBehind = 200;

struct Dump {
  std::string out;
  std::string err;
};

Task<Result<Dump>> dump(LogPlace place, std::vector<std::string> arguments, Deadline deadline) {
  ProcessSpec spec;
  spec.argv = {place.tool, "--path=" + place.folder};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.user = place.user;
  spec.directory = "/";
  spec.environment = {{"TZ", "UTC"}, {"LC_ALL", "C"}};
  spec.capture = size_t{64} << 20;
  spec.ends_with_us = true;
  auto running = run_process(std::move(spec), deadline);
  CO_TRY(ProcessResult result, co_await std::move(running));
  if (result.cut) co_return fail(ErrorKind::refused, "pg_waldump wrote too much");
  co_return Dump{std::move(result.out), std::move(result.err)};
}

Lsn record_in(std::string_view line) {
  size_t at = line.find("lsn: ");
  if (at == line.npos) return {};
  line.remove_prefix(at + 5);
  return ScalarText<Lsn>::parse(line.substr(0, line.find(','))).value_or(Lsn{});
}

}  // namespace

std::vector<SeenCommit> commits_in(std::string_view text) {
  std::vector<SeenCommit> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    auto commit = orphans::parse_commit(text.substr(at, end - at));
    at = end + 1;
    if (!commit) continue;
    auto time = ScalarText<Moment>::parse(commit->time);
    if (time) out.push_back({commit->xid, commit->at, *time});
  }
  return out;
}

std::optional<Moment> first_abort_in(std::string_view text) {
  constexpr std::string_view kAbort = "desc: ABORT ";
  size_t at = text.find(kAbort);
  if (at == text.npos) return std::nullopt;
  std::string_view rest = text.substr(at + kAbort.size());
  auto time = ScalarText<Moment>::parse(rest.substr(0, std::min(rest.find(';'), rest.find('\n'))));
  return time ? std::optional(*time) : std::nullopt;
}

Task<Result<Point>> find_point(LogPlace place, Lsn position, uint64_t timeline, uint64_t segment_bytes,
                               uint64_t first_segment, Deadline deadline) {
  Point out;
  auto text = [](Lsn at) { return ScalarText<Lsn>::format(at); };
  std::string on = fmt::format("--timeline={}", timeline);
  // Behind it. pg_waldump waits five seconds for a segment that is not there: it is not asked for one.
  uint64_t missing = segment_of(position, segment_bytes);
  auto there = [&](uint64_t number) {
    return access((place.folder + "/" + segment_name(timeline, number, segment_bytes)).c_str(), F_OK) == 0;
  };
  while (there(missing)) ++missing;
  if (missing == segment_of(position, segment_bytes)) {
    out.end = fmt::format("could not find file \"{}\"", segment_name(timeline, missing, segment_bytes));
  } else {
    std::vector<std::string> next{on, "--start=" + text(position), "--limit=1"};
    auto looking = dump(place, std::move(next), deadline);
    CO_TRY(Dump first, co_await std::move(looking));
    out.next_record = record_in(first.out);
    out.end = first.err;
  }
  if (out.next_record.value != 0) {
    std::vector<std::string> following{on, "--start=" + text(position),
                                       "--end=" + text(segment_begin(missing, segment_bytes)), "--rmgr=Transaction",
                                       fmt::format("--limit={}", kBehind)};
    auto reading = dump(place, std::move(following), deadline);
    CO_TRY(Dump behind, co_await std::move(reading));
    out.behind = commits_in(behind.out);
    out.abort_behind = first_abort_in(behind.out);
  }
  // Before it: segment by segment backwards, until one holds a commit.
  uint64_t segment = segment_of(Lsn{position.value == 0 ? 0 : position.value - 1}, segment_bytes);
  for (; segment >= first_segment && !out.before; --segment) {
    Lsn from = segment_begin(segment, segment_bytes);
    std::vector<std::string> range{on, "--start=" + text(from), "--end=" + text(position), "--rmgr=Transaction"};
    auto reading = dump(place, std::move(range), deadline);
    CO_TRY(Dump before, co_await std::move(reading));
    auto commits = commits_in(before.out);
    while (!commits.empty() && commits.back().at >= position) commits.pop_back();
    if (!commits.empty()) out.before = commits.back();
    if (segment == 0) break;
  }
  co_return out;
}

uint64_t commits_in_statistics(std::string_view text) {
  uint64_t out = 0;
  // "Transaction/COMMIT          62 ( 96.88)   2546 ( 97.29) …"
  for (std::string_view kind : {"Transaction/COMMIT ", "Transaction/COMMIT_PREPARED "}) {
    size_t at = text.find(kind);
    if (at == text.npos) continue;
    at = text.find_first_not_of(' ', at + kind.size());
    uint64_t count = 0;
    if (at != text.npos) std::from_chars(text.data() + at, text.data() + text.size(), count);
    out += count;
  }
  return out;
}

Task<Result<uint64_t>> count_commits(LogPlace place, Lsn position, Lsn end, uint64_t timeline, Deadline deadline) {
  auto text = [](Lsn at) { return ScalarText<Lsn>::format(at); };
  auto dumping = dump(std::move(place),
                      {fmt::format("--timeline={}", timeline), "--start=" + text(position), "--end=" + text(end),
                       "--rmgr=Transaction", "--stats=record"},
                      deadline);
  CO_TRY(Dump counted, co_await std::move(dumping));
  co_return commits_in_statistics(counted.out);
}

Verdict judge_point(const RecoveryTarget& target, Lsn reached, const Point& point) {
  Verdict out;
  const SeenCommit* next = point.behind.empty() ? nullptr : &point.behind.front();
  switch (target.kind) {
    case TargetKind::time:
      if (point.before && point.before->time > target.time)
        out.wrong = fmt::format("transaction {} of {} is in, which is after the target", point.before->xid,
                                moment_in_words(point.before->time));
      if (next == nullptr) {
        // A transaction that was given up later proves it as well.
        bool proven = point.abort_behind && *point.abort_behind > target.time;
        if (!proven && out.wrong.empty())
          out.wrong = "no commit stands behind the point, so nothing proves that it is the last before it";
      } else if (next->time <= target.time) {
        out.wrong = fmt::format("transaction {} of {} is not in, which is before the target", next->xid,
                                moment_in_words(next->time));
      }
      // The moment of a commit is taken before its record gets its place: neighbours may stand the other way round.
      out.lost = static_cast<uint64_t>(
          std::ranges::count_if(point.behind, [&](const SeenCommit& one) { return one.time <= target.time; }));
      return out;
    case TargetKind::xid_before:
      if (next == nullptr || next->xid != target.xid)
        out.wrong =
            fmt::format("the next commit is that of {}, not of {}", next == nullptr ? 0 : next->xid, target.xid);
      return out;
    case TargetKind::xid_after:
      if (!point.before || point.before->xid != target.xid)
        out.wrong =
            fmt::format("the last commit is that of {}, not of {}", point.before ? point.before->xid : 0, target.xid);
      return out;
    case TargetKind::lsn:
      if (reached <= target.lsn) out.wrong = fmt::format("position {} is before it", ScalarText<Lsn>::format(reached));
      return out;
    case TargetKind::latest:
    case TargetKind::name:
    case TargetKind::immediate: return out;
  }
  return out;
}

}  // namespace lifeboat::recovery
