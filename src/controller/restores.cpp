#include "controller/restores.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

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
// Processes are ended at once; the files of a large copy take a while to remove.
constexpr Duration kEnding{600'000};
constexpr Duration kLookEvery{20};
constexpr Duration kToAnswer{60'000};
constexpr size_t kRemembered = 20;
constexpr std::string_view kRunning = "running";
constexpr std::string_view kReplace = "replace";

Duration within_of(const RestoreBody& body) { return body.within_ms == 0 ? kWorkWithin : Duration{body.within_ms}; }

std::string name_by_time() { return fmt::format("at-{:%Y%m%dt%H%M%Sz}", fmt::gmtime(std::time(nullptr))); }

std::string in_words(const std::string& what, const Json& result) {
  if (what != "restore" && what != "adopt") return what + " has ended";
  std::string out =
      fmt::format("restore {} on {}: last commit {}, {:.1f} s", text_or(result, "name"), text_or(result, "host"),
                  text_or(member(result, "reached"), "time", "unknown"), number_or(result, "seconds"));
  if (std::string why = text_or(result, "log_not_closed"); !why.empty()) out += "; not known to be the latest: " + why;
  const Json& adopted = member(result, "adopted");
  if (adopted.is_object())
    out += fmt::format("; {} leads with it on timeline {}, evidence {}", text_or(adopted, "member"),
                       int_or(adopted, "timeline"), text_or(adopted, "kept", "none"));
  return out;
}

std::unexpected<Error> not_the_latest(const std::string& why) {
  return fail(
      ErrorKind::refused, "the end of the log is in no archive, so what was committed last may be lost: " + why,
      "let the primary archive its log; --accept-gap takes what is archived, and a copy (--into isolated) can be "
      "looked at before");
}

template <class Jobs>
std::vector<recovery::OrderUnderWay> as_orders(const Jobs& jobs) {
  std::vector<recovery::OrderUnderWay> out;
  for (const auto& job : jobs) out.push_back({job->what, job->name, job->by, job->swaps});
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

std::vector<RestoreKeeper::JobPtr> RestoreKeeper::under_way(const std::string& service) const {
  std::vector<JobPtr> out;
  auto found = jobs_.find(service);
  if (found == jobs_.end()) return out;
  for (const JobPtr& job : found->second) {
    if (job->state == kRunning && !job->ends) out.push_back(job);
  }
  return out;
}

Result<> RestoreKeeper::may_begin(const std::string& service, const std::string& what, RestoreBody& body) const {
  if (service_as<PostgresService>(world_.plan, service) == nullptr)
    return fail(ErrorKind::not_found, fmt::format("there is no database service '{}'", Decoder::printable(service)));
  if (body.by.empty()) return fail(ErrorKind::invalid_input, "nobody is named who asks for it", "--by NAME");
  bool known = what == "restore" || what == "adopt" || what == "stop" || recovery::is_look(what);
  if (!known) return fail(ErrorKind::not_found, fmt::format("copies cannot be told to '{}'", Decoder::printable(what)));
  TRY_VOID(recovery::may_begin(what, service, as_orders(under_way(service))));
  if (body.within_ms < 0) return fail(ErrorKind::invalid_input, "the time allowed lies in the past", "such as 2h");
  if (what == "restore") {
    TRY(recovery::RecoveryTarget target, recovery::target_from_json(body.target));
    (void)target;  // the agent reads it again
    TRY_VOID(check_repository(world_.plan, service, body.repository));
    if (body.name.empty()) body.name = name_by_time();
  }
  bool gives_up = what == "adopt" || (what == "restore" && body.into == kReplace);
  if (gives_up && !body.yes)
    return fail(ErrorKind::refused,
                fmt::format("everything written to {} behind that point would be given up", service),
                "say --yes when that is meant");
  return {};
}

Result<Json> RestoreKeeper::begin(const std::string& service, const std::string& what, RestoreBody body) {
  TRY_VOID(may_begin(service, what, body));
  std::vector<JobPtr>& jobs = jobs_[service];
  auto job = std::make_shared<Job>();
  job->number = jobs.empty() ? 1 : jobs.back()->number + 1;
  job->what = what;
  job->by = body.by;
  job->state = kRunning;
  job->order = fmt::format("{} at {}, {}", body.by, format_wall(wall_now()), job->number);
  if (!recovery::is_look(what)) job->name = body.name;
  jobs.push_back(job);
  while (jobs.size() > kRemembered && jobs.front()->state != kRunning) jobs.erase(jobs.begin());
  scope_.spawn(job->task(), work(service, what, std::move(body), job));
  return Json(JsonObject{{"service", service}, {"number", job->number}});
}

// What is ordered and what came of it stands in the journal, if it changes anything.
Task<Result<Json>> RestoreKeeper::noted(std::string service, std::string what, RestoreBody body, JobPtr job) {
  if (!recovery::is_look(what)) {
    auto noting = note(service, what + "-ordered", fmt::format("{} by {}: {} {}", what, body.by, body.into, body.name),
                       encode(body));
    co_await std::move(noting);
  }
  auto doing = carry_out(std::move(service), std::move(what), std::move(body), std::move(job));
  co_return co_await std::move(doing);
}

Task<> RestoreKeeper::work(std::string service, std::string what, RestoreBody body, JobPtr job) {
  auto doing = end_of(noted(service, what, body, job));
  auto ended = co_await std::move(doing);
  if (ended.problem && job->stopped_by.empty()) std::rethrow_exception(ended.problem);
  job->ends = true;
  // Who was ended by somebody still says so.
  if (ended.problem) co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  Result<Json> done = fail(ErrorKind::cancelled, fmt::format("it was ended by {}", job->stopped_by),
                           recovery::is_look(what) ? "order it again" : "`lifeboat restores list` shows what is left");
  if (!ended.problem) done = std::move(*ended.value);
  std::string text = done ? in_words(what, *done) : done.error().text();
  if (!recovery::is_look(what)) {
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

Task<Result<Json>> RestoreKeeper::carry_out(std::string service, std::string what, RestoreBody body, JobPtr job) {
  if (what == "restore") {
    auto restoring = restore(std::move(service), std::move(body), std::move(job));
    co_return co_await std::move(restoring);
  }
  if (what == "adopt") {
    auto adopting = adopt(std::move(service), std::move(body), std::move(job));
    co_return co_await std::move(adopting);
  }
  if (what == "stop") {
    auto stopping = stop(std::move(service), std::move(body));
    co_return co_await std::move(stopping);
  }
  auto looking = look(std::move(service), std::move(what), std::move(body), std::move(job));
  co_return co_await std::move(looking);
}

Task<Result<Json>> RestoreKeeper::look(std::string service, std::string what, RestoreBody body, JobPtr job) {
  CO_TRY(recovery::RestorePlace place, restore_place(world_, service, body.on, false));
  Deadline deadline = Deadline::after(within_of(body));
  auto progress = [job](std::string line) { job->progress = std::move(line); };
  auto closing = close_log(context_of(world_, deadline.at_most(kClosing), progress), service);
  auto closed = co_await std::move(closing);
  progress(closed ? closed->text : "only what is archived already is looked at: " + closed.error().text());
  std::string method;
  Json params;
  if (what == "forensics") {
    method = wire::RestoreForensics::kMethod;
    params = encode(wire::RestoreForensics{service, body.from, body.to, body.usual_ms, body.most, job->order});
  } else {
    method = wire::RestoreCleanPoint::kMethod;
    params = encode(wire::RestoreCleanPoint{service, body.from, body.to, body.usual_ms, body.checks, body.indexes,
                                            body.pages, body.encrypted, job->order});
  }
  job->host = place.host;
  auto asking = world_.agents.call(place.host, std::move(method), std::move(params), deadline, progress);
  CO_TRY(Json found, co_await std::move(asking));
  // A damage that is in no archive yet would be taken for none.
  if (!closed && found.is_object() && member(found, "notes").is_array())
    found.as_object()["notes"].as_array().push_back(
        Json("the newest part of the log is in no archive and was not looked at: " + closed.error().text()));
  co_return found;
}

Task<Result<Json>> RestoreKeeper::restore(std::string service, RestoreBody body, JobPtr job) {
  bool replaces = body.into == kReplace;
  std::string where = replaces ? body.on : body.into == "isolated" ? std::string() : body.into;
  recovery::RestorePlace place{.host = where};
  // Any host of the plan can make a copy that has the repository's files, the repository's own above all.
  bool only_a_host = !replaces && world_.plan.hosts.contains(where);
  if (!only_a_host) {
    CO_TRY(place, restore_place(world_, service, where, replaces));
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
                           .order = job->order,
                           .again = body.again};
  if (body.repository != 0) order.repository = body.repository;
  if (body.within_ms != 0) order.within_ms = body.within_ms;
  take_end_of_log(closed, order, progress);
  if (replaces && order.log_not_closed && !body.accept_gap) co_return not_the_latest(*order.log_not_closed);
  job->host = place.host;
  // The host itself gives up in time and says so.
  auto asking = world_.agents.call(place.host, std::string(wire::RestoreBegin::kMethod), encode(order),
                                   Deadline::after(within_of(body) + kToAnswer), progress);
  CO_TRY(Json restored, co_await std::move(asking));
  auto keeping = keep_timing(context_of(world_, Deadline::after(kAsk), progress), service,
                             timing_of(restored, place.host, body.by));
  co_await std::move(keeping);
  if (!replaces) co_return restored;
  auto replacing =
      put_in_place(std::move(service), std::move(place), std::move(body), std::move(restored), std::move(job));
  co_return co_await std::move(replacing);
}

// A finished copy, which somebody has looked at. It takes the data directory of the member on its host.
Task<Result<Json>> RestoreKeeper::adopt(std::string service, RestoreBody body, JobPtr job) {
  ActionContext context = context_of(world_, Deadline::after(kReplaceWithin), [](std::string) {});
  std::vector<std::pair<recovery::RestorePlace, Json>> found;
  for (const recovery::RestorePlace& place : restore_places(world_, service)) {
    bool meant = body.on.empty() || body.on == place.member || body.on == place.host;
    if (!meant || !place.connected) continue;
    auto finding = find_copy(context, place.host, service, body.name);
    auto copy = co_await std::move(finding);
    if (copy && text_or(*copy, "state") == "done") found.emplace_back(place, *copy);
  }
  if (found.empty())
    co_return fail(ErrorKind::not_found,
                   fmt::format("no member's host has a finished restore '{}' of {}", body.name, service),
                   "lifeboat restores list shows them; one on another host takes nobody's place");
  if (found.size() > 1)
    co_return fail(ErrorKind::conflict,
                   fmt::format("{} and {} have a restore '{}'", found[0].first.host, found[1].first.host, body.name),
                   "say which with --on");
  const auto& [place, copy] = found.front();
  CO_TRY_VOID(restore_place(world_, service, place.member, true));
  Json restored = member(copy, "restored");
  if (!restored.is_object()) co_return fail(ErrorKind::internal, "its host does not say what it restored");
  restored.as_object()["name"] = text_or(copy, "name");
  restored.as_object()["host"] = place.host;
  if (std::string why = text_or(restored, "log_not_closed"); !why.empty() && !body.accept_gap)
    co_return not_the_latest(why);
  if (bool_or(restored, "cut_by_gap") && !body.accept_gap)
    co_return fail(ErrorKind::refused, "the copy ends at a gap or damage of the log", "--accept-gap takes it as it is");
  job->host = place.host;
  auto putting = put_in_place(std::move(service), place, std::move(body), std::move(restored), std::move(job));
  co_return co_await std::move(putting);
}

// The data are looked at before the old ones are given up, while ending it costs nothing.
Task<Result<Json>> RestoreKeeper::put_in_place(std::string service, recovery::RestorePlace place, RestoreBody body,
                                               Json restored, JobPtr job) {
  Json checked = nullptr;
  if (!body.unchecked) {
    auto checking = check(service, body, restored, job);
    CO_TRY(checked, co_await std::move(checking));
  }
  restored.as_object()["checked"] = std::move(checked);
  job->swaps = true;
  auto replacing = replace(std::move(service), std::move(place), std::move(restored), std::move(job));
  co_return co_await std::move(replacing);
}

Task<Result<Json>> RestoreKeeper::check(std::string service, RestoreBody body, Json restored, JobPtr job) {
  auto progress = [job](std::string line) { job->progress = "the copy before it is put in place: " + line; };
  std::string name = text_or(restored, "name");
  auto checking = check_copy(context_of(world_, Deadline::after(within_of(body)), progress), service, name);
  auto checked = co_await std::move(checking);
  if (checked) co_return Json(JsonObject{{"summary", checked->summary}, {"data", checked->data}});
  checked.error().hint.clear();
  co_return fail(ErrorKind::refused,
                 fmt::format("restore {} on {} is not put in place, {} goes on as it was: {}", name,
                             text_or(restored, "host"), service, checked.error().text()),
                 fmt::format("look at it; `lifeboat restores adopt {} {} --yes --unchecked` puts it in place as it is",
                             service, name));
}

Task<Result<Json>> RestoreKeeper::replace(std::string service, recovery::RestorePlace place, Json restored,
                                          JobPtr job) {
  auto progress = [job](std::string line) { job->progress = std::move(line); };
  Deadline deadline = Deadline::after(kReplaceWithin);
  auto moving = world_.databases.put_back(service, place.member, text_or(restored, "name"), deadline, progress);
  CO_TRY(Json adopted, co_await std::move(moving));
  JsonObject out = restored.as_object();
  out["adopted"] = adopted;
  ActionContext context = context_of(world_, deadline, progress);
  auto hashing = evidence_of(context, place.host, service, text_or(adopted, "kept"));
  auto evidence = co_await std::move(hashing);
  out["evidence"] = evidence ? *evidence : Json(nullptr);
  auto protecting = world_.databases.reprotect(service, "", true, deadline, progress);
  auto followed = co_await std::move(protecting);
  // Users are served; that the others do not follow yet is a trouble of its own.
  out["standbys"] = followed ? *followed : Json(nullptr);
  if (!followed) out["standbys_error"] = followed.error().text();
  co_return Json(out);
}

// ---- ending

// Orders of this controller first, then what an earlier one ordered and its agents still know.
Task<Result<Json>> RestoreKeeper::stop(std::string service, RestoreBody body) {
  std::vector<JobPtr> running = under_way(service);
  CO_TRY(std::vector<size_t> meant, recovery::meant_by_stop(body.name, as_orders(running)));
  JsonArray ended;
  for (size_t at : meant) {
    auto ending = end_job(service, body, running[at]);
    CO_TRY(Json one, co_await std::move(ending));
    ended.push_back(std::move(one));
  }
  JsonObject out{{"name", body.name}, {"removed", body.remove}};
  if (ended.empty() && (body.name.empty() || recovery::is_look(body.name))) {
    for (const std::string what : {"forensics", "clean-point"}) {
      if (!body.name.empty() && body.name != what) continue;
      auto ending = end_looks(service, what, body.on);
      CO_TRY(Json one, co_await std::move(ending));
      if (int_or(one, "ended") > 0) ended.push_back(std::move(one));
    }
  }
  bool is_copy = ended.empty() && !body.name.empty();
  if (is_copy) {
    auto stopping = stop_copy(service, body, body.on);
    CO_TRY(Json one, co_await std::move(stopping));
    ended.push_back(std::move(one));
  }
  if (ended.empty())
    co_return fail(ErrorKind::not_found, fmt::format("no order of {} is under way that this controller knows", service),
                   "`lifeboat restores list` names copies; a run's are ended with the run: lifeboat abort");
  out["ended"] = std::move(ended);
  co_return Json(out);
}

// First here, so that nothing more is ordered; then on the host.
Task<Result<Json>> RestoreKeeper::end_job(std::string service, RestoreBody body, JobPtr job) {
  job->stopped_by = body.by;
  scope_.cancel(job->task());
  for (Deadline end = Deadline::after(kAsk); job->state == kRunning && !end.passed();) co_await sleep_for(kLookEvery);
  JsonObject out{{"what", job->what}, {"name", job->name}, {"host", job->host}};
  if (job->host.empty()) co_return Json(out);
  if (recovery::is_look(job->what)) {
    wire::EndLook order{service, job->what, job->order};
    auto asking = world_.agents.call(job->host, std::string(wire::EndLook::kMethod), encode(order),
                                     Deadline::after(kEnding), [](std::string) {});
    CO_TRY_VOID(co_await std::move(asking));
    co_return Json(out);
  }
  // Its folder may be called otherwise than the copy that was ordered.
  auto listing = find_order(service, job->host, job->order);
  CO_TRY(body.name, co_await std::move(listing));
  if (body.name.empty()) co_return Json(out);
  auto stopping = stop_copy(service, body, job->host);
  CO_TRY_VOID(co_await std::move(stopping));
  co_return Json(out);
}

// The copy that was begun for an order; empty: none was.
Task<Result<std::string>> RestoreKeeper::find_order(std::string service, std::string host, std::string order) {
  wire::RestoreList what{service};
  auto asking = world_.agents.call(host, std::string(wire::RestoreList::kMethod), encode(what), Deadline::after(kAsk),
                                   [](std::string) {});
  CO_TRY(Json listed, co_await std::move(asking));
  const Json& restores = member(listed, "restores");
  for (const Json& one : restores.is_array() ? restores.get_array() : JsonArray{}) {
    if (text_or(member(one, "wish"), "order") == order) co_return text_or(one, "name");
  }
  co_return std::string();
}

// An earlier controller may have ordered it: every host that can be asked is.
Task<Result<Json>> RestoreKeeper::end_looks(std::string service, std::string what, std::string on) {
  int64_t ended = 0;
  std::string at;
  for (const std::string& host : hosts_with_copies(world_, service)) {
    if (!world_.agents.connected(host) || (!on.empty() && on != host)) continue;
    wire::EndLook order{service, what, {}};
    auto asking = world_.agents.call(host, std::string(wire::EndLook::kMethod), encode(order), Deadline::after(kEnding),
                                     [](std::string) {});
    auto answer = co_await std::move(asking);
    // An agent of before knows no such order.
    if (!answer && answer.error().kind == ErrorKind::timed_out) co_return std::unexpected(std::move(answer).error());
    int64_t here = answer ? int_or(*answer, "ended") : 0;
    ended += here;
    if (here > 0) at += (at.empty() ? "" : ", ") + host;
  }
  co_return Json(JsonObject{{"what", what}, {"name", ""}, {"host", at}, {"ended", ended}});
}

Task<Result<Json>> RestoreKeeper::stop_copy(std::string service, RestoreBody body, std::string host) {
  if (host.empty()) {
    auto listing = list(service);
    CO_TRY(Json listed, co_await std::move(listing));
    const Json& hosts = member(listed, "hosts");
    for (const auto& [name, answer] : hosts.is_object() ? hosts.get_object() : JsonObject{}) {
      const Json& restores = member(answer, "restores");
      for (const Json& one : restores.is_array() ? restores.get_array() : JsonArray{}) {
        if (host.empty() && text_or(one, "name") == body.name) host = std::string(name);
      }
    }
  }
  if (host.empty())
    co_return fail(ErrorKind::not_found, fmt::format("no host that can be asked has a restore '{}'", body.name));
  wire::RestoreStop order{service, body.name, body.remove};
  auto asking = world_.agents.call(host, std::string(wire::RestoreStop::kMethod), encode(order),
                                   Deadline::after(kEnding), [](std::string) {});
  CO_TRY_VOID(co_await std::move(asking));
  co_return Json(JsonObject{{"what", "copy"}, {"name", body.name}, {"host", host}});
}

Json RestoreKeeper::job(const std::string& service, uint64_t number) const {
  auto found = jobs_.find(service);
  if (found == jobs_.end() || found->second.empty()) return nullptr;
  auto wanted = number == 0 ? found->second.end() - 1 : std::ranges::find(found->second, number, &Job::number);
  if (wanted == found->second.end()) return nullptr;
  const Job& job = **wanted;
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
