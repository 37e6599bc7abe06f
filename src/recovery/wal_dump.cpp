#include "recovery/wal_dump.hpp"

#include <fmt/format.h>

#include "core/recovery/catalogue.hpp"
#include "io/process.hpp"

namespace lifeboat {
namespace {

constexpr size_t kLongestLine = 1 << 20;

// Cuts what comes into lines; a line that never ends is given up.
class Lines {
 public:
  explicit Lines(std::function<bool(const forensics::Record&)> sink) : sink_(std::move(sink)) {}

  bool add(std::string_view piece) {
    while (true) {
      size_t end = piece.find('\n');
      if (end == piece.npos) break;
      std::string_view line = piece.substr(0, end);
      if (!rest_.empty()) {
        rest_ += line;
        line = rest_;
      }
      auto record = forensics::parse_line(line);
      rest_.clear();
      if (record && !sink_(*record)) return false;
      piece.remove_prefix(end + 1);
    }
    if (rest_.size() + piece.size() <= kLongestLine) rest_ += piece;
    return true;
  }

 private:
  std::function<bool(const forensics::Record&)> sink_;
  std::string rest_;
};

std::string text_of(Lsn lsn) { return ScalarText<Lsn>::format(lsn); }

// "pg_waldump: error: error in WAL record at 0/24A9A38: invalid …"
std::optional<Lsn> position_in(const std::string& complaint) {
  constexpr std::string_view kBefore = "error in WAL record at ";
  size_t at = complaint.find(kBefore);
  if (at == complaint.npos) return std::nullopt;
  std::string_view rest = std::string_view(complaint).substr(at + kBefore.size());
  auto lsn = ScalarText<Lsn>::parse(rest.substr(0, rest.find(':')));
  return lsn ? std::optional(*lsn) : std::nullopt;
}

// "pg_waldump: error: could not find file "000000010000000000000005": No such file or directory"
std::string missing_file_in(const std::string& complaint) {
  constexpr std::string_view kBefore = "could not find file \"";
  size_t at = complaint.find(kBefore);
  if (at == complaint.npos) return {};
  std::string rest = complaint.substr(at + kBefore.size());
  return rest.substr(0, rest.find('"'));
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  size_t at = text.rfind('\n');
  return at == text.npos ? text : text.substr(at + 1);
}

}  // namespace

Result<std::string> find_waldump(int version) {
  std::string found = find_program("pg_waldump", {fmt::format("/usr/lib/postgresql/{}/bin", version)});
  if (found.empty() ||
      (found.find("/postgresql/") != found.npos && found.find(fmt::format("/{}/bin/", version)) == found.npos))
    return fail(ErrorKind::unsupported, fmt::format("pg_waldump of PostgreSQL {} is not installed here", version),
                fmt::format("install postgresql-{}", version));
  return found;
}

Task<Result<DumpEnd>> dump_records(DumpWish wish, std::function<bool(const forensics::Record&)> sink,
                                   Deadline deadline) {
  ProcessSpec spec;
  spec.argv = {wish.program, "-p", wish.view, "-t", std::to_string(wish.timeline), "-s", text_of(wish.begin)};
  if (wish.end.value != 0) spec.argv.insert(spec.argv.end(), {"-e", text_of(wish.end)});
  for (const std::string& manager : wish.managers) spec.argv.insert(spec.argv.end(), {"-r", manager});
  if (wish.most > 0) spec.argv.insert(spec.argv.end(), {"-n", std::to_string(wish.most)});
  spec.environment = {{"TZ", "UTC"}, {"LC_ALL", "C"}};
  Lines lines(std::move(sink));
  spec.on_output = [&lines](std::string_view piece) { return lines.add(piece); };
  auto running = run_process(spec, deadline);
  CO_TRY(ProcessResult result, co_await std::move(running));
  DumpEnd out;
  out.enough = result.cut;
  if (result.cut || result.exit_code == 0) co_return out;
  out.complaint = last_line(result.err);
  out.stopped = position_in(out.complaint);
  bool nothing_there = out.complaint.find("could not find a valid record") != out.complaint.npos;
  out.lacks = missing_file_in(out.complaint);
  if (!out.stopped && !nothing_there && out.lacks.empty())
    co_return fail(ErrorKind::refused, fmt::format("pg_waldump from {}: {}", text_of(wish.begin), out.complaint),
                   "look whether the segments can be read and are whole");
  co_return out;
}

Task<Result<bool>> dump_run(DumpWish wish, WalRun run, uint64_t segment_bytes,
                            std::function<bool(const forensics::Record&)> sink, std::vector<std::string>& damage,
                            Deadline deadline) {
  Lsn begin = std::max(wish.begin, run.begin);
  if (wish.end.value == 0) wish.end = run.end;
  while (begin < run.end) {
    wish.timeline = run.timeline;
    wish.begin = begin;
    auto dumping = dump_records(wish, sink, deadline);
    CO_TRY(DumpEnd end, co_await std::move(dumping));
    if (end.enough) co_return false;
    if (end.complaint.empty()) co_return true;
    // Where no end is named, pg_waldump wants the segment behind the last one, which was never there.
    if (!end.lacks.empty()) {
      if (end.lacks == recovery::segment_name(run.timeline, run.last + 1, segment_bytes)) co_return true;
      co_return fail(ErrorKind::not_found, fmt::format("the segment {} is gone", end.lacks), "read the log again");
    }
    // The last record before the damage tells in which segment it is.
    uint64_t at = end.stopped ? end.stopped->value / segment_bytes : begin.value / segment_bytes;
    if (at >= run.last) co_return true;
    damage.push_back(fmt::format("the log is damaged {} {}: {}; read on with the next segment",
                                 end.stopped ? "behind" : "at", text_of(end.stopped.value_or(begin)), end.complaint));
    begin = Lsn{(std::max(at, begin.value / segment_bytes) + 1) * segment_bytes};
  }
  co_return true;
}

}  // namespace lifeboat
