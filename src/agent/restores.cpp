#include "agent/restores.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/backup_files.hpp"
#include "agent/evidence.hpp"
#include "agent/postgres_files.hpp"
#include "agent/postgres_server.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/run/events.hpp"
#include "io/clock.hpp"
#include "io/file.hpp"
#include "io/process.hpp"
#include "recovery/clean_point.hpp"
#include "recovery/end_server.hpp"
#include "recovery/forensics.hpp"
#include "recovery/remove_copy.hpp"
#include "recovery/replay_server.hpp"
#include "recovery/settings.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLookEvery{1'000};
constexpr Duration kTellEvery{200};
constexpr Duration kRestoreWithin{std::chrono::hours(24)};
constexpr Duration kStartsWithin{60'000};
// What is written to the disk at that moment is waited for.
constexpr Duration kCancelledWithin{30'000};
constexpr int64_t kRowsMost = 100'000;
// An answer has to fit into one message of the link, which takes a megabyte.
constexpr size_t kBytesMost = 256 * 1024;
constexpr size_t kBytesBeside = 4;  // of a value, in JSON
constexpr int64_t kRowsAtOnce = 200;

bool is_name(const std::string& text) {
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 48 && text.front() != '-' && std::ranges::all_of(text, plain);
}

template <class Params>
Result<Params> params_of(const Json& params) {
  auto decoded = decode<Params>(params);
  if (!decoded) return std::unexpected(to_error(decoded.error(), "the parameters do not fit"));
  return std::move(*decoded);
}

std::string in_line(const recovery::RestoreProgress& at) {
  std::string out(recovery::in_words(at.stage));
  if (at.total_bytes > 0) out += fmt::format(" {} of {} MB", at.done_bytes >> 20, at.total_bytes >> 20);
  if (at.bytes_per_second > 0) out += fmt::format(", {:.0f} MB/s", at.bytes_per_second / (1 << 20));
  if (at.left) out += fmt::format(", {} left", format_span(*at.left));
  return at.note.empty() ? out : out + ": " + at.note;
}

Result<Moment> moment_of(const std::string& text) {
  auto at = ScalarText<Moment>::parse(text);
  if (!at) return fail(ErrorKind::invalid_input, fmt::format("'{}': {}", text, at.error()));
  return *at;
}

}  // namespace

Restores::Restores(Scope& scope, std::string host, std::string agent_folder, std::string run_as, Log log)
    : scope_(scope),
      host_(std::move(host)),
      agent_folder_(std::move(agent_folder)),
      run_as_(std::move(run_as)),
      log_(std::move(log)),
      looks_(scope) {}

std::string Restores::config() const { return BackupPaths{agent_folder_ + "/" + std::string(kBackupFolder)}.config(); }

void Restores::configure(const wire::Configure& configuration) {
  std::map<std::string, Place> places;
  for (const auto& [service, config] : configuration.servers) {
    if (config.archive.stanza.empty()) continue;
    ServerPaths at = server_paths(agent_folder_ + "/" + service, config);
    places[service] = {config.archive.stanza,
                       restores_folder(agent_folder_, config.data_dir),
                       at.data,
                       config.database,
                       at.socket,
                       config.port};
  }
  for (const auto& [service, config] : configuration.repositories) {
    if (!places.contains(service)) places[service] = {config.stanza, restores_folder(agent_folder_, ""), "", "", "", 0};
  }
  places_ = std::move(places);
  if (places_.empty() || std::exchange(begun_, true)) return;
  for (const auto& [service, place] : places_) find_again(place);
  scope_.spawn("evidence", look_after());
}

Result<Restores::Place> Restores::place_of(const std::string& service) const {
  auto found = places_.find(service);
  if (found == places_.end())
    return fail(ErrorKind::not_found, fmt::format("{} has no repository of '{}' to restore from", host_, service),
                "name a host that runs a member of it, or the repository's own");
  return found->second;
}

recovery::RestoreFolder Restores::folder_of(const Place& place, const std::string& name) const {
  return {place.folder + "/" + name, run_as_};
}

// What was under way when the agent ended is taken up by the next order for it.
void Restores::find_again(const Place& place) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(place.folder, ignored)) {
    if (entry.path().extension() != ".json") continue;
    auto text = read_file(entry.path().string());
    auto json = text ? parse_json(*text) : Result<Json>(fail(ErrorKind::not_found, ""));
    std::string name = entry.path().stem().string();
    if (!json || !is_name(name)) continue;
    auto copy = std::make_shared<Copy>();
    *copy = {.service = text_or(*json, "service"),
             .name = name,
             .wish = member(*json, "wish"),
             .state = text_or(*json, "state"),
             .progress = {},
             .error_kind = text_or(*json, "error_kind"),
             .error = text_or(*json, "error"),
             .hint = text_or(*json, "hint"),
             .restored = member(*json, "restored"),
             .began_at = text_or(*json, "began_at"),
             .ended_at = text_or(*json, "ended_at")};
    if (copy->state == "running") {
      copy->state = "failed";
      copy->error_kind = to_string(ErrorKind::cancelled);
      copy->error = "the agent was started again while it was under way";
      copy->hint = "the same order takes it up";
      if (auto kept = keep(place, *copy); !kept) log_(kept.error().text());
    }
    copies_[place.folder + "/" + name] = std::move(copy);
  }
}

