#include "controller/backups.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/protocol.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {
namespace {

constexpr Duration kTick{500};
constexpr Duration kFresh{5'000};
constexpr Duration kPrepareWithin{120'000};
constexpr Duration kListWithin{60'000};
constexpr Duration kWorkWithin{24 * 3'600'000};
constexpr std::string_view kSchedule = "the schedule";

WallTime wall_of(Moment at) { return std::chrono::floor<std::chrono::milliseconds>(at); }

std::string bytes_in_words(double bytes) {
  for (const char* unit : {"B", "kB", "MB", "GB"}) {
    if (bytes < 1000) return fmt::format("{:.{}f} {}", bytes, bytes < 10 && *unit != 'B' ? 1 : 0, unit);
    bytes /= 1000;
  }
  return fmt::format("{:.1f} TB", bytes);
}

// What of an order's outcome a person reads in the journal.
std::string in_words(const std::string& method, const Json& result) {
  std::string out;
  const Json& second = member(result, "second");
  if (method == wire::BackupTake::kMethod) {
    for (const Json* from : {&result, &second}) {
      const Json& sets = member(*from, "sets");
      for (const Json& set : sets.is_array() ? sets.get_array() : JsonArray{}) {
        out += fmt::format("{}{} backup {}{}: {} of data, {} stored", out.empty() ? "" : "; ", text_or(set, "type"),
                           text_or(set, "label"), from == &second ? " in repository 2" : "",
                           bytes_in_words(number_or(set, "bytes")),
                           bytes_in_words(number_or(set, "repository_copied_bytes")));
      }
    }
    out += fmt::format("{}{:.1f} s", out.empty() ? "" : ", ", number_or(result, "seconds"));
  }
  if (method == wire::BackupVerify::kMethod) {
    const Json& problems = member(result, "problems");
    out = bool_or(result, "whole")
              ? fmt::format("every file is as it was written, {:.1f} s", number_or(result, "seconds"))
              : fmt::format("DAMAGED: {} findings", problems.is_array() ? problems.get_array().size() : 0);
  }
  std::string gone;
  for (const Json* from : {&result, &second}) {
    const Json& expired = member(*from, "expired");
    for (const Json& label : expired.is_array() ? expired.get_array() : JsonArray{}) {
      if (label.is_string())
        gone += fmt::format(" {}{}", std::string_view(label.get_string()), from == &second ? " in repository 2" : "");
    }
  }
  if (!gone.empty()) {
    out += (out.empty() ? "expired" : "; expired") + gone;
  } else if (method == wire::BackupExpire::kMethod && text_or(result, "held").empty()) {
    out = "nothing is old enough to be expired";
  }
  if (!text_or(result, "held").empty())
    out += fmt::format("{}nothing is expired: {}", out.empty() ? "" : "; ", text_or(result, "held"));
  if (!text_or(second, "problem").empty())
    out += fmt::format("{}NOT AS IT SHOULD BE: {}", out.empty() ? "" : "; ", text_or(second, "problem"));
  return out;
}

std::string kind_of(const std::string& method, bool done) {
  if (method == wire::BackupTake::kMethod) return done ? "backup-taken" : "backup-failed";
  if (method == wire::BackupVerify::kMethod) return done ? "backups-verified" : "backup-verify-failed";
  return done ? "backups-expired" : "backup-expire-failed";
}

}  // namespace

BackupKeeper::BackupKeeper(Store& store, const Plan& plan, AgentHub& hub, Databases& databases, Scope& scope)
    : store_(store), plan_(plan), hub_(hub), databases_(databases), scope_(scope) {
  for (const auto& [name, service] : plan_.services) {
    const auto* postgres = std::get_if<PostgresService>(&service);
    const Backups* backups = postgres == nullptr ? nullptr : kept_backups(*postgres);
    if (backups == nullptr) continue;
    Kept& kept = kept_[name];
    kept.plan = postgres;
    kept.backups = backups;
    // The plan was checked: its words are known.
    if (auto schedule = backup::parse_schedule(backups->schedule)) kept.schedule = *schedule;
  }
}

Task<Result<>> BackupKeeper::start() {
  if (!kept_.empty()) scope_.spawn("backups", tick());
  co_return Result<>{};
}

void BackupKeeper::agent_said(const std::string& host, const std::string& type, const Json& message) {
  if (type != wire::Report::kType || kept_.empty()) return;
  for (auto& [service, kept] : kept_) {
    const Json& archive = member(member(message, "archives"), service);
    bool ours = std::ranges::any_of(kept.plan->members, [&](const auto& one) { return one.second.host.text == host; });
    if (archive.is_object() && ours) {
      if (auto report = decode<wire::ArchiveReport>(archive)) kept.archives[host] = {std::move(*report), boot_now()};
    }
    const Json& repository = member(member(message, "repositories"), service);
    if (!repository.is_object() || kept.backups->repository_host->text != host) continue;
    auto report = decode<wire::RepositoryReport>(repository);
    if (!report) continue;
    kept.situation.report = std::move(*report);
    kept.reported = boot_now();
  }
}

void BackupKeeper::agent_lost(const std::string& host) {
  for (auto& [service, kept] : kept_) {
    kept.archives.erase(host);
    if (kept.backups->repository_host->text != host) continue;
    // Its next one may be another machine, or the same with another disk.
    kept.situation.prepared = kept.situation.listed = false;
    kept.reported = {};
  }
}

std::vector<std::string> BackupKeeper::services() const {
  std::vector<std::string> out;
  for (const auto& [service, kept] : kept_) out.push_back(service);
  return out;
}

Result<BackupKeeper::Kept*> BackupKeeper::find(const std::string& service) {
  auto found = kept_.find(service);
  if (found != kept_.end()) return &found->second;
  return fail(ErrorKind::not_found, fmt::format("Lifeboat keeps no backups of '{}'", Decoder::printable(service)),
              "a postgres service with backups: {tool: pgbackrest, repository_host: …, repository_path: …} has them");
}

const wire::ArchiveReport* BackupKeeper::archive_of(const Kept& kept, const std::string& member) const {
  const PostgresMember* settings = kept.plan->members.find(member);
  auto found = settings == nullptr ? kept.archives.end() : kept.archives.find(settings->host.text);
  bool fresh = found != kept.archives.end() && boot_now() - found->second.second < kFresh;
  return fresh ? &found->second.first : nullptr;
}

backup::Situation BackupKeeper::situation_of(const std::string& service) const {
  const Kept& kept = kept_.at(service);
  backup::Situation out = kept.situation;
  out.connected = kept.reported != MonoTime{} && boot_now() - kept.reported < kFresh;
  auto view = databases_.view(service);
  out.primary_known = view && view->writable && view->busy.empty() && archive_of(kept, view->holder) != nullptr;
  out.ordered = kept.job.state == "running" || kept.situation.ordered;
  out.archiving = kept.archiving.trouble();
  out.since_last = kept.last_order == MonoTime{} ? Duration{1'000'000'000} : to_duration(boot_now() - kept.last_order);
  return out;
}

backup::Loss BackupKeeper::loss_of(const std::string& service) const {
  const Kept& kept = kept_.at(service);
  auto view = databases_.view(service);
  const wire::ArchiveReport* archive = view ? archive_of(kept, view->holder) : nullptr;
  return backup::loss_now(archive, kept.backups->stream);
}

std::string BackupKeeper::trouble(const std::string& service) const {
  auto found = kept_.find(service);
  if (found == kept_.end()) return {};
  return backup::trouble(found->second.schedule, situation_of(service), loss_of(service), plan_.objectives.rpo,
                         wall_now());
}

Json BackupKeeper::status(const std::string& service) const {
  auto found = kept_.find(service);
  if (found == kept_.end()) return nullptr;
  const Kept& kept = found->second;
  backup::Situation now = situation_of(service);
  backup::Loss loss = loss_of(service);
  auto view = databases_.view(service);
  const wire::ArchiveReport* archive = view ? archive_of(kept, view->holder) : nullptr;
  const wire::RepositoryReport& report = now.report;
  return JsonObject{{"repository", kept.backups->repository_host->text},
                    {"connected", now.connected},
                    {"ready", report.ready},
                    {"problem", archive != nullptr && report.problem.empty() ? archive->problem : report.problem},
                    {"busy", report.busy},
                    {"backups", report.backups},
                    {"newest", report.newest},
                    {"newest_at", report.newest_at},
                    {"oldest_at", report.oldest_at},
                    {"restorable_to", report.restorable_to},
                    {"newest_wal", report.newest_wal},
                    {"gap", report.gap},
                    {"held", report.held},
                    {"guarded", report.guarded},
                    {"second", report.second},
                    {"noticed", report.noticed},
                    {"stream", report.streams_from},
                    {"archive_waiting", archive == nullptr ? -1 : archive->waiting},
                    {"archive_lag_ms", archive == nullptr ? -1 : archive->waiting_ms},
                    {"archive_failed", archive == nullptr ? "" : archive->failed},
                    {"unread", report.unread},
                    {"unfilled", report.unfilled},
                    {"stream_bytes", archive == nullptr ? -1 : archive->stream_bytes},
                    {"loss_ms", loss.time ? loss.time->count() : -1},
                    {"loss", loss.reason},
                    {"rpo_ms", plan_.objectives.rpo.count()},
                    {"trouble", trouble(service)}};
}

Result<std::pair<std::vector<wire::BackupSource>, bool>> BackupKeeper::sources_of(const std::string& service) {
  TRY(Kept * kept, find(service));
  TRY(DatabaseView view, databases_.view(service));
  if (!view.writable) return fail(ErrorKind::refused, fmt::format("nobody takes writes of {} now", service));
  auto source = [&](const std::string& member) -> std::optional<wire::BackupSource> {
    const wire::ArchiveReport* archive = archive_of(*kept, member);
    const PostgresMember* settings = kept->plan->members.find(member);
    if (archive == nullptr || settings == nullptr) return std::nullopt;
    return wire::BackupSource{settings->host.text, address_of(plan_, settings->host.text), settings->port,
                              archive->data, archive->socket};
  };
  auto primary = source(view.holder);
  if (!primary)
    return fail(ErrorKind::unreachable, fmt::format("the agent of {} has not said where its files are", view.holder));
  std::vector<wire::BackupSource> out{*primary};
  // The one that is least behind; its host does the reading, so the primary is left alone.
  const MemberView* best = nullptr;
  for (const MemberView& one : view.members) {
    if (one.member == view.holder || !one.connected || !one.report.streaming || !source(one.member)) continue;
    if (best == nullptr || one.report.replayed > best->report.replayed) best = &one;
  }
  if (best != nullptr) out.push_back(*source(best->member));
  return std::pair{std::move(out), best != nullptr};
}

Task<> BackupKeeper::tick() {
  while (true) {
    co_await sleep_for(kTick);
    for (auto& [service, kept] : kept_) {
      const wire::RepositoryReport& report = kept.situation.report;
      if (auto view = databases_.view(service); view && view->writable)
        kept.archiving.observe(view->holder, archive_of(kept, view->holder), plan_.objectives.rpo, boot_now());
      if (report.newest != kept.listed_as) kept.situation.listed = false;
      if (!report.noticed.empty() && report.noticed != kept.noticed) {
        kept.noticed = report.noticed;
        scope_.spawn("note", note(service, "repository-tampered", report.noticed, nullptr));
      }
      if (report.held != kept.held) {
        kept.held = report.held;
        if (!report.held.empty())
          scope_.spawn("note", note(service, "backups-held", "nothing is expired: " + report.held, nullptr));
      }
      backup::Duty duty = backup::next_duty(kept.schedule, situation_of(service), wall_now());
      if (duty.what == backup::Duty::What::prepare) {
        kept.situation.ordered = true;
        scope_.spawn("stanza of " + service, prepare(service));
      } else if (duty.what == backup::Duty::What::list) {
        kept.situation.ordered = true;
        scope_.spawn("list of " + service, read_list(service));
      } else if (duty.what == backup::Duty::What::take) {
        auto started = start_work(service, "take", duty.due.type, std::string(kSchedule), "");
        if (!started) {
          kept.last_order = boot_now();
          backup::order_ended(kept.situation, duty.what, started.error().text());
        }
      }
    }
  }
}

Task<> BackupKeeper::prepare(std::string service) {
  Kept& kept = kept_.at(service);
  kept.last_order = boot_now();
  auto sources = sources_of(service);
  Result<Json> done = fail(ErrorKind::refused, "");
  if (!sources) {
    done = std::unexpected(sources.error());
  } else {
    wire::BackupStanza order{service, std::move(sources->first)};
    auto asking = hub_.call(kept.backups->repository_host->text, std::string(wire::BackupStanza::kMethod),
                            encode(order), Deadline::after(kPrepareWithin), [](std::string) {});
    done = co_await std::move(asking);
  }
  kept.situation.ordered = false;
  kept.situation.prepared = done.has_value();
  backup::order_ended(kept.situation, backup::Duty::What::prepare, done ? "" : done.error().text());
  if (!done) spdlog::warn("the stanza of {} is not ready: {}", service, done.error().text());
}

Task<> BackupKeeper::read_list(std::string service) {
  auto listing = list(service);
  auto listed = co_await std::move(listing);
  Kept& kept = kept_.at(service);
  kept.situation.ordered = false;
  backup::order_ended(kept.situation, backup::Duty::What::list, listed ? "" : listed.error().text());
  if (!listed) {
    kept.last_order = boot_now();
    spdlog::warn("the backups of {} cannot be listed: {}", service, listed.error().text());
  }
}

Task<Result<Json>> BackupKeeper::list(std::string service) {
  CO_TRY(Kept * kept, find(service));
  wire::BackupInfo order{service};
  auto asking = hub_.call(kept->backups->repository_host->text, std::string(wire::BackupInfo::kMethod), encode(order),
                          Deadline::after(kListWithin), [](std::string) {});
  CO_TRY(Json answer, co_await std::move(asking));
  std::vector<backup::Taken> taken;
  const Json& sets = member(answer, "sets");
  for (const Json& one : sets.is_array() ? sets.get_array() : JsonArray{}) {
    auto set = decode<recovery::BackupSet>(one);
    if (set) taken.push_back({set->type, wall_of(set->stopped)});
  }
  kept->situation.taken = std::move(taken);
  kept->situation.listed = true;
  kept->listed_as = text_or(member(answer, "report"), "newest");
  Json out = std::move(answer);
  out.as_object()["service"] = service;
  out.as_object()["status"] = status(service);
  co_return out;
}

Result<Json> BackupKeeper::begin(const std::string& service, const std::string& what, recovery::BackupType type,
                                 const std::string& by, const std::string& looked_at) {
  TRY(Kept * kept, find(service));
  if (by.empty()) return fail(ErrorKind::invalid_input, "nobody is named who orders it", "--by NAME");
  TRY_VOID(start_work(service, what, type, by, looked_at));
  return Json(JsonObject{{"service", service}, {"number", kept->job.number}});
}

Result<> BackupKeeper::start_work(const std::string& service, const std::string& what, recovery::BackupType type,
                                  const std::string& by, const std::string& looked_at) {
  TRY(Kept * kept, find(service));
  if (kept->job.state == "running")
    return fail(ErrorKind::conflict, fmt::format("{} of {} is under way", kept->job.what, service));
  std::string method;
  Json params;
  if (what == "take") {
    TRY(auto sources, sources_of(service));
    method = wire::BackupTake::kMethod;
    params = encode(wire::BackupTake{service, type, sources.second, 1, std::move(sources.first)});
  } else if (what == "verify") {
    method = wire::BackupVerify::kMethod;
    params = encode(wire::BackupVerify{service});
  } else if (what == "expire") {
    method = wire::BackupExpire::kMethod;
    params = encode(wire::BackupExpire{service, looked_at, by});
  } else {
    return fail(ErrorKind::not_found, fmt::format("backups cannot be told to '{}'", Decoder::printable(what)));
  }
  Job& job = kept->job;
  job = {job.number + 1, what == "take" ? enum_name(type) + " backup" : what, by, "running", "", "", "", nullptr};
  kept->last_order = boot_now();
  scope_.spawn(what + " " + service, work(service, std::move(method), std::move(params)));
  return {};
}

Task<> BackupKeeper::work(std::string service, std::string method, Json params) {
  Kept& kept = kept_.at(service);
  auto asking = hub_.call(kept.backups->repository_host->text, method, std::move(params), Deadline::after(kWorkWithin),
                          [this, service](std::string line) { kept_.at(service).job.progress = std::move(line); });
  auto done = co_await std::move(asking);
  std::string text = done ? in_words(method, *done) : done.error().text();
  auto noting = note(service, kind_of(method, done.has_value()),
                     fmt::format("{} by {}: {}", kept.job.what, kept.job.by, text), done ? *done : Json(nullptr));
  co_await std::move(noting);
  spdlog::info("{}: {} by {}: {}", service, kept.job.what, kept.job.by, text);
  kept.situation.listed = false;
  using enum backup::Duty::What;
  // Somebody else's order is no failure: when it has ended the next one is looked at.
  bool counts = done || done.error().kind != ErrorKind::conflict;
  if (counts)
    backup::order_ended(kept.situation, method == wire::BackupTake::kMethod ? take : nothing,
                        done ? "" : done.error().text());
  kept.last_order = boot_now();
  kept.job.progress = text;
  kept.job.state = done ? "done" : "failed";
  if (done) {
    kept.job.result = std::move(*done);
  } else {
    Error error = done.error();
    kept.job.hint = std::exchange(error.hint, {});
    kept.job.error = error.text();
  }
}

Json BackupKeeper::job(const std::string& service) const {
  auto found = kept_.find(service);
  if (found == kept_.end() || found->second.job.number == 0) return nullptr;
  const Job& job = found->second.job;
  return JsonObject{{"number", job.number},     {"what", job.what},     {"by", job.by},       {"state", job.state},
                    {"progress", job.progress}, {"result", job.result}, {"error", job.error}, {"hint", job.hint}};
}

Task<> BackupKeeper::note(std::string service, std::string kind, std::string text, Json data) {
  JsonObject body{{"text", text}, {"boot_ns", boot_now().time_since_epoch().count()}, {"data", std::move(data)}};
  std::vector<NewEvent> events{{"backups/" + service, std::move(kind), std::move(body)}};
  auto written = co_await store_.append(std::move(events));
  if (!written) spdlog::warn("{} does not stand in the journal: {}", text, written.error().text());
}

}  // namespace lifeboat
