#include "controller/restores.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actions/postgres_common.hpp"
#include "actions/restore_common.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/target.hpp"
#include "io/clock.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAsk{10'000};
constexpr Duration kClosing{60'000};
constexpr Duration kWorkWithin{24 * 3'600'000};
constexpr Duration kReplaceWithin{3'600'000};

std::string name_by_time() { return fmt::format("at-{:%Y%m%dt%H%M%Sz}", fmt::gmtime(std::time(nullptr))); }

std::string in_words(const std::string& what, const Json& result) {
  if (what != "restore") return what + " has ended";
  std::string out =
      fmt::format("restore {} on {}: last commit {}, {:.1f} s", text_or(result, "name"), text_or(result, "host"),
                  text_or(member(result, "reached"), "time", "unknown"), number_or(result, "seconds"));
  const Json& adopted = member(result, "adopted");
  if (adopted.is_object())
    out += fmt::format("; {} leads with it on timeline {}, evidence {}", text_or(adopted, "member"),
                       int_or(adopted, "timeline"), text_or(adopted, "kept", "none"));
  return out;
}

ActionContext context_of(World& world, Deadline deadline, ProgressLine progress) {
  return {.world = world,
          .run = {},
          .incident = {},
          .step = {},
          .idempotency_key = {},
          .deadline = deadline,
          .progress = std::move(progress)};
}

}  // namespace

Task<Result<Json>> RestoreKeeper::list(std::string service) {
  if (service_as<PostgresService>(world_.plan, service) == nullptr)
    co_return fail(ErrorKind::not_found, fmt::format("there is no database service '{}'", Decoder::printable(service)));
  JsonObject hosts;
  for (const std::string& host : hosts_with_copies(world_, service)) {
    if (!world_.agents.connected(host)) continue;
    wire::RestoreList order{service};
    auto asking = world_.agents.call(host, std::string(wire::RestoreList::kMethod), encode(order),
                                     Deadline::after(kAsk), [](std::string) {});
    auto answer = co_await std::move(asking);
    hosts[host] = answer ? *answer : Json(JsonObject{{"error", answer.error().text()}});
  }
  co_return Json(JsonObject{{"service", service}, {"hosts", hosts}});
}

Result<Json> RestoreKeeper::begin(const std::string& service, const std::string& what, RestoreBody body) {
  if (service_as<PostgresService>(world_.plan, service) == nullptr)
    return fail(ErrorKind::not_found, fmt::format("there is no database service '{}'", Decoder::printable(service)));
  if (body.by.empty()) return fail(ErrorKind::invalid_input, "nobody is named who asks for it", "--by NAME");
  bool known = what == "restore" || what == "stop" || what == "forensics" || what == "clean-point";
  if (!known) return fail(ErrorKind::not_found, fmt::format("copies cannot be told to '{}'", Decoder::printable(what)));
  std::shared_ptr<Job>& job = jobs_[service];
  if (job && job->state == "running")
    return fail(ErrorKind::conflict, fmt::format("{} of {} is under way", job->what, service));
  if (what == "restore") {
    TRY(recovery::RecoveryTarget target, recovery::target_from_json(body.target));
    (void)target;  // the agent reads it again
    if (body.into == "replace" && !body.yes)
      return fail(ErrorKind::refused,
                  fmt::format("everything written to {} behind that point would be given up", service),
                  "say --yes when that is meant");
    if (body.name.empty()) body.name = name_by_time();
  }
  auto fresh = std::make_shared<Job>();
  fresh->number = job ? job->number + 1 : 1;
  fresh->what = what;
  fresh->by = body.by;
  fresh->state = "running";
  job = fresh;
  scope_.spawn(what + " " + service, work(service, what, std::move(body), fresh));
  return Json(JsonObject{{"service", service}, {"number", fresh->number}});
}

Task<> RestoreKeeper::work(std::string service, std::string what, RestoreBody body, std::shared_ptr<Job> job) {
  bool changes = what == "restore" || what == "stop";
  if (changes) {
    auto noting = note(service, what + "-ordered", fmt::format("{} by {}: {} {}", what, body.by, body.into, body.name),
                       encode(body));
    co_await std::move(noting);
  }
  auto doing = carry_out(service, what, body, job);
  auto done = co_await std::move(doing);
  std::string text = done ? in_words(what, *done) : done.error().text();
  if (changes) {
    auto noting = note(service, what + (done ? "-done" : "-failed"), text, done ? *done : Json(nullptr));
    co_await std::move(noting);
  }
  spdlog::info("{}: {} by {}: {}", service, what, body.by, text);
  job->progress = text;
  if (done) {
    job->result = std::move(*done);
    job->state = "done";
    co_return;
  }
  Error error = done.error();
  job->error_kind = to_string(error.kind);
  job->hint = std::exchange(error.hint, {});
  job->error = error.text();
  job->state = "failed";
}