Json Restores::in_json(const Place& place, const Copy& copy) const {
  return JsonObject{{"service", copy.service},
                    {"name", copy.name},
                    {"host", host_},
                    {"wish", copy.wish},
                    {"state", copy.state},
                    {"progress", copy.progress},
                    {"error_kind", copy.error_kind},
                    {"error", copy.error},
                    {"hint", copy.hint},
                    {"restored", copy.restored},
                    {"began_at", copy.began_at},
                    {"ended_at", copy.ended_at},
                    {"folder", folder_of(place, copy.name).path}};
}

Result<> Restores::keep(const Place& place, const Copy& copy) const {
  std::error_code problem;
  fs::create_directories(place.folder, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", place.folder, problem.message()));
  // The servers' own user passes through on its way to its folders.
  chmod(place.folder.c_str(), 0711);
  return write_file_atomic(place.folder + "/" + copy.name + ".json", to_pretty_text(in_json(place, copy)), 0600);
}

bool Restores::runs(const Place& place, const std::string& name) const {
  std::string postgres = postgres_program("postgres");
  return !postgres.empty() && !processes_at(folder_of(place, name).data(), postgres).empty();
}

std::vector<recovery::KnownCopy> Restores::known(const Place& place, const std::string& service) {
  std::vector<recovery::KnownCopy> out;
  for (const auto& [folder, copy] : copies_) {
    if (copy->service != service) continue;
    // Its data have been given to the member since.
    bool gone = copy->state == "done" && access((folder + "/data/PG_VERSION").c_str(), F_OK) != 0;
    if (gone) {
      copy->state = "adopted";
      if (auto kept = keep(place, *copy); !kept) log_(kept.error().text());
    }
    out.push_back(recovery::known_copy(in_json(place, *copy)));
  }
  return out;
}

Result<std::shared_ptr<Restores::Copy>> Restores::find(const std::string& service, const std::string& name) {
  TRY(Place place, place_of(service));
  std::vector<recovery::KnownCopy> all = known(place, service);
  const recovery::KnownCopy* called = recovery::copy_called(all, name);
  auto found = called == nullptr ? copies_.end() : copies_.find(place.folder + "/" + called->name);
  if (found == copies_.end())
    return fail(ErrorKind::not_found, fmt::format("there is no restore '{}' of {} on {}", name, service, host_));
  return found->second;
}

// Copies of looks that were under way when an agent before this one ended: nobody asks them any more.
Task<> Restores::sweep() {
  std::vector<std::string> all;
  for (const auto& [service, place] : places_) {
    for (std::string& path : looks_.left_behind(place.folder)) {
      if (std::ranges::find(all, path) == all.end()) all.push_back(std::move(path));
    }
  }
  std::string postgres = postgres_program("postgres");
  for (const std::string& path : all) {
    recovery::RestoreFolder folder{path, run_as_};
    auto removing = blocking([folder, postgres]() -> Result<> {
      if (!postgres.empty() && !recovery::end_server_at(folder.data(), postgres))
        return fail(ErrorKind::refused, "its server cannot be ended", "look at its processes");
      return recovery::remove_copy(folder, false);
    });
    auto removed = co_await std::move(removing);
    log_(fmt::format("{} is of a look that was cut off: {}", path, removed ? "removed" : removed.error().text()));
  }
}

// Evidence is hashed when it has been set aside, by whichever agent runs then.
Task<> Restores::look_after() {
  auto sweeping = sweep();
  co_await std::move(sweeping);
  while (true) {
    for (const auto& [service, place] : places_) {
      if (place.data.empty()) continue;
      std::string what;
      for (const std::string& kept : kept_for(place.data)) {
        if (access(manifest_of(kept).c_str(), F_OK) != 0 && !unhashed_.contains(kept)) what = kept;
      }
      if (what.empty()) continue;
      auto hashing = blocking([what] { return write_manifest(what); });
      auto hashed = co_await std::move(hashing);
      if (!hashed) unhashed_[what] = hashed.error().text();
      log_(hashed ? fmt::format("{} is kept as evidence, its hashes are in {}", what, manifest_of(what))
                  : fmt::format("the hashes of {} could not be written: {}", what, hashed.error().text()));
      break;  // the configuration may have changed meanwhile
    }
    co_await sleep_for(kLookEvery);
  }
}

// ---- orders

Task<Result<Json>> Restores::carry_out(std::string method, Json params, Deadline deadline, Progress progress) {
  if (method == wire::RestoreBegin::kMethod) {
    CO_TRY(auto order, params_of<wire::RestoreBegin>(params));
    co_return co_await begin(std::move(order), deadline, std::move(progress));
  }
  if (method == wire::RestoreList::kMethod) {
    CO_TRY(auto order, params_of<wire::RestoreList>(params));
    co_return co_await list(std::move(order));
  }
  if (method == wire::RestoreStop::kMethod) {
    CO_TRY(auto order, params_of<wire::RestoreStop>(params));
    co_return co_await stop(std::move(order));
  }
  if (method == wire::RestoreQuery::kMethod) {
    CO_TRY(auto order, params_of<wire::RestoreQuery>(params));
    co_return co_await query(std::move(order), deadline);
  }
  if (method == wire::RestoreForensics::kMethod) {
    CO_TRY(auto order, params_of<wire::RestoreForensics>(params));
    co_return co_await look_at_log(std::move(order), deadline);
  }
  if (method == wire::RestoreCleanPoint::kMethod) {
    CO_TRY(auto order, params_of<wire::RestoreCleanPoint>(params));
    co_return co_await look_at_copies(std::move(order), deadline, std::move(progress));
  }
  if (method == wire::EndLook::kMethod) {
    CO_TRY(auto order, params_of<wire::EndLook>(params));
    co_return co_await looks_.end(std::move(order));
  }
  co_return fail(ErrorKind::unsupported, fmt::format("this agent does not know '{}'", method),
                 "it may be older than the controller");
}

Task<Result<Json>> Restores::begin(wire::RestoreBegin order, Deadline deadline, Progress progress) {
  CO_TRY(Place place, place_of(order.service));
  if (!is_name(order.name))
    co_return fail(ErrorKind::invalid_input, fmt::format("'{}' is no name of a restore", order.name),
                   "small letters, digits and '-', at most 48");
  CO_TRY(recovery::RecoveryTarget target, recovery::target_from_json(order.target));
  // Where the log ends, and how long it may take, is no part of what is wished for.
  wire::RestoreBegin wished = order;
  wished.unfinished.clear();
  wished.last_record = {};
  wished.within_ms.reset();
  wished.log_not_closed.reset();
  wished.again = false;
  Json wish = encode(wished);
  recovery::KnownCopy wanted =
      recovery::known_copy(JsonObject{{"name", order.name}, {"state", "running"}, {"wish", wish}});
  std::vector<recovery::KnownCopy> all = known(place, order.service);
  auto choice = recovery::choose_copy(all, wanted, order.again);
  if (!choice) co_return std::unexpected(std::move(choice).error().with(host_));
  std::string at = folder_of(place, choice->name).path;
  auto had = copies_.find(at);
  if (had != copies_.end() && had->second->service != order.service)
    co_return fail(ErrorKind::conflict, fmt::format("{} holds a copy of {}", at, had->second->service),
                   "take another name");
  std::shared_ptr<Copy> copy = had == copies_.end() ? std::make_shared<Copy>() : had->second;
  if (!choice->there) {
    // What cannot be written down is not begun, and what was there stays what it was.
    Copy fresh{.service = order.service,
               .name = choice->name,
               .wish = wish,
               .state = "running",
               .began_at = format_wall(wall_now())};
    CO_TRY_VOID(keep(place, fresh));
    *copy = std::move(fresh);
    copies_[at] = copy;
    recovery::RestoreRequest request{
        .config = config(),
        .stanza = place.stanza,
        .repository = order.repository.value_or(0),
        .wish = {.target = target, .set = order.set, .timeline = order.timeline, .accept_gap = order.accept_gap},
        .folder = at,
        .again = true,
        .run_as = run_as_};
    if (!order.unfinished.empty()) request.unfinished = {order.unfinished, order.last_record};
    Wanted wanted_now{.request = std::move(request),
                      .gives_up = choice->give_up,
                      .within = order.within_ms ? Duration{*order.within_ms} : kRestoreWithin,
                      .log_not_closed = order.log_not_closed.value_or("")};
    scope_.spawn("restore " + choice->name, work(place, copy, std::move(wanted_now)));
  }
  // It goes on also when whoever asked goes away.
  for (std::string said; copy->state == "running";) {
    if (deadline.passed()) co_return fail(ErrorKind::timed_out, "the restore goes on: " + copy->progress, "ask again");
    if (copy->progress != said) progress(said = copy->progress);
    co_await sleep_for(kTellEvery);
  }
  if (copy->state != "done") co_return fail(run::error_kind_of(copy->error_kind), copy->error, copy->hint);
  Json out = copy->restored;
  out.as_object()["name"] = copy->name;
  out.as_object()["host"] = host_;
  out.as_object()["began_at"] = copy->began_at;
  out.as_object()["folder"] = at;
  out.as_object()["run_as"] = run_as_;
  co_return out;
}

// Ends the server of a copy and removes its files.
Task<Result<>> Restores::give_up(Place place, std::string name, bool whole) {
  recovery::RestoreFolder folder = folder_of(place, name);
  std::string postgres = postgres_program("postgres");
  auto removing = blocking([folder, postgres, whole]() -> Result<> {
    if (!postgres.empty() && !recovery::end_server_at(folder.data(), postgres))
      return fail(ErrorKind::refused, "its server cannot be ended", "look at its processes");
    return recovery::remove_copy(folder, whole);
  });
  co_return co_await std::move(removing);
}

// Makes room for a restore: a finished copy of another order goes, and what a removal that was cut off left.
Task<Result<>> Restores::clear(Place place, std::string name, bool gives_up) {
  if (gives_up) {
    auto giving = give_up(place, name, true);
    co_return co_await std::move(giving);
  }
  auto ending = blocking([folder = folder_of(place, name)] { return recovery::end_removal(folder); });
  co_return co_await std::move(ending);
}

Task<> Restores::work(Place place, std::shared_ptr<Copy> copy, Wanted wanted) {
  // Also when it is cancelled.
  struct Ended {
    Restores& self;
    Place& place;
    Copy& copy;
    ~Ended() {
      if (copy.state == "running") {
        copy.state = "failed";
        copy.error_kind = to_string(ErrorKind::cancelled);
        copy.error = "it was stopped";
        copy.hint = "the same order takes it up";
      }
      copy.ended_at = format_wall(wall_now());
      if (auto kept = self.keep(place, copy); !kept) self.log_(kept.error().text());
    }
  } ended{*this, place, *copy};
  Deadline deadline = Deadline::after(wanted.within);
  if (wanted.gives_up) copy->progress = "removes the copy of another order";
  auto clearing = clear(place, copy->name, wanted.gives_up);
  if (auto cleared = co_await std::move(clearing); !cleared) {
    copy->error_kind = to_string(cleared.error().kind);
    copy->error = cleared.error().text();
    // Its folder may hold tablespaces of the member's data: it is nobody's to take up.
    bool taken = cleared.error().kind == ErrorKind::conflict;
    copy->state = taken ? "adopted" : "failed";
    if (taken) copy->wish = nullptr;
    co_return;
  }
  auto restoring = recovery::restore(
      std::move(wanted.request), [copy](const recovery::RestoreProgress& at) { copy->progress = in_line(at); },
      deadline);
  auto done = co_await std::move(restoring);
  if (done) {
    copy->restored = recovery::to_json(*done);
    if (!wanted.log_not_closed.empty()) copy->restored.as_object()["log_not_closed"] = wanted.log_not_closed;
    copy->state = "done";
    log_(fmt::format("restore {} of {} is done, {:.1f} s", copy->name, copy->service, done->seconds));
  } else {
    copy->state = "failed";
    Error error = done.error();
    // How it ends is known, so whoever waits is not told that it is not.
    if (error.kind == ErrorKind::timed_out && deadline.passed())
      error = {.kind = ErrorKind::cancelled,
               .what = fmt::format("it was given up after {}: {}", format_span(wanted.within), error.what),
               .hint = "the same order takes it up; allow it more time: --within"};
    copy->error_kind = to_string(error.kind);
    copy->hint = std::exchange(error.hint, {});
    copy->error = error.text();
    log_(fmt::format("restore {} of {}: {}", copy->name, copy->service, copy->error));
  }
}

Task<Result<Json>> Restores::list(wire::RestoreList order) {
  CO_TRY(Place place, place_of(order.service));
  JsonArray restores, evidence;
  for (const recovery::KnownCopy& copy : known(place, order.service)) {
    Json one = in_json(place, *copies_.at(folder_of(place, copy.name).path));
    one.as_object()["runs"] = runs(place, copy.name);
    restores.push_back(std::move(one));
  }
  if (!place.data.empty()) {
    for (const std::string& kept : kept_for(place.data)) {
      Json one = evidence_in_json(kept);
      if (unhashed_.contains(kept)) one.as_object()["error"] = unhashed_.at(kept);
      evidence.push_back(std::move(one));
    }
  }
  co_return Json(JsonObject{
      {"host", host_}, {"restores", restores}, {"evidence", evidence}, {"looks", looks_.list(order.service)}});
}

Task<Result<Json>> Restores::stop(wire::RestoreStop order) {
  CO_TRY(Place place, place_of(order.service));
  // Who ends one means the very one that the list names.
  std::vector<recovery::KnownCopy> all = known(place, order.service);
  auto exact = std::ranges::find(all, order.name, &recovery::KnownCopy::name);
  std::shared_ptr<Copy> copy;
  if (exact != all.end()) {
    copy = copies_.at(folder_of(place, exact->name).path);
  } else {
    CO_TRY(copy, find(order.service, order.name));
  }
  recovery::RestoreFolder folder = folder_of(place, copy->name);
  if (copy->state == "running") {
    scope_.cancel("restore " + copy->name);
    for (Deadline end = Deadline::after(kCancelledWithin); copy->state == "running" && !end.passed();)
      co_await sleep_for(Duration{20});
    if (copy->state == "running") co_return fail(ErrorKind::timed_out, "the restore does not end");
  }
  if (!order.remove) {
    std::string postgres = postgres_program("postgres");
    if (!postgres.empty() && !recovery::end_server_at(folder.data(), postgres))
      co_return fail(ErrorKind::refused, "its server cannot be ended", "look at its processes");
    co_return Json(JsonObject{{"name", copy->name}, {"removed", false}});
  }
  std::error_code problem;
  bool elsewhere = copy->state == "adopted" && !fs::is_empty(folder.tablespaces(), problem) && !problem;
  if (elsewhere)
    co_return fail(ErrorKind::refused, fmt::format("tablespaces of the member's data are in {}", folder.tablespaces()));
  bool whole = copy->state == "done";
  if (whole) {
    // Half removed it is worth nothing, and nobody is to give its data to a member.
    copy->state = "failed";
    copy->error_kind = to_string(ErrorKind::cancelled);
    copy->error = "it is being removed";
    CO_TRY_VOID(keep(place, *copy));
  }
  auto giving = give_up(place, copy->name, whole);
  if (auto given = co_await std::move(giving); !given) {
    copy->state = given.error().kind == ErrorKind::conflict ? "adopted" : "failed";
    copy->error = given.error().text();
    CO_TRY_VOID(keep(place, *copy));
    co_return std::unexpected(std::move(given).error());
  }
  unlink((folder.path + ".json").c_str());
  copies_.erase(folder.path);
  co_return Json(JsonObject{{"name", copy->name}, {"removed", true}});
}

// A copy whose server ended, with its host most often, replays to its target once more.
Task<Result<>> Restores::make_run(Place place, std::string name, Deadline deadline) {
  if (runs(place, name)) co_return Result<>{};
  recovery::ReplayServer server(folder_of(place, name), postgres_program("postgres"), "postgres");
  CO_TRY_VOID(server.start());
  for (Deadline end = deadline.at_most(kStartsWithin);;) {
    auto looking = server.look(end);
    CO_TRY(auto seen, co_await std::move(looking));
    if (seen && seen->paused) break;
    if (end.passed() || !server.runs())
      co_return fail(ErrorKind::refused, "the copy could not be started again: " + server.last_words());
    co_await sleep_for(Duration{20});
  }
  server.let_go();
  co_return Result<>{};
}

Task<Result<Json>> Restores::query(wire::RestoreQuery order, Deadline deadline) {
  CO_TRY(Place place, place_of(order.service));
  CO_TRY(std::shared_ptr<Copy> copy, find(order.service, order.name));
  if (copy->state != "done")
    co_return fail(ErrorKind::refused, fmt::format("restore '{}' is {}", order.name, copy->state));
  auto starting = make_run(place, copy->name, deadline);
  CO_TRY_VOID(co_await std::move(starting));
  while (!order.sql.empty() && (order.sql.back() == ';' || order.sql.back() == '\n' || order.sql.back() == ' '))
    order.sql.pop_back();
  int64_t rows = std::clamp<int64_t>(order.rows, 1, kRowsMost);
  std::string database = !order.database.empty()   ? order.database
                         : !place.database.empty() ? place.database
                                                   : "postgres";
  std::string options = fmt::format(
      "-c default_transaction_read_only=on -c statement_timeout={} -c lock_timeout=2s -c timezone=UTC "
      "-c datestyle=ISO -c synchronize_seqscans=off {}",
      order.timeout_ms, recovery::kNoLibraries);
  if (order.system_names.value_or(false)) options += " -c search_path=pg_catalog";
  PgParams params{{"host", folder_of(place, copy->name).socket()},
                  {"port", std::to_string(recovery::kPort)},
                  {"dbname", database},
                  {"user", "postgres"},
                  {"options", options}};
  auto connecting = PgConnection::connect(std::move(params), deadline);
  CO_TRY(auto connection, co_await std::move(connecting));
  std::string role = order.as.empty() ? "pg_read_all_data" : order.as;
  // A cursor takes one SELECT and nothing else, and what it does not fetch is not sent.
  for (const std::string& sql : {std::string("BEGIN READ ONLY"), "SET LOCAL ROLE " + sql_name(role),
                                 "DECLARE lifeboat NO SCROLL CURSOR FOR " + order.sql}) {
    auto asking = connection->query(sql, {}, deadline);
    auto asked = co_await std::move(asking);
    if (!asked) co_return std::unexpected(std::move(asked).error().with("the copy " + order.name));
  }
  if (order.skip > 0) {
    auto skipping = connection->query(fmt::format("MOVE FORWARD {} FROM lifeboat", order.skip), {}, deadline);
    CO_TRY_VOID(co_await std::move(skipping));
  }
  JsonArray columns, all;
  size_t bytes = 0;
  bool more = true;
  while (more && bytes < kBytesMost && std::cmp_less(all.size(), rows)) {
    int64_t few = std::min(kRowsAtOnce, rows - static_cast<int64_t>(all.size()));
    auto fetching = connection->query(fmt::format("FETCH FORWARD {} FROM lifeboat", few), {}, deadline);
    CO_TRY(PgRows found, co_await std::move(fetching));
    if (columns.empty()) {
      for (const std::string& column : found.columns) columns.push_back(Json(column));
    }
    for (const auto& row : found.rows) {
      JsonArray values;
      for (const auto& value : row) {
        values.push_back(value ? Json(*value) : Json(nullptr));
        bytes += kBytesBeside + (value ? value->size() : 0);
      }
      all.push_back(std::move(values));
    }
    more = std::cmp_equal(found.rows.size(), few);
  }
  // Whether one comes behind the last that was asked for is not known yet.
  if (more && std::cmp_equal(all.size(), rows)) {
    auto looking = connection->query("FETCH FORWARD 1 FROM lifeboat", {}, deadline);
    CO_TRY(PgRows next, co_await std::move(looking));
    more = !next.rows.empty();
  }
  co_return Json(JsonObject{{"columns", columns}, {"rows", all}, {"more", more}});
}

Task<Result<Json>> Restores::look_at_log(wire::RestoreForensics order, Deadline deadline) {
  Looks::Look look{.service = order.service, .what = "forensics", .order = order.order.value_or("")};
  auto looking = looks_.carry_out(std::move(look), forensics(std::move(order), deadline));
  co_return co_await std::move(looking);
}

Task<Result<Json>> Restores::look_at_copies(wire::RestoreCleanPoint order, Deadline deadline, Progress progress) {
  CO_TRY(Place place, place_of(order.service));
  std::string folder = looks_.free_folder(place.folder);
  Looks::Look look{
      .service = order.service, .what = "clean-point", .order = order.order.value_or(""), .folder = folder};
  auto looking =
      looks_.carry_out(std::move(look), clean_point(std::move(order), folder, deadline, std::move(progress)));
  co_return co_await std::move(looking);
}

Task<Result<Json>> Restores::forensics(wire::RestoreForensics order, Deadline deadline) {
  CO_TRY(Place place, place_of(order.service));
  ForensicsRequest request;
  request.repository = PgBackRest{.config = config(), .stanza = place.stanza, .user = run_as_};
  CO_TRY(request.from, moment_of(order.from));
  CO_TRY(request.to, moment_of(order.to));
  request.usual = Duration{order.usual_ms};
  request.most = static_cast<size_t>(std::clamp<int64_t>(order.most, 1, 10'000));
  if (!place.socket.empty())
    request.catalogs.push_back(fmt::format("host={} port={} user=postgres", place.socket, place.port));
  auto reading = read_log(std::move(request), deadline);
  CO_TRY(forensics::Report report, co_await std::move(reading));
  co_return forensics::to_json(report);
}

Task<Result<Json>> Restores::clean_point(wire::RestoreCleanPoint order, std::string folder, Deadline deadline,
                                         Progress progress) {
  CO_TRY(Place place, place_of(order.service));
  recovery::CleanPointRequest request;
  request.restore.config = config();
  request.restore.stanza = place.stanza;
  request.restore.run_as = run_as_;
  request.restore.folder = std::move(folder);
  CO_TRY(request.from, moment_of(order.from));
  CO_TRY(request.to, moment_of(order.to));
  request.usual = Duration{order.usual_ms};
  request.built_in = {order.indexes, order.pages, order.encrypted};
  for (const wire::CleanCheck& check : order.checks)
    request.checks.push_back({check.name, check.database.empty() ? place.database : check.database, check.sql, 0});
  if (!place.socket.empty())
    request.catalogs.push_back(fmt::format("host={} port={} user=postgres", place.socket, place.port));
  request.on_reason = [progress](const std::string& line) { progress(line); };
  std::error_code ignored;
  fs::create_directories(place.folder, ignored);
  chmod(place.folder.c_str(), 0711);
  auto searching = recovery::find_clean_point(std::move(request), deadline);
  CO_TRY(recovery::CleanPointReport report, co_await std::move(searching));
  co_return recovery::to_json(report);
}

}  // namespace lifeboat
