#include "recovery/forensics.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "recovery/catalogue_source.hpp"
#include "recovery/fetched_log.hpp"
#include "recovery/wal_dump.hpp"
#include "recovery/wal_folder.hpp"

namespace lifeboat {
namespace {

using namespace forensics;

// Commits stand in the log in nearly the order of their times; this far behind the end one may still belong to it.
constexpr std::chrono::seconds kDisorder{2};
constexpr size_t kMostMarks = 20'000'000;

// Everything but what only concerns indexes. Before version 15 only one manager can be asked for.
std::vector<std::string> managers_for(int version) {
  if (version < 15) return {};
  return {"Heap", "Heap2", "Transaction", "Storage", "Standby", "Database", "XLOG", "RelMap"};
}

class Pass {
 public:
  Pass(const ForensicsRequest& request, const WalFolder& log) : request_(request), log_(log), findings_(request.most) {}

  NameBook& names() { return names_; }
  void on_timeline(uint64_t timeline) { timeline_ = timeline; }

  bool feed(const Record& record) {
    if (first_lsn_.value == 0) first_lsn_ = record.lsn;
    last_lsn_ = record.lsn;
    learn(record);
    auto transaction = ledger_.feed(record);
    if (transaction) judge_one(*transaction);
    return !record.at || *record.at <= request_.to + kDisorder;
  }

  Report report() {
    report_.from = request_.from;
    report_.to = request_.to;
    report_.usual_transactions = baseline_.transactions;
    report_.usual_rows = baseline_.rows;
    report_.usual_span = baseline_.span();
    report_.records = ledger_.records;
    report_.log_bytes = last_lsn_.value - first_lsn_.value;
    report_.findings = findings_.take(names_);
    report_.left_out = findings_.left_out();
    report_.surges = surges_.find(names_);
    report_.oddities = oddities_.find(names_);
    if (ledger_.forgotten > 0)
      report_.notes.push_back(
          fmt::format("{} transactions were under way at once with too many others; what they changed is not known",
                      grouped(ledger_.forgotten)));
    if (unreadable_ > 0)
      report_.notes.push_back(fmt::format(
          "{} records of the catalogue could not be read; names may be older or missing", grouped(unreadable_)));
    return std::move(report_);
  }

 private:
  // Rows of the catalogue tell names; pg_waldump does not print them, so these records are read here.
  void learn(const Record& record) {
    if (record.what == What::map_changed) {
      names_.learn_map(log_.record(timeline_, record.lsn, record.bytes), log_.version());
      return;
    }
    bool holds_rows = record.image || record.what == What::inserted || record.what == What::updated ||
                      record.what == What::inplace || record.what == What::page_image;
    if (!holds_rows || !record.file || !names_.tells_names(*record.file)) return;
    if (!names_.learn(log_.record(timeline_, record.lsn, record.bytes), record.lsn, log_.version())) ++unreadable_;
  }

  void judge_one(const Transaction& transaction) {
    if (transaction.at < request_.from - request_.usual || transaction.at > request_.to) {
      baseline_.note_birth(transaction);
      return;
    }
    std::vector<Deed> deeds = deeds_of(transaction, names_);
    bool counts = transaction.at >= request_.from;
    surges_.add(transaction, deeds, counts);
    if (request_.marks) oddities_.add(transaction, deeds, counts);
    if (!counts) {
      baseline_.add(transaction, deeds);
      baseline_.note_birth(transaction);
      return;
    }
    ++report_.transactions;
    report_.rows += transaction.rows();
    if (!report_.first) report_.first = transaction.at;
    report_.last = transaction.at;
    if (request_.marks && report_.marks.size() < kMostMarks) note_mark(transaction);
    findings_.consider(transaction, std::move(deeds), baseline_, names_);
    baseline_.note_birth(transaction);
  }

  void note_mark(const Transaction& transaction) {
    Mark mark = mark_of(transaction);
    mark.end = record_end(transaction.commit, transaction.commit_bytes, log_.segment_bytes());
    report_.marks.push_back(mark);
  }

  const ForensicsRequest& request_;
  const WalFolder& log_;
  uint64_t timeline_ = 1;
  NameBook names_;
  Ledger ledger_;
  Baseline baseline_;
  Findings findings_;
  Surges surges_;
  Oddities oddities_;
  Report report_;
  Lsn first_lsn_, last_lsn_;
  uint64_t unreadable_ = 0;
};

Task<Result<>> learn_names(std::vector<std::string> catalogs, NameBook& names, std::vector<std::string>& notes,
                           Deadline deadline) {
  for (const std::string& one : catalogs) {
    if (one.find('=') == one.npos) {
      auto read = names_from_files(one, names);
      if (!read) notes.push_back(read.error().text());
      continue;
    }
    CO_TRY(PgParams params, parse_connection(one));
    auto asking = names_from_server(params, names, notes, deadline.at_most(Duration{30'000}));
    auto asked = co_await std::move(asking);
    // A server that is down does not keep the log from being read.
    if (!asked) notes.push_back(fmt::format("the catalogue could not be asked: {}", asked.error().text()));
  }
  co_return Result<>{};
}

}  // namespace

Task<Result<Report>> read_log(ForensicsRequest request, Deadline deadline) {
  MonoTime begun = boot_now();
  if (request.from >= request.to)
    co_return fail(ErrorKind::invalid_input, "the time to look at ends before it begins", "give --from before --to");
  Moment usual_from = request.from - request.usual;
  std::optional<FetchedFolder> fetched;
  std::string folder = request.wal;
  if (request.repository) {
    auto fetching = fetch_log_of(*request.repository, usual_from, request.to, deadline);
    CO_TRY(FetchedFolder got, co_await std::move(fetching));
    fetched = std::move(got);
    folder = fetched->log;
  }
  CO_TRY(WalFolder log, WalFolder::open(folder));
  CO_TRY(std::string program, find_waldump(log.version()));
  Pass pass(request, log);
  std::vector<std::string> notes = log.gaps();
  auto learning = learn_names(request.catalogs, pass.names(), notes, deadline);
  CO_TRY_VOID(co_await std::move(learning));
  DumpWish wish{.program = program, .view = log.view(), .managers = managers_for(log.version())};
  auto locating = segment_at(log, program, usual_from, deadline);
  CO_TRY(WalPlace start, co_await std::move(locating));
  bool more = true;
  for (size_t index = start.run; more && index < log.runs().size(); ++index) {
    const WalRun& run = log.runs()[index];
    wish.begin = index == start.run ? Lsn{start.segment * log.segment_bytes()} : Lsn{};
    pass.on_timeline(run.timeline);
    auto sink = [&pass](const Record& record) { return pass.feed(record); };
    auto dumping = dump_run(wish, run, log.segment_bytes(), sink, notes, deadline);
    CO_TRY(bool all, co_await std::move(dumping));
    more = all;
  }
  Report report = pass.report();
  report.notes.insert(report.notes.end(), notes.begin(), notes.end());
  if (more && !report.last) report.notes.push_back("the log ends before that time");
  if (start.first && *start.first > request.from)
    report.notes.push_back(
        fmt::format("the log begins only at {}: what was before is not known", moment_in_words(*start.first)));
  report.took = to_duration(boot_now() - begun);
  co_return report;
}

}  // namespace lifeboat