Task<Result<Json>> RestoreKeeper::carry_out(std::string service, std::string what, RestoreBody body,
                                            std::shared_ptr<Job> job) {
  if (what == "restore") {
    auto restoring = restore(std::move(service), std::move(body), std::move(job));
    co_return co_await std::move(restoring);
  }
  if (what == "stop") {
    auto stopping = stop(std::move(service), std::move(body));
    co_return co_await std::move(stopping);
  }
  CO_TRY(recovery::RestorePlace place, restore_place(world_, service, body.on, false));
  auto progress = [job](std::string line) { job->progress = std::move(line); };
  auto closing = close_log(context_of(world_, Deadline::after(kClosing), progress), service);
  auto closed = co_await std::move(closing);
  progress(closed ? closed->text : "only what is archived already is looked at: " + closed.error().text());
  std::string method;
  Json params;
  if (what == "forensics") {
    method = wire::RestoreForensics::kMethod;
    params = encode(wire::RestoreForensics{service, body.from, body.to, body.usual_ms, body.most});
  } else {
    method = wire::RestoreCleanPoint::kMethod;
    params = encode(wire::RestoreCleanPoint{service, body.from, body.to, body.usual_ms, body.checks, body.indexes,
                                            body.pages, body.encrypted});
  }
  auto asking =
      world_.agents.call(place.host, std::move(method), std::move(params), Deadline::after(kWorkWithin), progress);
  CO_TRY(Json found, co_await std::move(asking));
  // A damage that is in no archive yet would be taken for none.
  if (!closed && found.is_object() && member(found, "notes").is_array())
    found.as_object()["notes"].as_array().push_back(
        Json("the newest part of the log is in no archive and was not looked at: " + closed.error().text()));
  co_return found;
}

Task<Result<Json>> RestoreKeeper::restore(std::string service, RestoreBody body, std::shared_ptr<Job> job) {
  bool replaces = body.into == "replace";
  std::string where = replaces ? body.on : body.into == "isolated" ? std::string() : body.into;
  std::string host = where, member;
  // Any host of the plan can make a copy that has the repository's files, the repository's own above all.
  bool only_a_host = !replaces && world_.plan.hosts.contains(where);
  if (!only_a_host) {
    CO_TRY(recovery::RestorePlace place, restore_place(world_, service, where, replaces));
    host = place.host;
    member = place.member;
  }
  auto progress = [job](std::string line) { job->progress = std::move(line); };
  auto closing = close_log(context_of(world_, Deadline::after(kClosing), progress), service);
  auto closed = co_await std::move(closing);
  wire::RestoreBegin order{.service = service,
                           .name = body.name,
                           .target = body.target,
                           .set = body.set,
                           .timeline = body.timeline,
                           .accept_gap = body.accept_gap,
                           .order = fmt::format("{} at {}", body.by, format_wall(wall_now())),
                           .again = body.again};
  take_end_of_log(closed, order, progress);
  auto asking = world_.agents.call(host, std::string(wire::RestoreBegin::kMethod), encode(order),
                                   Deadline::after(kWorkWithin), progress);
  CO_TRY(Json restored, co_await std::move(asking));
  auto keeping =
      keep_timing(context_of(world_, Deadline::after(kAsk), progress), service, timing_of(restored, host, body.by));
  co_await std::move(keeping);
  if (!replaces) co_return restored;
  auto replacing = replace(std::move(service), std::move(member), std::move(host), std::move(restored), std::move(job));
  co_return co_await std::move(replacing);
}

Task<Result<Json>> RestoreKeeper::replace(std::string service, std::string member, std::string host, Json restored,
                                          std::shared_ptr<Job> job) {
  auto progress = [job](std::string line) { job->progress = std::move(line); };
  Deadline deadline = Deadline::after(kReplaceWithin);
  auto moving = world_.databases.put_back(service, member, text_or(restored, "name"), deadline, progress);
  CO_TRY(Json adopted, co_await std::move(moving));
  JsonObject out = restored.as_object();
  out["adopted"] = adopted;
  ActionContext context = context_of(world_, deadline, progress);
  auto hashing = evidence_of(context, host, service, text_or(adopted, "kept"));
  auto evidence = co_await std::move(hashing);
  out["evidence"] = evidence ? *evidence : Json(nullptr);
  auto protecting = world_.databases.reprotect(service, "", true, deadline, progress);
  auto followed = co_await std::move(protecting);
  // Users are served; that the others do not follow yet is a trouble of its own.
  out["standbys"] = followed ? *followed : Json(nullptr);
  if (!followed) out["standbys_error"] = followed.error().text();
  co_return Json(out);
}

Task<Result<Json>> RestoreKeeper::stop(std::string service, RestoreBody body) {
  std::string host = body.on;
  auto listing = list(service);
  CO_TRY(Json listed, co_await std::move(listing));
  const Json& hosts = member(listed, "hosts");
  for (const auto& [name, answer] : hosts.is_object() ? hosts.get_object() : JsonObject{}) {
    const Json& restores = member(answer, "restores");
    for (const Json& one : restores.is_array() ? restores.get_array() : JsonArray{}) {
      if (host.empty() && text_or(one, "name") == body.name) host = std::string(name);
    }
  }
  if (host.empty())
    co_return fail(ErrorKind::not_found, fmt::format("no host that can be asked has a restore '{}'", body.name));
  wire::RestoreStop order{service, body.name, body.remove};
  auto asking = world_.agents.call(host, std::string(wire::RestoreStop::kMethod), encode(order),
                                   Deadline::after(kAsk * 6), [](std::string) {});
  co_return co_await std::move(asking);
}

Json RestoreKeeper::job(const std::string& service) const {
  auto found = jobs_.find(service);
  if (found == jobs_.end() || !found->second) return nullptr;
  const Job& job = *found->second;
  return JsonObject{{"number", job.number},         {"what", job.what},         {"by", job.by},
                    {"state", job.state},           {"progress", job.progress}, {"result", job.result},
                    {"error_kind", job.error_kind}, {"error", job.error},       {"hint", job.hint}};
}

Task<> RestoreKeeper::note(std::string service, std::string kind, std::string text, Json data) {
  JsonObject body{{"text", text}, {"boot_ns", boot_now().time_since_epoch().count()}, {"data", std::move(data)}};
  std::vector<NewEvent> events{{"restores/" + service, std::move(kind), std::move(body)}};
  auto written = co_await store_.append(std::move(events));
  if (!written) spdlog::warn("{} does not stand in the journal: {}", text, written.error().text());
}

}  // namespace lifeboat
