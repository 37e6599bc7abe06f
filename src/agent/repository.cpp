#include "agent/repository.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/anomaly.hpp"
#include "core/recovery/log_end.hpp"
#include "io/file.hpp"
#include "recovery/wal_dump.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLookEvery{1'000};
constexpr int kCatalogueEvery = 15;  // looks
constexpr Duration kReadWithin{60'000};
// What the primary finished so long ago and did not archive is taken from the stream.
constexpr Duration kPrimaryHas{10'000};
constexpr Duration kPushWithin{30'000};
constexpr Duration kProgressEvery{2'000};
// The first checkpoint after a promotion is spread over most of checkpoint_timeout, which is five minutes unless somebody set it.
constexpr Duration kCheckpointWithin{6 * 60'000};
constexpr Duration kCheckpointAgain{2'000};
constexpr size_t kToldMost = 3;
constexpr size_t kOwedMost = 64;
// Somebody waits for the end of the log, and the second repository is not what it is read from.
constexpr Duration kSecondWithin{5'000};

std::string time_text(const std::optional<Moment>& at) { return at ? ScalarText<Moment>::format(*at) : std::string(); }

std::vector<std::string> labels_of(const std::optional<recovery::Catalogue>& catalogue) {
  std::vector<std::string> out;
  if (catalogue) {
    for (const recovery::BackupSet& set : catalogue->sets) out.push_back(set.label);
  }
  return out;
}

JsonObject archive_in_json(const recovery::Catalogue& catalogue) {
  JsonObject archive{{"oldest", ""}, {"newest", ""}, {"timeline", 0}};
  JsonArray gaps;
  if (auto window = recovery::window_of(catalogue)) {
    archive = {{"oldest", time_text(window->oldest)},
               {"newest", time_text(window->newest)},
               {"oldest_lsn", ScalarText<Lsn>::format(window->oldest_lsn)},
               {"newest_lsn", ScalarText<Lsn>::format(window->newest_lsn)},
               {"timeline", window->timeline}};
    for (const recovery::Gap& gap : window->gaps) {
      gaps.push_back({{"timeline", gap.timeline},
                      {"first", recovery::segment_name(gap.timeline, gap.first, catalogue.segment_bytes)},
                      {"last", recovery::segment_name(gap.timeline, gap.last, catalogue.segment_bytes)},
                      {"after", time_text(gap.after)},
                      {"before", time_text(gap.before)}});
    }
  }
  archive["gaps"] = std::move(gaps);
  return archive;
}

JsonArray sets_in_json(const std::optional<recovery::Catalogue>& catalogue) {
  JsonArray out;
  if (catalogue) {
    for (const recovery::BackupSet& set : catalogue->sets) out.push_back(encode(set));
  }
  return out;
}

// Why it failed last and for how long it has; nothing of that once it succeeds.
void keep_count(backup::Failing& failing, const Error* error, std::string& why, int64_t& for_ms) {
  why = error == nullptr ? std::string() : error->text();
  for_ms = error == nullptr ? 0 : failing.failed(boot_now()).count();
  if (error == nullptr) failing.went_well();
}

std::string share_of(const Json& info) {
  if (!info.is_array()) return {};
  for (const Json& stanza : info.get_array()) {
    const Json& lock = member(member(member(stanza, "status"), "lock"), "backup");
    if (bool_or(lock, "held") && number_or(lock, "pct-cplt", -1) >= 0)
      return fmt::format("{:.0f} %", number_or(lock, "pct-cplt"));
  }
  return {};
}

}  // namespace

struct Repository::Busy {
  std::string& what;
  Busy(std::string& text, std::string now) : what(text) { what = std::move(now); }
  ~Busy() { what.clear(); }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
};

Repository::Repository(Scope& scope, std::string service, BackupPaths paths, std::string run_as, Log log)
    : scope_(scope),
      service_(std::move(service)),
      paths_(std::move(paths)),
      run_as_(std::move(run_as)),
      log_(std::move(log)),
      stream_(scope, paths_.folder + "/stream-" + service_, run_as_, log_) {}

Result<> Repository::configure(wire::RepositoryConfig config, std::string text, std::string expiry_text) {
  bool same = text == text_ && expiry_text == expiry_text_ && encode(config) == encode(config_);
  same = same && report_.problem.empty();
  // Each controller that is linked to says it again.
  if (same) return {};
  config_ = std::move(config);
  text_ = std::move(text);
  expiry_text_ = std::move(expiry_text);
  // While an order is under way its file is in use, and goes with it.
  if (report_.busy.empty()) remove_expiry_files();
  report_.problem.clear();
  report_.guarded = has_expiry_key(1)
                        ? "backups expire with a key of their own; what the other one may delete is the store's rule"
                        : "what an object store prevents by itself; nothing is guarded here";
  guard_.reset();
  if (!config_.backups.store) {
    guard_ = std::make_shared<RepositoryGuard>(config_.backups.repository_path, config_.stanza,
                                               paths_.folder + ".keep/" + service_, run_as_);
    TRY_VOID(guard_->prepare());
    report_.guarded = guard_->in_words();
  }
  std::error_code problem;
  fs::create_directories(scratch(), problem);
  if (const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr; account != nullptr) {
    if (chown(scratch().c_str(), account->pw_uid, account->pw_gid) != 0)
      return fail(ErrorKind::refused, scratch() + ": cannot be given to " + run_as_);
  }
  if (two()) {
    make_second_folder();
    for (int number : {1, 2}) TRY_VOID(write_config(config_of(number), with_repository_only(number, text_)));
  }
  if (auto said = read_file(looked_file())) {
    auto known = parse_json(*said);
    auto until = ScalarText<Moment>::parse(known ? text_or(*known, "until") : "");
    if (until) looked_until_ = *until;
    if (!until) log_(looked_file() + " cannot be read: what a person has looked at has to be looked at again");
  }
  if (config_.slot.empty()) return {};
  return stream_.receive(config_);
}

void Repository::begin() {
  if (std::exchange(begun_, true)) return;
  scope_.spawn("repository of " + service_, look_after());
  scope_.spawn("second repository of " + service_, look_after_second());
}

Task<> Repository::stop(Deadline deadline) {
  auto stopping = stream_.stop(deadline);
  co_await std::move(stopping);
}

PgBackRest Repository::reader(int number) const {
  PgBackRest out;
  out.config = config_of(number);
  out.stanza = config_.stanza;
  out.repository = number;
  out.user = run_as_;
  out.scratch = scratch();
  return out;
}

Task<Result<std::string>> Repository::run(std::vector<std::string> arguments, std::string config, bool as_root,
                                          Deadline deadline) {
  std::string command = arguments.back();
  ProcessSpec spec;
  spec.argv = {"pgbackrest", "--config=" + config, "--stanza=" + config_.stanza, "--log-level-console=warn"};
  if (as_root) {
    std::string own = paths_.folder + ".keep";
    spec.argv.push_back("--log-path=" + own);
    spec.argv.push_back("--lock-path=" + own);
  }
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  if (!as_root) spec.user = run_as_;
  spec.behind_others = command == "backup";
  spec.directory = "/";
  spec.ends_with_us = true;
  auto running = run_process(std::move(spec), deadline);
  CO_TRY(ProcessResult result, co_await std::move(running));
  if (result.exit_code != 0) {
    Error error = pgbackrest_error(command, result.exit_code, result.err + result.out);
    co_return std::unexpected(std::move(error));
  }
  co_return result.out + result.err;
}

Result<std::string> Repository::busy_with(const std::string& what) {
  if (!report_.problem.empty()) return fail(ErrorKind::refused, report_.problem);
  if (!report_.busy.empty())
    return fail(ErrorKind::conflict, fmt::format("the repository of {} {}", service_, report_.busy));
  return what;
}

std::string Repository::config_of(int number) const {
  return two() ? fmt::format("{}/only-{}-{}.conf", paths_.folder, number, service_) : paths_.config();
}

Result<> Repository::write_config(std::string path, std::string text) const {
  const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr;
  auto owner = account == nullptr ? std::nullopt : std::optional(FileOwner{0, account->pw_gid});
  return write_file_atomic(path, text, account == nullptr ? 0600 : 0640, owner);
}

// Written for each order: who leads and who follows changes.
Result<> Repository::order_files(int number, const std::vector<wire::BackupSource>& sources) const {
  std::string text = text_ + sources_lines(paths_, config_.backups.port, sources);
  return write_config(paths_.order_config(service_), with_repository_only(number, text));
}

Task<Result<Json>> Repository::make_stanza(wire::BackupStanza order, Deadline deadline) {
  CO_TRY(std::string doing, busy_with("prepares its stanza"));
  Busy busy(report_.busy, std::move(doing));
  CO_TRY_VOID(order_files(1, order.sources));
  std::vector<std::string> arguments{"stanza-create"};
  auto making = run(std::move(arguments), paths_.order_config(service_), false, deadline);
  CO_TRY(std::string said, co_await std::move(making));
  if (guard_) CO_TRY_VOID(guard_->remember());
  report_.ready = true;
  if (two()) {
    // Members archive into the second as soon as it has its stanza.
    CO_TRY_VOID(order_files(2, order.sources));
    std::vector<std::string> again{"stanza-create"};
    auto making_second = run(std::move(again), paths_.order_config(service_), false, deadline);
    auto made = co_await std::move(making_second);
    second_failed_ = made ? std::string() : made.error().text();
    tell_second({});
  }
  co_return Json(JsonObject{{"stanza", config_.stanza}});
}

Task<Result<>> Repository::back_up_once(int number, wire::BackupTake order, Deadline deadline, Progress progress) {
  std::vector<std::string> arguments{"--type=" + enum_name(order.type), fmt::format("--repo={}", number)};
  if (order.from_standby) arguments.push_back("--backup-standby");
  arguments.push_back("backup");
  auto tell = [](Repository* self, int of, Progress say) -> Task<Result<std::string>> {
    for (std::string said;;) {
      co_await sleep_for(kProgressEvery);
      std::vector<std::string> asking{"--output=json", "--log-level-console=error", "info"};
      auto looking = self->run(std::move(asking), self->config_of(of), false, Deadline::after(kProgressEvery));
      auto text = co_await std::move(looking);
      auto info = text ? parse_json(*text) : Result<Json>(fail(ErrorKind::not_found, ""));
      std::string share = info ? share_of(*info) : std::string();
      if (!share.empty() && share != said) say((of == 1 ? "" : "second repository: ") + (said = share));
    }
  };
  using namespace asio::experimental::awaitable_operators;
  auto both = end_of(run(std::move(arguments), paths_.order_config(service_), false, deadline)) ||
              tell(this, number, std::move(progress));
  auto outcome = co_await std::move(both);
  if (outcome.index() != 0) co_return fail(ErrorKind::internal, "the backup's progress ended before it");
  auto ended = std::get<0>(std::move(outcome));
  if (ended.problem) std::rethrow_exception(ended.problem);
  CO_TRY_VOID(*std::move(ended.value));
  co_return Result<>{};
}

Task<Result<>> Repository::back_up(int number, wire::BackupTake order, Deadline deadline, Progress progress) {
  auto tidying = tidy(number, deadline);
  auto tidied = co_await std::move(tidying);
  // What is in doubt stays, and the backup can be taken all the same.
  if (!tidied && tidied.error().kind != ErrorKind::conflict) co_return std::unexpected(std::move(tidied).error());
  if (!tidied) log_(tidied.error().text());
  CO_TRY_VOID(order_files(number, order.sources));
  Deadline checkpoint = deadline.at_most(kCheckpointWithin);
  while (true) {
    auto taking = back_up_once(number, order, deadline, progress);
    auto taken = co_await std::move(taking);
    if (!taken && has_expiry_key(number) && lacks_index_only(taken.error().what)) {
      auto ending = tidy(number, deadline);
      CO_TRY(std::vector<std::string> whole, co_await std::move(ending));
      if (!whole.empty()) co_return Result<>{};
    }
    if (taken || !awaits_first_checkpoint(taken.error().what) || checkpoint.passed()) co_return taken;
    progress("waits for the first checkpoint of the new primary");
    co_await sleep_for(kCheckpointAgain);
  }
}

Task<Result<Json>> Repository::take(wire::BackupTake order, Deadline deadline, Progress progress) {
  CO_TRY(std::string doing, busy_with(fmt::format("takes a {} backup", enum_name(order.type))));
  Busy busy(report_.busy, std::move(doing));
  MonoTime begun = boot_now();
  if (order.sources.empty()) co_return fail(ErrorKind::invalid_input, "no member is named to back up from");
  auto before = labels_of(catalogue_);
  auto taking = back_up(1, order, deadline, progress);
  CO_TRY_VOID(co_await std::move(taking));
  if (guard_) {
    auto guarding = blocking([guard = guard_] { return guard->protect(); });
    CO_TRY_VOID(co_await std::move(guarding));
  }
  auto looking = look(deadline);
  CO_TRY_VOID(co_await std::move(looking));
  if (guard_) CO_TRY_VOID(guard_->remember());
  JsonArray fresh;
  for (const recovery::BackupSet& set : catalogue_->sets) {
    if (std::ranges::find(before, set.label) == before.end()) fresh.push_back(encode(set));
  }
  auto expiring = expire_first(deadline);
  auto expired = co_await std::move(expiring);
  JsonObject reply{{"sets", fresh}, {"seconds", to_seconds(boot_now() - begun)}};
  reply["expired"] = expired ? *expired : JsonArray{};
  reply["held"] = expired ? report_.held : expired.error().text();
  if (two()) {
    auto also = take_second(std::move(order), deadline, std::move(progress));
    auto taken = co_await std::move(also);
    second_failed_ = taken ? std::string() : taken.error().text();
    if (!taken) {
      auto looking_there = look_second(deadline.at_most(kReadWithin));
      auto looked = co_await std::move(looking_there);
      log_(fmt::format("the second repository of {}: {}", service_, looked ? second_failed_ : looked.error().text()));
    } else {
      tell_second({});
    }
    reply["second"] = taken ? *taken : Json(JsonObject{{"problem", report_.second}});
  }
  co_return Json(std::move(reply));
}

Task<Result<Json>> Repository::expire(wire::BackupExpire order, Deadline deadline) {
  CO_TRY(std::string doing, busy_with("expires backups"));
  Busy busy(report_.busy, std::move(doing));
  auto looking = look(deadline);
  CO_TRY_VOID(co_await std::move(looking));
  if (two()) {
    // What it has to say about that it tells itself.
    auto looking_there = look_second(deadline);
    auto looked = co_await std::move(looking_there);
    if (!looked) log_(looked.error().text());
  }
  if (!order.looked_at.empty()) CO_TRY_VOID(was_looked_at(order.looked_at, order.by));
  auto expiring = expire_first(deadline);
  CO_TRY(JsonArray expired, co_await std::move(expiring));
  JsonObject reply{{"expired", std::move(expired)}, {"held", report_.held}};
  if (two()) {
    auto also = expire_second(deadline);
    auto done = co_await std::move(also);
    second_failed_ = done ? std::string() : done.error().text();
    tell_second({});
    reply["second"] = {{"expired", done ? *done : JsonArray{}}, {"problem", report_.second}};
  }
  co_return Json(std::move(reply));
}

Task<Result<JsonArray>> Repository::expire_first(Deadline deadline) {
  judge();
  if (!report_.held.empty()) {
    log_(fmt::format("nothing of {} is expired: {}", service_, report_.held));
    co_return JsonArray{};
  }
  auto before = labels_of(catalogue_);
  auto refusing = refuse_strays(1, deadline);
  CO_TRY_VOID(co_await std::move(refusing));
  auto running = run_expiry(1, false, deadline);
  auto done = co_await std::move(running);
  if (guard_) CO_TRY_VOID(guard_->give_back());
  CO_TRY_VOID(std::move(done));
  auto looking = look(deadline);
  CO_TRY_VOID(co_await std::move(looking));
  if (guard_) CO_TRY_VOID(guard_->remember());
  auto after = labels_of(catalogue_);
  JsonArray expired;
  for (const std::string& label : before) {
    if (std::ranges::find(after, label) == after.end()) expired.push_back(Json(label));
  }
  co_return expired;
}

// Why a backup looks wrong, and what to do when it is not.
std::string Repository::unusual_in(const std::optional<recovery::Catalogue>& catalogue) const {
  if (!catalogue) return {};
  auto found = recovery::anomalies_of(catalogue->sets, looked_until_);
  if (found.empty()) return {};
  std::string out;
  for (size_t index = 0; index < std::min(found.size(), kToldMost); ++index)
    out += fmt::format("{}{} {}", out.empty() ? "" : "; ", found[index].set, found[index].what);
  if (found.size() > kToldMost) out += fmt::format("; and {} more", found.size() - kToldMost);
  return out + fmt::format(
                   "; when somebody has looked and the database is as it should be: `lifeboat backups expire {} "
                   "--looked-at {}`",
                   service_, catalogue->sets.back().label);
}

void Repository::judge() {
  report_.held = unusual_in(catalogue_);
  if (!report_.noticed.empty()) report_.held += (report_.held.empty() ? "" : "; ") + report_.noticed;
}

// Kept where only root writes: whoever has the user that pgBackRest runs as could say it otherwise.
Result<> Repository::was_looked_at(const std::string& label, const std::string& by) {
  std::optional<Moment> until;
  for (const auto* one : {&catalogue_, &second_}) {
    if (!*one) continue;
    auto found = std::ranges::find((*one)->sets, label, &recovery::BackupSet::label);
    if (found != (*one)->sets.end()) until = found->stopped;
  }
  if (!until)
    return fail(ErrorKind::not_found, fmt::format("there is no backup '{}' of {}", label, service_),
                "`lifeboat backups list` shows them");
  if (looked_until_) until = std::max(*until, *looked_until_);
  std::error_code problem;
  fs::create_directories(fs::path(looked_file()).parent_path(), problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", looked_file(), problem.message()));
  JsonObject word{{"until", time_text(until)}, {"label", label}, {"by", by}};
  TRY_VOID(write_file_atomic(looked_file(), to_text(Json(std::move(word))), 0600));
  looked_until_ = until;
  log_(fmt::format("{} has looked at the backups of {} up to {}", by, service_, label));
  return {};
}

Task<Result<Json>> Repository::info(Deadline deadline) {
  if (report_.busy.empty()) {
    auto looking = look(deadline);
    auto looked = co_await std::move(looking);
    // An index that somebody took away comes back; until then nobody is to believe that there is no backup, and take one.
    bool none_yet = !looked && looked.error().kind == ErrorKind::not_found && report_.newest.empty();
    if (!looked && !none_yet) co_return std::unexpected(std::move(looked).error());
  }
  JsonObject archive = archive_in_json(catalogue_.value_or(recovery::Catalogue{}));
  archive["stream"] = config_.slot.empty() ? "" : stream_.folder();
  Json second(nullptr);
  if (two())
    second = {{"sets", sets_in_json(second_)}, {"archive", archive_in_json(second_.value_or(recovery::Catalogue{}))}};
  co_return Json(JsonObject{{"sets", sets_in_json(catalogue_)},
                            {"archive", std::move(archive)},
                            {"second", std::move(second)},
                            {"report", encode(report_)}});
}

Task<Result<Json>> Repository::verify(Deadline deadline, Progress progress) {
  CO_TRY(std::string doing, busy_with("is being verified"));
  Busy busy(report_.busy, std::move(doing));
  progress("reads every file");
  MonoTime begun = boot_now();
  auto verifying = verify_repository(reader(1), deadline);
  CO_TRY(VerifyReport found, co_await std::move(verifying));
  auto looking = look(deadline);
  CO_TRY_VOID(co_await std::move(looking));
  JsonArray problems;
  std::string which = two() ? "repository 1: " : "";
  for (const std::string& line : found.findings) problems.push_back(Json(which + line));
  // Whoever has it verified has looked.
  if (!found.damaged) report_.noticed.clear();
  judge();
  // A segment that is missing in the middle is nothing that pgBackRest's own check sees.
  if (!report_.gap.empty()) problems.push_back(Json(which + report_.gap));
  bool whole = !found.damaged && report_.gap.empty();
  if (two()) {
    progress("reads every file of the second repository");
    auto also = verify_second(deadline);
    auto verified = co_await std::move(also);
    if (!verified) problems.push_back(Json("repository 2: " + verified.error().text()));
    Json lines = verified ? member(*verified, "problems") : Json(nullptr);
    for (const Json& line : lines.is_array() ? lines.get_array() : JsonArray{}) problems.push_back(line);
    whole = whole && problems.empty();
    if (verified) found.text += "\n" + text_or(*verified, "text");
  }
  co_return Json(JsonObject{{"whole", whole},
                            {"problems", problems},
                            {"text", found.text.substr(0, 4000)},
                            {"seconds", to_seconds(boot_now() - begun)}});
}

Task<Result<>> Repository::look(Deadline deadline) {
  auto reading = read_catalogue(reader(1), deadline.at_most(kReadWithin));
  auto catalogue = co_await std::move(reading);
  // That there is no backup is an answer only where there has been none.
  bool none_yet = !catalogue && catalogue.error().kind == ErrorKind::not_found && report_.newest.empty();
  const Error* unread = catalogue || none_yet ? nullptr : &catalogue.error();
  keep_count(reads_, unread, report_.unread, report_.unread_ms);
  if (!catalogue) {
    if (catalogue.error().kind == ErrorKind::not_found) catalogue_.reset(), report_.backups = 0, judge();
    co_return std::unexpected(std::move(catalogue).error());
  }
  catalogue_ = std::move(*catalogue);
  report_.ready = true;
  tell();
  co_return Result<>{};
}

void Repository::tell() {
  judge();
  report_.backups = static_cast<int64_t>(catalogue_->sets.size());
  report_.newest = catalogue_->sets.empty() ? "" : catalogue_->sets.back().label;
  report_.newest_at = catalogue_->sets.empty() ? "" : time_text(catalogue_->sets.back().stopped);
  report_.newest_wal.clear();
  if (!catalogue_->segments.empty()) {
    const recovery::WalSegment& last = catalogue_->segments.back();
    report_.newest_wal = recovery::segment_name(last.timeline, last.number, catalogue_->segment_bytes);
  }
  report_.gap.clear();
  report_.oldest_at.clear();
  report_.restorable_to.clear();
  auto window = recovery::window_of(*catalogue_);
  if (!window) return;
  report_.oldest_at = time_text(window->oldest);
  report_.restorable_to = time_text(window->newest);
  if (window->gaps.empty()) return;
  const recovery::Gap& gap = window->gaps.front();
  report_.gap = fmt::format("WAL is missing from {} to {}",
                            recovery::segment_name(gap.timeline, gap.first, catalogue_->segment_bytes),
                            recovery::segment_name(gap.timeline, gap.last, catalogue_->segment_bytes));
}

Task<> Repository::look_after() {
  for (int turn = 0;; ++turn) {
    report_.streams_from = stream_.running() ? stream_.at() : std::string();
    // While an order is carried out the repository is that order's.
    if (report_.problem.empty() && report_.busy.empty()) {
      // Who needs a backup now does not wait for the next look to find that the index is gone.
      bool looks = turn % kCatalogueEvery == 0 || (guard_ && guard_->lacks_an_index());
      if (looks && report_.ready) {
        auto looking = look(Deadline::after(kReadWithin));
        auto looked = co_await std::move(looking);
        auto checking = check_index(looked.has_value());
        if (report_.busy.empty()) co_await std::move(checking);
      }
      auto filling = fill_gaps(Deadline::after(kPushWithin));
      auto filled = co_await std::move(filling);
      keep_count(fills_, filled ? nullptr : &filled.error(), report_.unfilled, report_.unfilled_ms);
      if (!filled && filled.error().what != said_) log_(said_ = filled.error().what);
    }
    if (guard_) {
      auto guarding = blocking([guard = guard_] { return guard->protect(); });
      auto guarded = co_await std::move(guarding);
      if (!guarded && guarded.error().what != said_) log_(said_ = guarded.error().what);
    }
    co_await sleep_for(kLookEvery);
  }
}

// A backup whose files are whole and that the index does not know was taken out of the index by somebody else.
Task<> Repository::check_index(bool readable) {
  if (!guard_) co_return;
  auto known = labels_of(catalogue_);
  std::vector<std::string> lost;
  for (const std::string& label : guard_->whole_backups()) {
    if (!readable || std::ranges::find(known, label) == known.end()) lost.push_back(label);
  }
  auto putting = guard_->put_back(!lost.empty());
  if (!putting) {
    if (putting.error().what != said_) log_(said_ = putting.error().what);
    co_return;
  }
  if (putting->empty()) co_return;
  report_.noticed = fmt::format("{} of the repository of {} {} changed or removed by somebody else, and put back",
                                fmt::join(*putting, ", "), service_, putting->size() == 1 ? "was" : "were");
  log_(report_.noticed);
  auto looking = look(Deadline::after(kReadWithin));
  co_await std::move(looking);
}

bool Repository::stands_in_archive(const std::string& name) const {
  if (config_.backups.store) return false;
  std::error_code ignored;
  fs::path archive = fs::path(config_.backups.repository_path) / "archive" / config_.stanza;
  for (const auto& entry : fs::directory_iterator(archive, ignored)) {
    if (!entry.is_directory()) continue;
    if (name.ends_with(".history")) {
      if (fs::exists(entry.path() / name)) return true;
      continue;
    }
    for (const auto& file : fs::directory_iterator(entry.path() / name.substr(0, 16), ignored)) {
      std::string found = file.path().filename().string();
      if (found.starts_with(name + "-") && !found.ends_with(".tmp")) return true;
    }
  }
  return false;
}

Task<Result<>> Repository::fill_gaps(Deadline deadline) {
  if (!report_.ready) co_return Result<>{};
  auto filling = archive_stream(kPrimaryHas, deadline);
  CO_TRY_VOID(co_await std::move(filling));
  co_return Result<>{};
}

Task<Result<std::vector<std::string>>> Repository::archive_stream(Duration older_than, Deadline deadline) {
  std::vector<std::string> archived;
  for (const std::string& name : stream_.finished(older_than)) {
    if (std::ranges::find(owed_, name) != owed_.end()) continue;
    if (!stands_in_archive(name)) {
      auto pushing = archive_file(1, stream_.folder() + "/" + name, deadline);
      CO_TRY_VOID(co_await std::move(pushing));
      archived.push_back(name);
      // What the primary did not put into the first it did not put into the second either.
      if (two()) {
        owed_.push_back(name);
        continue;
      }
    }
    stream_.archived(name);
  }
  // A second repository that takes nothing does not fill this host's disk.
  for (; owed_.size() > kOwedMost; owed_.erase(owed_.begin())) stream_.archived(owed_.front());
  co_return archived;
}

Task<Result<>> Repository::archive_file(int number, std::string path, Deadline deadline) {
  std::string name = fs::path(path).filename().string();
  std::vector<std::string> arguments{"archive-push", std::move(path)};
  auto pushing = run(std::move(arguments), config_of(number), false, deadline);
  auto pushed = co_await std::move(pushing);
  if (!pushed) co_return std::unexpected(std::move(pushed).error().with("archive " + name + " from the stream"));
  log_(fmt::format("{} was archived from the stream{}", name, number == 1 ? "" : ", in the second repository too"));
  co_return Result<>{};
}

// The unfinished segment is as long as a whole one, with zeros where nothing came any more; to a server that replays it, that is the
// end of the log.
Task<Result<Json>> Repository::close_log(Deadline deadline) {
  if (!report_.ready) co_return fail(ErrorKind::refused, "the repository is not ready: " + report_.problem);
  auto filling = archive_stream(Duration{0}, deadline);
  CO_TRY(std::vector<std::string> archived, co_await std::move(filling));
  std::string at = stream_.at(), name = at.substr(0, at.find('.'));
  if (at.ends_with(".partial") && !stands_in_archive(name)) {
    CO_TRY(std::string whole, stream_.copy_of_unfinished(at));
    auto looking = end_of_unfinished(whole, name, deadline);
    auto end = co_await std::move(looking);
    // Without it a restore stops there and asks.
    if (!end) log_(end.error().text());
    CO_TRY_VOID(write_file_atomic(unfinished_file(), to_text(end ? *end : Json(JsonObject{})), 0600));
    auto pushing = archive_file(1, whole, deadline);
    auto pushed = co_await std::move(pushing);
    if (pushed && two()) {
      auto also = archive_file(2, whole, deadline.at_most(kSecondWithin));
      auto pushed_there = co_await std::move(also);
      if (!pushed_there) log_(pushed_there.error().text());
    }
    std::error_code ignored;
    fs::remove(whole, ignored);
    CO_TRY_VOID(std::move(pushed));
    archived.push_back(name);
  }
  JsonArray names(archived.begin(), archived.end());
  auto text = read_file(unfinished_file());
  auto known = text ? parse_json(*text) : Result<Json>(fail(ErrorKind::not_found, ""));
  bool of_now = known && text_or(*known, "segment") == name && at.ends_with(".partial");
  co_return Json(JsonObject{{"archived", std::move(names)}, {"unfinished", of_now ? *known : Json(nullptr)}});
}

Task<Result<Json>> Repository::end_of_unfinished(std::string path, std::string name, Deadline deadline) {
  CO_TRY(std::string program, find_waldump(std::atoi(catalogue_ ? catalogue_->version.c_str() : "")));
  uint64_t bytes = catalogue_->segment_bytes;
  auto segment = recovery::parse_segment_name(name, bytes);
  if (!segment) co_return fail(ErrorKind::internal, name + " is no name of a segment");
  DumpWish wish{.program = std::move(program),
                .view = fs::path(path).parent_path().string(),
                .timeline = segment->timeline,
                .begin = recovery::segment_begin(segment->number, bytes),
                .end = recovery::segment_begin(segment->number + 1, bytes)};
  forensics::Record last;
  Lsn begin = wish.begin;
  auto dumping = dump_records(
      std::move(wish),
      [&last](const forensics::Record& record) {
        last = record;
        return true;
      },
      deadline);
  CO_TRY(DumpEnd end, co_await std::move(dumping));
  CO_TRY(std::string content, read_file(path, bytes));
  uint64_t written = content.find_last_not_of('\0') + 1;
  uint64_t offset = last.lsn < begin ? 0 : last.lsn.value - begin.value;
  if (!recovery::ends_with_record(offset, last.bytes, written))
    co_return fail(ErrorKind::refused, fmt::format("{} cannot be read behind {}, and more was received: {}", name,
                                                   ScalarText<Lsn>::format(last.lsn), end.complaint));
  log_(fmt::format("the log ends in {}, behind {}: {}", name, ScalarText<Lsn>::format(last.lsn), end.complaint));
  co_return Json(JsonObject{{"segment", name}, {"last_record", ScalarText<Lsn>::format(last.lsn)}});
}

}  // namespace lifeboat
