#include "actions/restore_common.hpp"

#include <algorithm>

#include "actions/postgres_common.hpp"
#include "actions/registry.hpp"
#include "core/backup/messages.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/copies.hpp"
#include "io/clock.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAsk{10'000};
constexpr Duration kEvidenceWithin{300'000};
constexpr Duration kCloseWithin{60'000};
constexpr Duration kListWithin{60'000};

Task<Result<Json>> list_of(ActionContext context, std::string host, std::string service) {
  wire::RestoreList order{service};
  auto asking = context.world.agents.call(host, std::string(wire::RestoreList::kMethod), encode(order),
                                          context.deadline.at_most(kAsk), [](std::string) {});
  co_return co_await std::move(asking);
}

Json one_of(const Json& list, std::string_view key, std::string_view name) {
  if (list.is_array()) {
    for (const Json& one : list.get_array()) {
      if (text_or(one, key) == name) return one;
    }
  }
  return nullptr;
}

std::string run_mark(const ActionContext& context) {
  return fmt::format("{} of {}, ", context.run, format_wall(context.run_opened));
}

}  // namespace

std::vector<recovery::RestorePlace> restore_places(World& world, const std::string& service) {
  std::vector<recovery::RestorePlace> out;
  const auto* database = service_as<PostgresService>(world.plan, service);
  if (database == nullptr) return out;
  auto view = world.databases.view(service);
  for (const auto& [name, settings] : database->members) {
    recovery::RestorePlace place{.member = name,
                                 .host = settings.host.text,
                                 .region = region_of(world.plan, settings.host.text),
                                 .connected = world.agents.connected(settings.host.text),
                                 .candidate = settings.candidate};
    if (view) {
      const MemberView* seen = member_of(*view, name);
      place.holder = view->holder == name;
      place.streams = seen != nullptr && seen->report.streaming;
    }
    out.push_back(std::move(place));
  }
  return out;
}

std::vector<std::string> hosts_with_copies(World& world, const std::string& service) {
  std::vector<std::string> out;
  const auto* database = service_as<PostgresService>(world.plan, service);
  if (database == nullptr) return out;
  auto add = [&](const std::string& host) {
    if (std::ranges::find(out, host) == out.end()) out.push_back(host);
  };
  for (const auto& [name, settings] : database->members) add(settings.host.text);
  if (database->backups && database->backups->repository_host) add(database->backups->repository_host->text);
  return out;
}

Result<recovery::RestorePlace> restore_place(World& world, const std::string& service, const std::string& where,
                                             bool to_lead) {
  return recovery::choose_place(restore_places(world, service), where, to_lead);
}

std::string order_of(const ActionContext& context) {
  return context.run.empty() ? "" : run_mark(context) + context.step;
}

bool is_of_this_run(const ActionContext& context, const Json& copy) {
  return !context.run.empty() && text_or(member(copy, "wish"), "order").starts_with(run_mark(context));
}

Task<Result<ClosedLog>> close_log(ActionContext context, std::string service) {
  World& world = context.world;
  const auto* database = service_as<PostgresService>(world.plan, service);
  if (database == nullptr || !database->backups)
    co_return fail(ErrorKind::refused, fmt::format("the plan has no backups of '{}'", service));
  CO_TRY(DatabaseView view, world.databases.view(service));
  std::vector<recovery::LogWriter> members;
  for (const auto& [name, settings] : database->members) {
    recovery::LogWriter one{.member = name, .host = settings.host.text};
    if (const MemberView* seen = member_of(view, name)) {
      one.connected = seen->connected;
      one.writes = view.writable && view.holder == name;
      one.report = seen->report;
    }
    members.push_back(std::move(one));
  }
  const auto& repository = database->backups->repository_host;
  CO_TRY(recovery::LogEnd end, recovery::who_ends_the_log(members, repository ? repository->text : ""));
  bool by_member = !end.member.empty();
  std::string method(by_member ? wire::LogClose::kMethod : wire::BackupCloseLog::kMethod);
  Json order = by_member ? encode(wire::LogClose{service}) : encode(wire::BackupCloseLog{service});
  auto asking = world.agents.call(end.host, std::move(method), std::move(order), context.deadline.at_most(kCloseWithin),
                                  [](std::string) {});
  CO_TRY(Json done, co_await std::move(asking));
  if (by_member)
    co_return ClosedLog{fmt::format("{} has archived its log up to {}", end.member, text_or(done, "segment")), {}};
  const Json& archived = lifeboat::member(done, "archived");
  size_t count = archived.is_array() ? archived.get_array().size() : 0;
  ClosedLog out{fmt::format("{} has archived {} segments of what it was sent", end.host, count), {}};
  const Json& unfinished = lifeboat::member(done, "unfinished");
  if (unfinished.is_object())
    out.unfinished = {text_or(unfinished, "segment"),
                      ScalarText<Lsn>::parse(text_or(unfinished, "last_record")).value_or(Lsn{})};
  co_return out;
}

void take_end_of_log(const Result<ClosedLog>& closed, wire::RestoreBegin& order, const ProgressLine& progress) {
  progress(closed ? closed->text : "only what is archived already can be restored: " + closed.error().text());
  auto target = recovery::target_from_json(order.target);
  if (target && recovery::may_lack_the_newest(*target, closed.has_value())) {
    Error why = closed.error();
    why.hint.clear();
    order.log_not_closed = why.text();
  }
  if (!closed || !closed->unfinished) return;
  order.unfinished = closed->unfinished->name;
  order.last_record = closed->unfinished->last_record;
}

Result<> check_repository(const Plan& plan, const std::string& service, int64_t number) {
  const auto* database = service_as<PostgresService>(plan, service);
  bool has_second = database != nullptr && database->backups && database->backups->second;
  if (number >= 0 && number <= (has_second ? 2 : 1)) return {};
  return fail(ErrorKind::invalid_input, fmt::format("{} has no repository {}", service, number),
              has_second ? "1 or 2" : "the plan has one: leave it out");
}

Task<Result<Outcome>> check_copy(ActionContext context, std::string service, std::string name) {
  Json with = JsonObject{{"service", service}, {"restored", name}, {"within", "6h"}};
  CO_TRY(std::unique_ptr<Action> check, validate_database_action().make(with));
  auto checking = check->apply(std::move(context));
  co_return co_await std::move(checking);
}

Task<Result<Json>> find_copy(ActionContext context, std::string host, std::string service, std::string name) {
  auto listing = list_of(std::move(context), std::move(host), std::move(service));
  CO_TRY(Json listed, co_await std::move(listing));
  const Json& restores = member(listed, "restores");
  std::vector<recovery::KnownCopy> copies;
  for (const Json& one : restores.is_array() ? restores.get_array() : JsonArray{})
    copies.push_back(recovery::known_copy(one));
  const recovery::KnownCopy* called = recovery::copy_called(copies, name);
  if (called == nullptr) co_return Json(nullptr);
  co_return one_of(restores, "name", called->name);
}

Task<Result<std::vector<recovery::BackupSet>>> backup_sets(ActionContext context, std::string service) {
  const auto* database = service_as<PostgresService>(context.world.plan, service);
  const Backups* backups = database == nullptr ? nullptr : kept_backups(*database);
  if (backups == nullptr) co_return fail(ErrorKind::refused, fmt::format("Lifeboat keeps no backups of '{}'", service));
  wire::BackupInfo order{service};
  auto asking = context.world.agents.call(backups->repository_host->text, std::string(wire::BackupInfo::kMethod),
                                          encode(order), context.deadline.at_most(kListWithin), [](std::string) {});
  CO_TRY(Json answer, co_await std::move(asking));
  auto sets = decode<std::vector<recovery::BackupSet>>(member(answer, "sets"));
  if (!sets) co_return std::unexpected(to_error(sets.error(), "the list of backups does not fit"));
  co_return std::move(*sets);
}

recovery::RestoreTiming timing_of(const Json& restored, const std::string& host, const std::string& by) {
  return {.at = std::chrono::floor<std::chrono::seconds>(wall_now()),
          .backup = text_or(restored, "backup"),
          .host = host,
          .target = text_or(member(restored, "target"), "kind"),
          .by = by,
          .bytes = static_cast<uint64_t>(std::max<int64_t>(0, int_or(restored, "bytes"))),
          .seconds = number_or(restored, "seconds"),
          .copy_seconds = number_or(restored, "copy_seconds"),
          .replay_seconds = number_or(restored, "replay_seconds")};
}

Task<> keep_timing(ActionContext context, std::string service, recovery::RestoreTiming timing) {
  auto writing = context.world.restore_times.measured(std::move(service), std::move(timing));
  auto written = co_await std::move(writing);
  if (!written) context.progress("how long it took does not stand in the journal: " + written.error().text());
}

Task<Result<Json>> evidence_of(ActionContext context, std::string host, std::string service, std::string kept) {
  if (kept.empty()) co_return Json(nullptr);
  std::string said;
  for (Deadline end = context.deadline.at_most(kEvidenceWithin);;) {
    auto listing = list_of(context, host, service);
    CO_TRY(Json listed, co_await std::move(listing));
    Json found = one_of(member(listed, "evidence"), "kept", kept);
    if (bool_or(found, "done") || !text_or(found, "error").empty() || end.passed()) co_return found;
    if (said.empty()) context.progress(said = "hashes what is kept as evidence");
    co_await sleep_for(Duration{500});
  }
}

}  // namespace lifeboat
