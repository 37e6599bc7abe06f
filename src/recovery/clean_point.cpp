#include "recovery/clean_point.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "recovery/corruption.hpp"
#include "recovery/fetched_log.hpp"
#include "recovery/forensics.hpp"

namespace lifeboat::recovery {
namespace {

using clean_point::NoAnswer;
using clean_point::Search;
using forensics::Mark;

constexpr Duration kSetLeast{60'000};
constexpr Duration kCopyEnds{20'000};
// Weights of suspects beside those of findings, whose score counts squared: a mass delete has some 90,000.
constexpr double kSurge = 40'000, kOddChange = 10'000, kOddInsert = 1'000;
// What pgBackRest says of times is rounded down to seconds.
constexpr std::chrono::seconds kWholeSecond{1};

class Hunt : public std::enable_shared_from_this<Hunt> {
 public:
  Hunt(CleanPointRequest request, Deadline deadline) : request_(std::move(request)), deadline_(deadline) {}
  ~Hunt() {
    if (copy_) copy_->remove();
  }
  Hunt(const Hunt&) = delete;
  Hunt& operator=(const Hunt&) = delete;

  Task<Result<CleanPointReport>> work();

 private:
  void say(std::string line) {
    if (request_.on_reason) request_.on_reason(line);
    out_.reasoning.push_back(std::move(line));
  }
  void say_new(const Search& search) {
    for (; told_ < search.reasoning().size(); ++told_) say(search.reasoning()[told_]);
  }
  // Log that ends here holds the first `position` commits of the span and nothing later that counts.
  // The log up to a position, and where its last record begins.
  struct Cut {
    Lsn at, last;
  };
  Cut cut_of(size_t position) const {
    const Mark& first = report_.marks.front();
    if (position == 0) return {first.lsn, first.before};
    return {report_.marks[position - 1].end, report_.marks[position - 1].lsn};
  }
  Task<Result<>> roll_to(size_t position);

  Task<Result<>> choose();
  Task<Result<>> read();
  std::vector<clean_point::Suspect> suspects() const;
  // Gives the seconds that it took, whoever waited for them.
  Task<Result<double>> fresh_copy();
  Task<Result<>> know_what_is_usual();
  Task<Result<Asked>> ask();
  Task<Result<>> search();
  void reach_back_no_further(const Catalogue& catalogue);
  void conclude(const Search& search, size_t last_good);
  // Holds on to the hunt: a scope that is cancelled ends it a moment later.
  static Task<> take_first_copy(std::shared_ptr<Hunt> hunt);

  CleanPointRequest request_;
  Deadline deadline_;
  forensics::Report report_;
  FetchedFolder log_;
  PgBackRest repository_;
  Moment first_needed_{};  // of the log
  std::unique_ptr<ProbeCopy> copy_;
  std::optional<Wakeup> first_copy_;  // woken when it is whole, or failed
  bool first_used_ = false;
  std::optional<Result<>> first_copied_;
  std::vector<std::string> databases_;
  std::vector<clean_point::Check> index_checks_;
  std::optional<clean_point::TextProfile> texts_;
  std::map<size_t, std::vector<std::string>> failed_at_;
  size_t told_ = 0;
  CleanPointReport out_;
};

Task<Result<CleanPointReport>> Hunt::work() {
  MonoTime begun = boot_now();
  auto choosing = choose();
  CO_TRY_VOID(co_await std::move(choosing));
  auto executor = co_await asio::this_coro::executor;
  Scope scope(executor, [this](std::string_view, std::string_view what) {
    first_copied_ = fail(ErrorKind::internal, fmt::format("the first copy: {}", what));
    first_copy_->notify();
  });
  // Copying takes the disk, and reading the log a processor.
  first_copy_.emplace(executor);
  scope.spawn("copy", take_first_copy(shared_from_this()));
  auto steps = [](Hunt& hunt) -> Task<Result<>> {
    auto reading = hunt.read();
    CO_TRY_VOID(co_await std::move(reading));
    auto searching = hunt.search();
    co_return co_await std::move(searching);
  };
  auto stepping = steps(*this);
  auto done = co_await std::move(stepping);
  auto stopping = scope.stop(kCopyEnds);
  co_await std::move(stopping);
  copy_->remove();
  if (!done) co_return std::unexpected(std::move(done).error());
  out_.seconds = to_seconds(boot_now() - begun);
  co_return std::move(out_);
}

Task<Result<>> Hunt::choose() {
  RestoreRequest& restore = request_.restore;
  repository_ = {
      .config = restore.config, .stanza = restore.stanza, .repository = restore.repository, .user = restore.run_as};
  auto looking = look_at_repository(repository_, deadline_);
  CO_TRY(Catalogue catalogue, co_await std::move(looking));
  reach_back_no_further(catalogue);
  RestoreWish wish = restore.wish;
  wish.target = RecoveryTarget{.kind = TargetKind::time, .time = request_.from};
  CO_TRY(BackupChoice choice, choose_backup(catalogue, wish));
  restore.wish.set = choice.set.label;
  out_.set = choice.set.label;
  first_needed_ = std::min<Moment>(request_.from - request_.usual, choice.set.started - kSetLeast);
  CopyPlan plan{.request = restore,
                .tools = fmt::format("/usr/lib/postgresql/{}/bin", catalogue.version),
                .log = choice.log,
                .segment_bytes = catalogue.segment_bytes};
  if (auto last = parse_segment_name(choice.set.wal_stop, catalogue.segment_bytes)) plan.consistent_with = last->number;
  copy_ = std::make_unique<ProbeCopy>(std::move(plan));
  co_return Result<>{};
}

Task<> Hunt::take_first_copy(std::shared_ptr<Hunt> hunt) {
  MonoTime begun = boot_now();
  auto restoring = hunt->copy_->restore({}, hunt->deadline_);
  auto copied = co_await std::move(restoring);
  hunt->out_.restore_seconds = to_seconds(boot_now() - begun);
  hunt->first_copied_ = copied ? Result<>{} : std::unexpected(std::move(copied).error());
  hunt->first_copy_->notify();
}

Task<Result<>> Hunt::read() {
  auto fetching = fetch_log_of(repository_, first_needed_, request_.to, deadline_);
  CO_TRY(log_, co_await std::move(fetching));
  copy_->take_log_from(log_.log);
  ForensicsRequest asked{.wal = log_.log,
                         .catalogs = request_.catalogs,
                         .from = request_.from,
                         .to = request_.to,
                         .usual = request_.usual,
                         .most = 50,
                         .marks = true};
  auto reading = read_log(asked, deadline_);
  CO_TRY(report_, co_await std::move(reading));
  out_.commits = report_.marks.size();
  out_.notes.insert(out_.notes.end(), report_.notes.begin(), report_.notes.end());
  if (report_.marks.empty())
    co_return fail(ErrorKind::not_found, "nothing was committed in that time, as far as the archive goes",
                   "give a time in which the damage was done with --from and --to");
  say(fmt::format("{} commits between {} and {}; {} of them stand out, {} did what hardly another did.",
                  forensics::grouped(out_.commits), moment_in_words(request_.from), moment_in_words(request_.to),
                  report_.findings.size() + report_.surges.size(), report_.oddities.size()));
  co_return Result<>{};
}

// "At most an hour ago" may lie before the first backup.
void Hunt::reach_back_no_further(const Catalogue& catalogue) {
  if (catalogue.sets.empty()) return;
  Moment first = std::ranges::min_element(catalogue.sets, {}, &BackupSet::stopped)->stopped + kWholeSecond;
  if (request_.from >= first || request_.to <= first) return;
  std::string note =
      fmt::format("No backup is older than {}: what was before it is not looked at.", moment_in_words(first));
  request_.from = first;
  out_.notes.push_back(note);
  say(note);
}

std::vector<clean_point::Suspect> Hunt::suspects() const {
  std::vector<clean_point::Suspect> out;
  auto add = [&](Lsn lsn, double weight, std::string what) {
    auto mark = std::ranges::lower_bound(report_.marks, lsn, {}, &Mark::lsn);
    if (mark == report_.marks.end() || mark->lsn != lsn) return;
    out.push_back({static_cast<size_t>(mark - report_.marks.begin()), weight, std::move(what)});
  };
  for (const forensics::Finding& finding : report_.findings)
    add(finding.transaction.commit, finding.score * finding.score, forensics::in_words(finding.deeds.front()));
  for (const forensics::Surge& surge : report_.surges)
    add(surge.first.lsn, kSurge, fmt::format("is the first of {}", forensics::in_words(surge)));
  for (const forensics::Oddity& odd : report_.oddities) {
    bool found = std::ranges::any_of(report_.findings, [&](const forensics::Finding& finding) {
      return finding.transaction.commit == odd.mark.lsn;
    });
    if (found) continue;
    double weight = odd.deed.kind == forensics::DeedKind::inserted ? kOddInsert : kOddChange;
    add(odd.mark.lsn, weight / static_cast<double>(odd.alike),
        fmt::format("{}, as {} did", forensics::in_words(odd.deed), odd.alike == 1 ? "no other" : "hardly another"));
  }
  return out;
}

Task<Result<double>> Hunt::fresh_copy() {
  if (!std::exchange(first_used_, true)) {
    while (!first_copied_) {
      if (deadline_.passed()) co_return fail(ErrorKind::timed_out, "the first copy was not done in time");
      auto waiting = first_copy_->wait_until(deadline_.at);
      co_await std::move(waiting);
    }
    if (!*first_copied_) co_return std::unexpected(first_copied_->error());
    auto knowing = know_what_is_usual();
    CO_TRY_VOID(co_await std::move(knowing));
    co_return out_.restore_seconds;
  }
  MonoTime begun = boot_now();
  auto restoring = copy_->restore({}, deadline_);
  CO_TRY_VOID(co_await std::move(restoring));
  co_return to_seconds(boot_now() - begun);
}

// What the built-in checks hold later data against, from before the span.
Task<Result<>> Hunt::know_what_is_usual() {
  bool somewhere =
      std::ranges::any_of(request_.checks, [](const clean_point::Check& check) { return check.database.empty(); });
  bool needs_server = request_.built_in.encrypted || request_.built_in.indexes || somewhere;
  if (!needs_server) co_return Result<>{};
  auto rolling = roll_to(0);
  CO_TRY_VOID(co_await std::move(rolling));
  auto listing = databases_of(*copy_, deadline_);
  CO_TRY(databases_, co_await std::move(listing));
  if (somewhere) {
    CO_TRY(std::string usual, clean_point::usual_database(databases_));
    say(fmt::format("Checks that name no database are asked in {}.", usual));
    for (clean_point::Check& check : request_.checks)
      if (check.database.empty()) check.database = usual;
  }
  if (request_.built_in.indexes) {
    auto finding = index_checks(*copy_, databases_, out_.notes, deadline_);
    CO_TRY(index_checks_, co_await std::move(finding));
  }
  if (request_.built_in.encrypted) {
    auto profiling = profile_texts(*copy_, databases_, deadline_);
    CO_TRY(texts_, co_await std::move(profiling));
  }
  co_return Result<>{};
}

Task<Result<>> Hunt::roll_to(size_t position) {
  Cut cut = cut_of(position);
  auto rolling = copy_->roll_to(cut.at, cut.last, deadline_);
  co_return co_await std::move(rolling);
}

Task<Result<Asked>> Hunt::ask() {
  std::vector<clean_point::Check> checks = request_.checks;
  checks.insert(checks.end(), index_checks_.begin(), index_checks_.end());
  auto asking = ask_checks(*copy_, checks, deadline_);
  CO_TRY(Asked asked, co_await std::move(asking));
  for (const std::string& name : asked.unsteady) {
    std::string note = fmt::format("the check '{}' answers now so, now so on the same data: it is put aside", name);
    say(note);
    out_.notes.push_back(note);
    for (auto* list : {&request_.checks, &index_checks_})
      std::erase_if(*list, [&](const clean_point::Check& check) { return check.name == name; });
    out_.put_aside.push_back(name);
  }
  size_t built_in = (texts_ ? 1U : 0U) + (request_.built_in.pages ? 1U : 0U);
  CO_TRY_VOID(
      clean_point::something_still_tells(out_.put_aside, request_.checks.size() + index_checks_.size() + built_in));
  if (texts_) {
    auto profiling = profile_texts(*copy_, databases_, deadline_);
    CO_TRY(clean_point::TextProfile now, co_await std::move(profiling));
    for (std::string& line : clean_point::newly_encrypted(*texts_, now)) asked.failed.push_back(std::move(line));
    // Texts that are gone cannot be judged; who encrypts them may drop them next.
    for (const auto& [column, was] : *texts_) {
      if (was.counted > 0 && !now.contains(column))
        asked.failed.push_back(fmt::format("{} had {} texts in the backup and is gone", column, was.counted));
    }
  }
  if (request_.built_in.pages) {
    auto verifying = blocking([data = copy_->data()] { return verify_pages(data); });
    CO_TRY(PageReport pages, co_await std::move(verifying));
    if (!pages.damaged.empty())
      asked.failed.push_back(fmt::format("{} pages have a wrong checksum", pages.damaged.size()));
  }
  co_return asked;
}

Task<Result<>> Hunt::search() {
  clean_point::Costs costs{.restore = 30, .per_commit = 0.0001, .step = 0.5, .check = 0.5};
  Search search(report_.marks.size(), suspects(), costs);
  size_t stands_at = 0;
  while (true) {
    auto next = search.next();
    say_new(search);
    if (auto* none = std::get_if<NoAnswer>(&next)) {
      out_.no_answer = *none;
      // Whether that is damage or a check that is asked in the wrong place, its words tell.
      if (*none == NoAnswer::bad_from_the_start) out_.failed = failed_at_[0];
      break;
    }
    if (auto* found = std::get_if<clean_point::Found>(&next)) {
      conclude(search, found->last_good);
      break;
    }
    auto probe = std::get<clean_point::Probe>(next);
    double copied = 0;
    if (probe.fresh) {
      auto restoring = fresh_copy();
      CO_TRY(copied, co_await std::move(restoring));
    }
    MonoTime moved = boot_now();
    auto rolling = roll_to(probe.position);
    CO_TRY_VOID(co_await std::move(rolling));
    MonoTime begun = boot_now();
    learn(
        costs,
        {.fresh = probe.fresh, .from = stands_at, .to = probe.position, .seconds = copied + to_seconds(begun - moved)});
    stands_at = probe.position;
    auto asking = ask();
    CO_TRY(Asked asked, co_await std::move(asking));
    if (asked.locked && asked.failed.empty()) {
      say("An unfinished transaction locks what a check asks for: the copy is promoted, which ends it, and given up "
          "behind.");
      auto promoting = copy_->promote(deadline_);
      CO_TRY_VOID(co_await std::move(promoting));
      auto asking_again = ask();
      CO_TRY(asked, co_await std::move(asking_again));
      if (asked.locked) co_return fail(ErrorKind::refused, "a check cannot be asked: something holds a lock");
      search.copy_lost();
    }
    double check_seconds = to_seconds(boot_now() - begun);
    bool holds = asked.failed.empty();
    failed_at_[probe.position] = asked.failed;
    search.answer(holds, holds ? std::string() : asked.failed.front());
    say_new(search);
    costs.check = std::max(0.005, check_seconds);
    search.set_costs(costs);
  }
  out_.restores = search.restores();
  out_.probes = search.probes();
  co_return Result<>{};
}

void Hunt::conclude(const Search& search, size_t last_good) {
  const Mark& bad = report_.marks[last_good];
  if (last_good > 0) out_.last_good = report_.marks[last_good - 1];
  out_.first_bad = bad;
  out_.target = {.xid = bad.xid, .lsn = bad.before, .time = bad.at - std::chrono::microseconds{1}};
  for (const forensics::Finding& finding : report_.findings) {
    if (finding.transaction.commit != bad.lsn) continue;
    out_.target = finding.before;
    out_.did = forensics::in_words(finding.deeds.front());
  }
  auto failed = failed_at_.find(last_good + 1);
  if (failed != failed_at_.end()) out_.failed = failed->second;
  for (const auto& flap : search.flaps())
    out_.notes.push_back(fmt::format("the checks also failed from {} on, and held again at {}",
                                     moment_in_words(report_.marks[flap.bad - 1].at),
                                     moment_in_words(report_.marks[flap.good - 1].at)));
}

Json mark_json(const Mark& mark) {
  return JsonObject{
      {"xid", mark.xid}, {"time", ScalarText<Moment>::format(mark.at)}, {"lsn", ScalarText<Lsn>::format(mark.lsn)}};
}

std::string_view words_of(NoAnswer answer) {
  switch (answer) {
    case NoAnswer::bad_from_the_start:
      return "the checks fail at the beginning already: give an earlier --from, or see whether they hold on good data";
    case NoAnswer::never_bad: return "the checks hold at the end: the damage is later, or they do not see it";
    case NoAnswer::flaps: return "the checks fail and hold in turn: they do not tell one moment";
  }
  return "";
}

std::string why(const CleanPointReport& report) {
  std::string out(words_of(*report.no_answer));
  if (!report.put_aside.empty())
    out += fmt::format("; what '{}' sees is not known, it was put aside", fmt::join(report.put_aside, "', '"));
  return out;
}

}  // namespace

Json to_json(const CleanPointReport& report) {
  JsonObject out{{"found", !report.no_answer.has_value()},
                 {"restores_used", report.restores},
                 {"probes", report.probes},
                 {"commits", report.commits},
                 {"seconds", report.seconds},
                 {"restore_seconds", report.restore_seconds},
                 {"backup", report.set}};
  if (report.no_answer) out["why"] = why(report);
  // What a check that was put aside would say of the end is not known.
  out["good_to_the_end"] = report.no_answer == NoAnswer::never_bad && report.put_aside.empty();
  if (report.last_good) out["last_good"] = mark_json(*report.last_good);
  if (report.first_bad) {
    out["first_bad"] = mark_json(*report.first_bad);
    out["restore_to"] = forensics::to_json(report.target);
  }
  if (!report.did.empty()) out["did"] = report.did;
  JsonArray failed, reasoning, notes;
  for (const std::string& line : report.failed) failed.push_back(Json(line));
  for (const std::string& line : report.reasoning) reasoning.push_back(Json(line));
  for (const std::string& line : report.notes) notes.push_back(Json(line));
  out["failed"] = std::move(failed);
  out["reasoning"] = std::move(reasoning);
  out["notes"] = std::move(notes);
  return out;
}

std::string clean_point_in_words(const Json& report) {
  auto list = [&report](std::string_view key) {
    std::vector<std::string> out;
    const Json& found = member(report, key);
    for (const Json& line : found.is_array() ? found.get_array() : JsonArray{})
      if (line.is_string()) out.emplace_back(line.get_string());
    return out;
  };
  auto when = [](const Json& mark) {
    auto at = ScalarText<Moment>::parse(text_or(mark, "time"));
    return at ? moment_in_words(*at) : text_or(mark, "time");
  };
  std::string out;
  bool found = bool_or(report, "found");
  if (!found) {
    out = fmt::format("No last clean moment was found: {}.\n", text_or(report, "why"));
  } else {
    const Json& bad = member(report, "first_bad");
    const Json& good = member(report, "last_good");
    std::string did = text_or(report, "did");
    out = fmt::format("The last clean moment is just before transaction {} of {}, committed at {}", int_or(bad, "xid"),
                      when(bad), text_or(bad, "lsn"));
    out += did.empty() ? ".\n" : fmt::format(", which {}.\n", did);
    if (good.is_object())
      out += fmt::format("  last clean   transaction {} of {}, committed at {}\n", int_or(good, "xid"), when(good),
                         text_or(good, "lsn"));
  }
  for (const std::string& line : list("failed"))
    out += fmt::format("  {} {}\n", found ? "fails behind" : "fails       ", line);
  if (found) out += fmt::format("  restore to   {}\n", forensics::restore_words(member(report, "restore_to")));
  int64_t restores = int_or(report, "restores_used");
  out += fmt::format("  {} restore{}, {} positions asked among {} commits, {}\n", restores, restores == 1 ? "" : "s",
                     int_or(report, "probes"), forensics::grouped(static_cast<uint64_t>(int_or(report, "commits"))),
                     format_span(Duration{static_cast<int64_t>(number_or(report, "seconds") * 1000)}));
  for (const std::string& note : list("notes")) out += fmt::format("  note: {}\n", note);
  return out;
}

std::string in_words(const CleanPointReport& report) { return clean_point_in_words(to_json(report)); }

Task<Result<CleanPointReport>> find_clean_point(CleanPointRequest request, Deadline deadline) {
  request.restore.folder = std::filesystem::absolute(request.restore.folder).lexically_normal().string();
  auto hunt = std::make_shared<Hunt>(std::move(request), deadline);
  auto working = hunt->work();
  auto out = co_await std::move(working);
  co_return out;
}

}  // namespace lifeboat::recovery
