#include "controller/dumps.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actions/dump_common.hpp"
#include "core/backup/schedule.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

constexpr Duration kTick{1'000};
constexpr Duration kListWithin{120'000};
constexpr Duration kTakeWithin{12 * 3'600'000};
// People take some, too, and remove some.
constexpr Duration kListedAnew{600'000};

}  // namespace

DumpKeeper::DumpKeeper(Store& store, World& world, Scope& scope) : store_(store), world_(world), scope_(scope) {
  if (world_.drill) return;
  for (const auto& [name, service] : world_.plan.services) {
    const auto* postgres = std::get_if<PostgresService>(&service);
    if (postgres == nullptr || !postgres->backups || !postgres->backups->dumps) continue;
    Kept& kept = kept_[name];
    kept.dumps = &*postgres->backups->dumps;
    kept.database = postgres->database;
    // The plan was checked: its word is known.
    kept.every = backup::parse_every(kept.dumps->every).value_or(std::chrono::hours(24));
  }
}

void DumpKeeper::start() {
  if (!kept_.empty()) scope_.spawn("logical backups", tick());
}

std::vector<std::string> DumpKeeper::services() const {
  std::vector<std::string> out;
  for (const auto& [service, kept] : kept_) out.push_back(service);
  return out;
}

DumpSituation DumpKeeper::situation_of(const std::string& service) const {
  const Kept& kept = kept_.at(service);
  DumpSituation out = kept.situation;
  auto view = world_.databases.view(service);
  out.server = view && view->writable;
  out.ordered = !kept.busy.empty();
  out.since_last = kept.last_try == MonoTime{} ? Duration{1'000'000'000} : to_duration(boot_now() - kept.last_try);
  return out;
}

std::string DumpKeeper::trouble(const std::string& service) const {
  auto found = kept_.find(service);
  if (found == kept_.end()) return {};
  return dump_trouble(found->second.every, situation_of(service), wall_now());
}

Json DumpKeeper::status(const std::string& service) const {
  auto found = kept_.find(service);
  if (found == kept_.end()) return nullptr;
  const Kept& kept = found->second;
  const DumpSituation& known = kept.situation;
  JsonObject out{{"place", kept.dumps->to},
                 {"every_ms", kept.every.count()},
                 {"count", known.listed ? static_cast<int64_t>(kept.count) : -1},
                 {"newest", kept.newest.path},
                 {"newest_at", known.newest ? format_wall(*known.newest) : ""},
                 {"newest_bytes", kept.newest.bytes},
                 {"next_at", ""},
                 {"busy", kept.busy},
                 {"trouble", trouble(service)}};
  if (known.listed) out["next_at"] = format_wall(next_dump_at(kept.every, known.newest, wall_now()));
  return out;
}

Task<> DumpKeeper::tick() {
  while (true) {
    co_await sleep_for(kTick);
    for (auto& [service, kept] : kept_) {
      if (kept.busy.empty() && boot_now() - kept.listed_at > kListedAnew) kept.situation.stale = true;
      DumpDuty duty = next_dump_duty(kept.every, situation_of(service), wall_now());
      if (duty == DumpDuty::nothing) continue;
      kept.busy = duty == DumpDuty::list ? "looks at what is there" : "a dump is taken";
      kept.last_try = boot_now();
      scope_.spawn("logical backups of " + service, duty == DumpDuty::list ? list(service) : take(service));
    }
  }
}

Task<> DumpKeeper::list(std::string service) {
  Kept& kept = kept_.at(service);
  Result<std::vector<LogicalBackup>> listed = fail(ErrorKind::internal, "");
  auto place = open_dump_place(world_, *kept.dumps);
  if (!place) {
    listed = std::unexpected(std::move(place).error());
  } else {
    auto listing = list_dumps(place->get(), Deadline::after(kListWithin));
    listed = co_await std::move(listing);
  }
  kept.busy.clear();
  if (!listed) co_return failed(service, true, listed.error());
  if (kept.list_failed) {
    kept.list_failed = false;
    kept.situation.problem.clear();
    kept.situation.failures = 0;
  }
  kept.count = 0;
  kept.newest = {};
  for (const LogicalBackup& one : *listed) {
    if (one.database != kept.database || !one.checksum || one.at > wall_now()) continue;
    ++kept.count;
    kept.newest = one;
  }
  kept.situation.newest = kept.count > 0 ? std::optional(kept.newest.at) : std::nullopt;
  kept.situation.listed = true;
  kept.situation.stale = false;
  kept.listed_at = boot_now();
}

Task<> DumpKeeper::take(std::string service) {
  Kept& kept = kept_.at(service);
  WallTime now = wall_now();
  DumpWish wish{
      .asked = {.service = {service}}, .dumps = *kept.dumps, .order = "the schedule, " + format_wall(now), .from = now};
  auto taking = dump_service(&world_, std::move(wish), Deadline::after(kTakeWithin), [&kept](LogicalProgress at) {
    if (at.bytes > 0) kept.busy = fmt::format("a dump is taken: {}", megabytes(at.bytes));
  });
  auto taken = co_await std::move(taking);
  std::string text = taken ? in_words(*taken, kept.dumps->to) : taken.error().text();
  Json data = taken ? Json(in_json(*taken, kept.dumps->to)) : Json(nullptr);
  auto noting = note(service, taken ? "dump-taken" : "dump-failed",
                     fmt::format("logical backup by the schedule: {}", text), std::move(data));
  co_await std::move(noting);
  kept.busy.clear();
  kept.last_try = boot_now();
  if (!taken) co_return failed(service, false, taken.error());
  spdlog::info("{}: logical backup {}", service, text);
  kept.situation.problem.clear();
  kept.situation.failures = 0;
  kept.situation.stale = true;
}

void DumpKeeper::failed(const std::string& service, bool listing, const Error& error) {
  Kept& kept = kept_.at(service);
  kept.list_failed = listing;
  kept.situation.problem = world_.secrets.redact(error.text());
  ++kept.situation.failures;
  spdlog::warn("{}: {} failed: {}", service, listing ? "the look at its logical backups" : "its logical backup",
               kept.situation.problem);
}

Task<> DumpKeeper::note(std::string service, std::string kind, std::string text, Json data) {
  JsonObject body{{"text", text}, {"boot_ns", boot_now().time_since_epoch().count()}, {"data", std::move(data)}};
  std::vector<NewEvent> events{{"backups/" + service, std::move(kind), std::move(body)}};
  auto writing = store_.append(std::move(events));
  auto written = co_await std::move(writing);
  if (!written) spdlog::warn("{} does not stand in the journal: {}", text, written.error().text());
}

}  // namespace lifeboat
