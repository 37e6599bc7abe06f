#include "recovery/restore.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "io/file.hpp"
#include "recovery/folder.hpp"
#include "recovery/log_feed.hpp"
#include "recovery/point.hpp"
#include "recovery/replay_server.hpp"
#include "recovery/settings.hpp"
#include "recovery/xid_place.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLook{15};          // between two looks at the server
constexpr Duration kTell{200};         // between two words about progress
constexpr Duration kAnswer{10'000};    // for one question
constexpr Duration kStuck{100};        // a server that waits so long for log may have come to its end
constexpr Duration kPatience{60'000};  // and one that waits so long for log that is there will wait for ever
constexpr Duration kFeedEnds{20'000};
constexpr const char* kMakeRoom =
    "the disk is full: make room and run the same command again, it goes on from what is there";
constexpr uint64_t kSpareBytes = uint64_t{128} << 20;
constexpr uint64_t kMostLogBytes = uint64_t{6} << 30;

Result<std::string> tools_of(const std::string& version) {
  std::string folder = fmt::format("/usr/lib/postgresql/{}/bin", version);
  std::string postgres = find_program("postgres", {folder});
  if (postgres.empty() || access((folder + "/postgres").c_str(), X_OK) != 0)
    return fail(ErrorKind::unsupported, fmt::format("PostgreSQL {} is not installed here", version),
                fmt::format("apt install postgresql-{}", version));
  return folder;
}

uint64_t memory_bytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// Of this machine's memory a quarter, and not more than the database can use.
uint64_t buffers_mb(uint64_t database_bytes) {
  uint64_t useful = database_bytes + database_bytes / 4 + (uint64_t{64} << 20);
  return std::clamp<uint64_t>(std::min(memory_bytes() / 4, useful) >> 20, 128, 16384);
}

// Looking ahead in the log for pages to read costs the one process that replays; it pays where they come from a disk. What was just
// copied is in memory, where there is room for it. PostgreSQL has the setting from version 15 on.
std::string_view no_looking_ahead(const std::string& version, uint64_t database_bytes) {
  bool in_memory = database_bytes < memory_bytes() / 2;
  return in_memory && std::atoi(version.c_str()) >= 15 ? "recovery_prefetch = 'off'\n" : "";
}

std::string tail_of(const std::string& path, size_t bytes) {
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return {};
  std::string out(bytes, '\0');
  bool whole = std::fseek(file, -static_cast<long>(bytes), SEEK_END) != 0;
  if (whole) std::rewind(file);
  out.resize(std::fread(out.data(), 1, bytes, file));
  std::fclose(file);
  return out;
}

// One restore under way.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(RestoreRequest request, OnProgress on_progress, Deadline deadline)
      : request_(std::move(request)), on_progress_(std::move(on_progress)), deadline_(deadline), begun_(boot_now()) {
    folder_ = {request_.folder, request_.run_as};
    repository_ = {.config = request_.config,
                   .stanza = request_.stanza,
                   .repository = request_.repository,
                   .user = request_.run_as,
                   .scratch = folder_.scratch()};
  }

  Task<Result<Restored>> work();
  bool copied() const { return copied_; }
  void tell_copy();

 private:
  RestoreRequest request_;
  OnProgress on_progress_;
  Deadline deadline_;
  MonoTime begun_;
  RestoreFolder folder_;
  PgBackRest repository_;
  Catalogue catalogue_;
  BackupChoice choice_;
  std::string tools_;
  Restored out_;
  std::shared_ptr<LogFeed> feed_;
  std::optional<Error> feed_error_;
  bool copied_ = false;
  MonoTime stage_begun_{}, told_{};

  Task<Result<>> look_around();
  Task<Result<>> place_transaction();
  Result<> check_room() const;
  bool is_full() const;
  Result<> begin_journal(FolderState state);
  Task<Result<>> copy(bool take_up);
  Task<Result<>> furnish();
  Task<Result<>> replay(ReplayServer& server);
  Task<Result<bool>> end_of_log(ReplayServer& server, ReplayLook seen, bool patient);
  Task<Result<>> check(ReplayServer& server);
  Task<Result<>> count_collateral();
  Task<Result<>> promote(ReplayServer& server);
  void tell(RestoreStage stage, uint64_t done, uint64_t total, std::string note, bool now = false);
  uint64_t timeline_at(Lsn at) const;
  Error not_reached(const ReplayLook& seen) const;
  Error with_full_disk_named(Error error) const;
  Error ended_by_itself(const ReplayServer& server) const;
  LogPlace log_place() const { return {tools_ + "/pg_waldump", folder_.log_folder(), request_.run_as}; }

  // They hold on to the run: a scope that is cancelled ends them a moment later.
  static Task<> feed_all(std::shared_ptr<Run> run, Deadline deadline);
  static Task<> tell_while_copying(std::shared_ptr<Run> run);
};

void Run::tell(RestoreStage stage, uint64_t done, uint64_t total, std::string note, bool now) {
  if (!on_progress_ || (!now && boot_now() - told_ < kTell)) return;
  told_ = boot_now();
  RestoreProgress out{.stage = stage, .done_bytes = done, .total_bytes = total, .note = std::move(note)};
  double seconds = to_seconds(boot_now() - stage_begun_);
  if (done > 0 && seconds > 0.5) {
    out.bytes_per_second = static_cast<double>(done) / seconds;
    if (total > done)
      out.left = Duration{static_cast<int64_t>(1000.0 * static_cast<double>(total - done) / out.bytes_per_second)};
  }
  on_progress_(out);
}

uint64_t Run::timeline_at(Lsn at) const {
  // The record that ends at a position lies before it.
  uint64_t number = segment_of(Lsn{at.value == 0 ? 0 : at.value - 1}, catalogue_.segment_bytes);
  uint64_t timeline = choice_.log.empty() ? choice_.timeline : choice_.log.front().timeline;
  for (const WalSegment& segment : choice_.log) {
    if (segment.number <= number) timeline = segment.timeline;
  }
  return timeline;
}

Result<> Run::check_room() const {
  TRY(uint64_t room, free_bytes(folder_.path));
  // What an earlier try left is taken up or removed.
  room += used_bytes(folder_.path);
  uint64_t log = std::min(choice_.expected * catalogue_.segment_bytes, kMostLogBytes);
  uint64_t need = choice_.set.bytes + log + kSpareBytes;
  if (room >= need) return {};
  return fail(ErrorKind::refused,
              fmt::format("{} has room for {} MB, and the restore needs {} MB", folder_.path, room >> 20, need >> 20),
              "make room or name a folder on another disk; nothing was changed");
}

bool Run::is_full() const {
  auto room = free_bytes(folder_.path);
  return room && *room < catalogue_.segment_bytes;
}

Result<> Run::begin_journal(FolderState state) {
  FolderJournal journal{.state = state,
                        .stanza = request_.stanza,
                        .system_id = catalogue_.system_id,
                        .set = choice_.set.label,
                        .target = in_words(request_.wish.target),
                        .promoted = out_.promoted};
  return write_journal(folder_, journal);
}

Task<Result<>> Run::look_around() {
  tell(RestoreStage::looking, 0, 0, "what the repository holds", true);
  auto reading = read_catalogue(repository_, deadline_);
  CO_TRY(catalogue_, co_await std::move(reading));
  repository_.repository = catalogue_.repository;
  CO_TRY(tools_, tools_of(catalogue_.version));
  CO_TRY(choice_, choose_backup(catalogue_, request_.wish));
  co_return check_room();
}

Task<Result<>> Run::place_transaction() {
  TargetKind kind = request_.wish.target.kind;
  bool by_xid = kind == TargetKind::xid_before || kind == TargetKind::xid_after;
  if (!by_xid || !request_.wish.set.empty() || catalogue_.sets.size() < 2) co_return Result<>{};
  XidSearch search{repository_, catalogue_, folder_.control(), tools_ + "/pg_waldump", request_.wish.target.xid};
  auto searching = set_before_xid(std::move(search), deadline_);
  RestoreWish wish = request_.wish;
  CO_TRY(wish.set, co_await std::move(searching));
  CO_TRY(choice_, choose_backup(catalogue_, wish));
  co_return Result<>{};
}

Task<> Run::feed_all(std::shared_ptr<Run> run, Deadline deadline) {
  auto feeding = run->feed_->run(deadline);
  auto fed = co_await std::move(feeding);
  if (!fed) run->feed_error_ = std::move(fed).error();
}

void Run::tell_copy() {
  auto share = restored_share(tail_of(folder_.copy_log(), 4096)).value_or(0);
  tell(RestoreStage::copying, static_cast<uint64_t>(share * static_cast<double>(choice_.set.bytes)), choice_.set.bytes,
       fmt::format("set {}, {} of {} segments of log", choice_.set.label, feed_->fetched(), choice_.expected), true);
}

Task<> Run::tell_while_copying(std::shared_ptr<Run> run) {
  while (!run->copied()) {
    co_await sleep_for(kTell);
    if (!run->copied()) run->tell_copy();
  }
}

Task<Result<>> Run::copy(bool take_up) {
  stage_begun_ = boot_now();
  CO_TRY_VOID(begin_journal(FolderState::copying));
  RestoreFiles what{.set = choice_.set.label,
                    .data = folder_.data(),
                    .log_file = folder_.copy_log(),
                    .delta = take_up,
                    .processes = request_.processes,
                    .tablespaces = folder_.tablespaces()};
  auto copying = restore_files(repository_, std::move(what), deadline_);
  auto done = co_await std::move(copying);
  copied_ = true;
  out_.copy_seconds = to_seconds(boot_now() - stage_begun_);
  if (done) co_return Result<>{};
  Error error = with_full_disk_named(std::move(done).error());
  co_return std::unexpected(std::move(error).with(fmt::format("copy set {}", choice_.set.label)));
}

// Settings, histories and log in place of what the source had: from here on it is a server that talks to nobody.
Task<Result<>> Run::furnish() {
  std::error_code ignored;
  fs::rename(folder_.data() + "/postgresql.auto.conf", folder_.data() + "/postgresql.auto.conf.of-source", ignored);
  fs::remove(folder_.data() + "/recovery.signal", ignored);
  ProcessSpec spec;
  spec.argv = {tools_ + "/pg_controldata", "-D", folder_.data()};
  spec.user = request_.run_as;
  spec.environment = {{"LC_ALL", "C"}};
  spec.directory = "/";
  auto asking = run_process(std::move(spec), deadline_.at_most(kAnswer));
  CO_TRY(ProcessResult control, co_await std::move(asking));
  if (control.exit_code != 0) co_return fail(ErrorKind::refused, "pg_controldata: " + control.err);
  ServerLimits limits = parse_limits(control.out);
  uint64_t buffers = buffers_mb(choice_.set.bytes);
  const RecoveryTarget& target = request_.wish.target;
  struct File {
    std::string path, text;
  };
  std::vector<File> files{
      {folder_.data() + "/postgresql.auto.conf", guard_settings()},
      {folder_.data() + "/standby.signal", ""},
      {folder_.access(), access_rules()},
      {folder_.settings(), server_settings(folder_, target, limits, choice_.timeline, buffers, true) +
                               std::string(no_looking_ahead(catalogue_.version, choice_.set.bytes))},
      {folder_.settings() + ".after", server_settings(folder_, target, limits, choice_.timeline, buffers, false)}};
  // All that there are: a promoted copy then takes a number that no history in the archive has.
  for (const TimelineHistory& history : catalogue_.histories)
    files.push_back({fmt::format("{}/{:08X}.history", folder_.log_folder(), history.timeline), history.text});
  for (const File& file : files) CO_TRY_VOID(write_for_server(folder_, file.path, file.text));
  co_return feed_->data_is_there(folder_.data());
}

// What tells of a full disk may have been written to that disk, and have had no room either.
Error Run::with_full_disk_named(Error error) const {
  bool says_so = error.what.find("No space left on device") != std::string::npos;
  if (!says_so && is_full()) error.what = fmt::format("{} has no space left; {}", folder_.path, error.what);
  if (says_so || is_full()) error.hint = kMakeRoom;
  return error;
}

Error Run::ended_by_itself(const ReplayServer& server) const {
  return with_full_disk_named(
      {.kind = ErrorKind::refused, .what = "the restored server ended: " + server.last_words()});
}

Error Run::not_reached(const ReplayLook& seen) const {
  std::string reached = fmt::format("replay ended at position {}", ScalarText<Lsn>::format(seen.replayed));
  if (seen.last_commit) reached += fmt::format(", last transaction {}", moment_in_words(*seen.last_commit));
  Error error{.kind = ErrorKind::refused,
              .what = fmt::format("{} was not reached: {}", in_words(request_.wish.target), reached)};
  if (const auto& broken = feed_->broken()) {
    error.what += fmt::format("; segment {}: {}", broken->name, broken->why);
    bool latest = request_.wish.target.kind == TargetKind::latest;
    size_t behind = choice_.log.empty() ? 0 : choice_.log.back().number - broken->segment;
    error.hint = latest ? fmt::format(
                              "{} more segments behind it cannot be reached; --accept-gap stops before it, another "
                              "repository or a streamed copy of the log may have it whole",
                              behind)
                        : "name a target before it; another repository or a streamed copy of the log may have it whole";
    return error;
  }
  TargetKind kind = request_.wish.target.kind;
  bool searched = kind == TargetKind::xid_before || kind == TargetKind::xid_after || kind == TargetKind::name;
  if (searched) {
    error.hint =
        fmt::format("the log from set {} on does not have it; name an older set with --set", choice_.set.label);
  } else {
    error.hint = "the archive ends there: name a target up to that, or --latest";
  }
  return error;
}

// The server waits for log though there is none left to lay down, or though what it waits for is there. Gives false when it can go
// on: then it only was not given the time to.
Task<Result<bool>> Run::end_of_log(ReplayServer& server, ReplayLook seen, bool patient) {
  auto finding = find_point(log_place(), seen.replayed, timeline_at(Lsn{seen.replayed.value + 1}),
                            catalogue_.segment_bytes, choice_.log.front().number, deadline_);
  CO_TRY(Point point, co_await std::move(finding));
  if (point.next_record.value != 0 && patient) co_return false;
  bool latest = request_.wish.target.kind == TargetKind::latest;
  Error error = not_reached(seen);
  if (!latest || (feed_->broken() && !request_.wish.accept_gap)) co_return std::unexpected(std::move(error));
  // Where the log ends nothing more is laid; a record that cannot be read before that is damage.
  uint64_t last = feed_->segment(feed_->laid() - 1).number;
  bool in_last = seen.replayed >= segment_begin(last, catalogue_.segment_bytes);
  bool as_received = is_all_received(request_.unfinished, feed_->name_of(feed_->laid() - 1), seen.replayed);
  bool whole = in_last && (as_received || seen.replayed >= segment_begin(last + 1, catalogue_.segment_bytes) ||
                           orphans::log_end_of(point.end) == orphans::LogEnd::missing);
  if (!whole && !request_.wish.accept_gap) {
    error.what += fmt::format("; the log goes on to {}, but the record there cannot be read: {}",
                              feed_->name_of(feed_->laid() - 1), point.end);
    error.hint = "--accept-gap takes what was reached";
    co_return std::unexpected(std::move(error));
  }
  out_.cut_by_gap = feed_->broken().has_value() || choice_.cut_by_gap || !whole;
  auto pausing = server.pause(deadline_.at_most(kAnswer));
  CO_TRY_VOID(co_await std::move(pausing));
  co_return true;
}

Task<Result<>> Run::replay(ReplayServer& server) {
  stage_begun_ = boot_now();
  CO_TRY_VOID(begin_journal(FolderState::replaying));
  tell(RestoreStage::starting, 0, 0, "the restored server, cut off from everything", true);
  CO_TRY_VOID(server.start());
  uint64_t from = choice_.set.start_lsn.value, total = choice_.expected * catalogue_.segment_bytes;
  uint64_t needed = parse_segment_name(choice_.set.wal_stop, catalogue_.segment_bytes)->number;
  std::optional<ReplayLook> seen;
  Lsn stuck_at;
  MonoTime stuck_since = boot_now();
  while (true) {
    if (!server.runs()) {
      Error error = ended_by_itself(server);
      co_return std::unexpected(std::move(error));
    }
    if (feed_error_) co_return std::unexpected(*feed_error_);
    const auto& broken = feed_->broken();
    // What could not be written is no gap of the archive.
    if (broken && is_full()) co_return fail(ErrorKind::refused, folder_.path + " has no space left", kMakeRoom);
    bool hopeless = broken && (broken->segment <= needed ||
                               (request_.wish.target.kind == TargetKind::latest && !request_.wish.accept_gap));
    if (hopeless) {
      Error error = not_reached(seen.value_or(ReplayLook{.replayed = choice_.set.start_lsn}));
      co_return std::unexpected(std::move(error));
    }
    if (deadline_.passed()) co_return fail(ErrorKind::timed_out, "replay did not end in time: " + server.last_words());
    auto looking = server.look(deadline_.at_most(kAnswer));
    CO_TRY(auto look, co_await std::move(looking));
    if (!look) {
      co_await sleep_for(Duration{5});
      continue;
    }
    seen = look;
    if (!seen->in_recovery)
      co_return fail(ErrorKind::internal, "the restored server ended its recovery by itself: " + server.last_words());
    feed_->replayed(segment_of(seen->replayed, catalogue_.segment_bytes));
    tell(RestoreStage::replaying, seen->replayed.value - std::min(from, seen->replayed.value), total,
         fmt::format("position {}", ScalarText<Lsn>::format(seen->replayed)));
    if (seen->paused) break;
    bool all_laid = feed_->ended() && feed_->laid() == feed_->fetched();
    bool next_laid = feed_->laid() > 0 &&
                     feed_->segment(feed_->laid() - 1).number > segment_of(seen->replayed, catalogue_.segment_bytes);
    bool moves = !seen->waiting || seen->replayed != stuck_at || !(all_laid || next_laid);
    if (moves) stuck_at = seen->replayed, stuck_since = boot_now();
    if (!moves && boot_now() - stuck_since > kStuck) {
      auto ending = end_of_log(server, *seen, boot_now() - stuck_since < kPatience);
      CO_TRY(bool ended, co_await std::move(ending));
      if (ended) break;
    }
    co_await sleep_for(kLook);
  }
  out_.replay_seconds = to_seconds(boot_now() - stage_begun_);
  co_return Result<>{};
}

Task<Result<>> Run::check(ReplayServer& server) {
  using namespace asio::experimental::awaitable_operators;
  stage_begun_ = boot_now();
  tell(RestoreStage::checking, 0, 0, "the point that was reached; everything onto the disk", true);
  auto looking = server.look(deadline_.at_most(kAnswer));
  CO_TRY(auto seen, co_await std::move(looking));
  if (!seen || !seen->paused) co_return fail(ErrorKind::internal, "the restored server is not paused any more");
  // From here on what it writes is written durably.
  CO_TRY(std::string after, read_file(folder_.settings() + ".after"));
  CO_TRY_VOID(write_for_server(folder_, folder_.settings(), after));
  unlink((folder_.settings() + ".after").c_str());
  server.reload();
  out_.reached.lsn = seen->replayed;
  out_.reached.timeline = timeline_at(seen->replayed);
  auto syncing = blocking([data = folder_.data(), more = folder_.tablespaces()] {
    auto synced = sync_all(data);
    return synced ? sync_all(more) : synced;
  });
  // The record that follows may be the first of another timeline's file.
  auto finding = find_point(log_place(), seen->replayed, timeline_at(Lsn{seen->replayed.value + 1}),
                            catalogue_.segment_bytes, choice_.log.front().number, deadline_);
  auto counting = count_collateral();
  auto [synced, point, counted] = co_await (std::move(syncing) && std::move(finding) && std::move(counting));
  if (!synced) co_return std::unexpected(std::move(synced).error());
  if (!point) co_return std::unexpected(std::move(point).error());
  // Data that are there are not refused for want of a number.
  if (!counted)
    tell(RestoreStage::checking, 0, 0, "not counted what was committed behind it: " + counted.error().text(), true);
  if (point->before) {
    out_.reached.time = point->before->time;
    out_.reached.xid = point->before->xid;
  } else {
    out_.reached.time = seen->last_commit;
  }
  if (!point->behind.empty()) {
    out_.reached.next_time = point->behind.front().time;
    out_.reached.next_xid = point->behind.front().xid;
  }
  Verdict verdict = judge_point(request_.wish.target, seen->replayed, *point);
  out_.lost_transactions = verdict.lost;
  if (!verdict.wrong.empty())
    co_return fail(ErrorKind::refused,
                   fmt::format("the restore did not reach {}: {}", in_words(request_.wish.target), verdict.wrong),
                   "the copy must not be used");
  feed_->stop();
  out_.log_bytes = seen->replayed.value - std::min(choice_.set.start_lsn.value, seen->replayed.value);
  out_.check_seconds = to_seconds(boot_now() - stage_begun_);
  co_return Result<>{};
}

// Only where the log that is here anyway is all there is: nobody who waits for his data waits for a number.
Task<Result<>> Run::count_collateral() {
  const WalSegment& last = choice_.log.back();
  bool all_here = feed_->laid() == feed_->size() && last.timeline == timeline_at(Lsn{out_.reached.lsn.value + 1});
  if (!all_here || out_.cut_by_gap) co_return Result<>{};
  if (segment_of(out_.reached.lsn, catalogue_.segment_bytes) > last.number) {
    out_.collateral_transactions = 0;
    co_return Result<>{};
  }
  auto counting = count_commits(log_place(), out_.reached.lsn, segment_begin(last.number + 1, catalogue_.segment_bytes),
                                last.timeline, deadline_);
  CO_TRY(out_.collateral_transactions, co_await std::move(counting));
  co_return Result<>{};
}

Task<Result<>> Run::promote(ReplayServer& server) {
  stage_begun_ = boot_now();
  tell(RestoreStage::promoting, 0, 0, "it takes writes, on a timeline of its own", true);
  auto promoting = server.promote(deadline_);
  CO_TRY_VOID(co_await std::move(promoting));
  auto asking =
      server.ask("SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS timeline",
                 deadline_.at_most(kAnswer));
  CO_TRY(PgRows rows, co_await std::move(asking));
  out_.timeline = std::strtoull(rows.text(0, "timeline").c_str(), nullptr, 10);
  out_.promoted = true;
  auto syncing = blocking([path = folder_.log_folder()] { return sync_all(path); });
  CO_TRY_VOID(co_await std::move(syncing));
  out_.promote_seconds = to_seconds(boot_now() - stage_begun_);
  co_return Result<>{};
}

Task<Result<Restored>> Run::work() {
  using namespace asio::experimental::awaitable_operators;
  auto looking = look_around();
  CO_TRY_VOID(co_await std::move(looking));
  CO_TRY(Claim claim, claim_folder(folder_, tools_ + "/postgres", catalogue_.system_id, request_.again));
  auto control = make_control_folder(folder_.control(), catalogue_);
  auto placing = place_transaction();
  CO_TRY_VOID(co_await std::move(placing));
  auto executor = co_await asio::this_coro::executor;
  LogFeed::Plan plan{.repository = repository_,
                     .catalogue = catalogue_,
                     .log = choice_.log,
                     .expected = choice_.expected,
                     .control_folder = folder_.control(),
                     .log_folder = folder_.log_folder(),
                     .user = request_.run_as};
  feed_ = std::make_shared<LogFeed>(executor, std::move(plan));
  std::string trouble;
  Scope scope(executor, [&trouble](std::string_view, std::string_view what) { trouble = what; });
  if (!request_.files_only) scope.spawn("log", feed_all(shared_from_this(), deadline_));
  if (on_progress_) scope.spawn("progress", tell_while_copying(shared_from_this()));
  // The server dies with this, unless it is let go; and it goes before the scope does.
  ReplayServer server(folder_, tools_ + "/postgres", request_.superuser);
  auto steps = [](Run& run, ReplayServer& replaying, bool take_up) -> Task<Result<>> {
    auto copying = run.copy(take_up);
    CO_TRY_VOID(co_await std::move(copying));
    auto furnishing = run.furnish();
    CO_TRY_VOID(co_await std::move(furnishing));
    if (run.request_.files_only) co_return Result<>{};
    auto playing = run.replay(replaying);
    CO_TRY_VOID(co_await std::move(playing));
    auto checking = run.check(replaying);
    CO_TRY_VOID(co_await std::move(checking));
    if (!run.request_.promote) co_return Result<>{};
    auto promoting = run.promote(replaying);
    co_return co_await std::move(promoting);
  };
  auto stepping = steps(*this, server, claim.take_up);
  auto done = co_await std::move(stepping);
  copied_ = true;
  feed_->stop();
  if (!done) server.kill_now();
  auto stopping = scope.stop(kFeedEnds);
  co_await std::move(stopping);
  if (!done) co_return std::unexpected(std::move(done).error());
  CO_TRY_VOID(begin_journal(request_.files_only ? FolderState::replaying : FolderState::done));
  std::error_code ignored;
  fs::remove_all(folder_.scratch(), ignored);
  server.let_go();
  out_.target = request_.wish.target;
  out_.backup = choice_.set.label;
  out_.repository_note = fmt::format("repository {}, {}", catalogue_.repository, catalogue_.archive);
  if (!out_.promoted) out_.timeline = choice_.timeline;
  out_.bytes = choice_.set.bytes;
  out_.segments = feed_->fetched();
  out_.data = folder_.data();
  out_.socket = folder_.socket();
  out_.port = kPort;
  out_.seconds = to_seconds(boot_now() - begun_);
  co_return std::move(out_);
}

}  // namespace

std::string_view in_words(RestoreStage stage) {
  switch (stage) {
    case RestoreStage::looking: return "look";
    case RestoreStage::copying: return "copy";
    case RestoreStage::starting: return "start";
    case RestoreStage::replaying: return "replay";
    case RestoreStage::checking: return "check";
    case RestoreStage::promoting: return "promote";
  }
  return "?";
}

Json to_json(const Restored& restored) {
  const ReachedPoint& at = restored.reached;
  JsonObject reached{{"lsn", ScalarText<Lsn>::format(at.lsn)}, {"timeline", at.timeline}};
  if (at.time) reached["time"] = ScalarText<Moment>::format(*at.time);
  if (at.xid != 0) reached["xid"] = at.xid;
  if (at.next_time) reached["next_time"] = ScalarText<Moment>::format(*at.next_time);
  if (at.next_xid != 0) reached["next_xid"] = at.next_xid;
  JsonObject out{{"target", to_json(restored.target)},
                 {"reached", std::move(reached)},
                 {"lost_transactions", restored.lost_transactions},
                 {"collateral_transactions", nullptr},
                 {"seconds", restored.seconds},
                 {"copy_seconds", restored.copy_seconds},
                 {"replay_seconds", restored.replay_seconds},
                 {"check_seconds", restored.check_seconds},
                 {"promote_seconds", restored.promote_seconds},
                 {"bytes", restored.bytes},
                 {"log_bytes", restored.log_bytes},
                 {"segments", restored.segments},
                 {"backup", restored.backup},
                 {"repository", restored.repository_note},
                 {"timeline", restored.timeline},
                 {"promoted", restored.promoted},
                 {"cut_by_gap", restored.cut_by_gap},
                 {"data", restored.data},
                 {"socket", restored.socket},
                 {"port", restored.port}};
  if (restored.collateral_transactions) out["collateral_transactions"] = *restored.collateral_transactions;
  return out;
}

Task<Result<Restored>> restore(RestoreRequest request, OnProgress on_progress, Deadline deadline) {
  for (std::string* path : {&request.folder, &request.config}) {
    if (path->empty()) co_return fail(ErrorKind::invalid_input, "a folder and a configuration file are needed");
    *path = fs::absolute(*path).lexically_normal().string();
    if (path->ends_with('/')) path->pop_back();
  }
  // sockaddr_un::sun_path holds 107 bytes, and the server's file there has a name of 14.
  constexpr size_t kLongestFolder = 107 - 15 - sizeof("socket");
  if (request.folder.size() > kLongestFolder)
    co_return fail(ErrorKind::invalid_input,
                   fmt::format("the path of {} is too long for a socket in it", request.folder),
                   fmt::format("name one of at most {} bytes", kLongestFolder));
  auto run = std::make_shared<Run>(std::move(request), std::move(on_progress), deadline);
  auto working = run->work();
  auto result = co_await std::move(working);
  co_return result;
}

}  // namespace lifeboat::recovery
