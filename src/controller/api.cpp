#include "controller/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "controller/metrics.hpp"
#include "controller/preview.hpp"
#include "controller/report_of_run.hpp"
#include "controller/restore_book.hpp"
#include "core/data/encode.hpp"
#include "core/member/cancelled_waits.hpp"
#include "io/crypto.hpp"

namespace lifeboat {
namespace {

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_input: return 400;
    case ErrorKind::not_found: return 404;
    case ErrorKind::refused: return 403;
    case ErrorKind::conflict: return 409;
    case ErrorKind::unsupported: return 501;
    case ErrorKind::unreachable:
    case ErrorKind::unknown_outcome: return 502;
    case ErrorKind::timed_out: return 504;
    default: return 500;
  }
}

// How long the newest backup takes to restore by what was measured, and the measurements.
Json restores_measured(World& world, const std::string& service, const Json& listed) {
  const Json& sets = member(listed, "sets");
  bool some = sets.is_array() && !sets.get_array().empty();
  uint64_t bytes = some ? static_cast<uint64_t>(int_or(sets.get_array().back(), "bytes")) : 0;
  std::vector<recovery::RestoreTiming> measured = world.restore_times.of(service);
  Json out = forecast_in_json(service, recovery::forecast(measured, bytes), world.plan.objectives.rto);
  out.as_object()["measured"] = encode(measured);
  return out;
}

HttpReply error_reply(const Error& error) {
  Error shown = error;
  shown.hint.clear();
  JsonObject body{{"error", shown.text()}, {"kind", to_string(error.kind)}, {"hint", error.hint}};
  return json_reply(status_of(error.kind), to_text(body));
}

uint64_t number_of(const std::map<std::string, std::string>& query, const std::string& name, uint64_t otherwise) {
  auto found = query.find(name);
  if (found == query.end()) return otherwise;
  uint64_t value = otherwise;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

// "/api/runs/R-3/approve" → {"R-3", "approve"}.
std::pair<std::string, std::string> run_and_verb(std::string_view path) {
  path.remove_prefix(std::string_view("/api/runs/").size());
  size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {std::string(path), {}};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

struct OpenBody {
  std::string scenario;
  std::string by;
  std::string reason;
  OrderedMap<Json> vars;
};
BOOST_DESCRIBE_STRUCT(OpenBody, (), (scenario, by, reason, vars))
constexpr auto field_docs(const OpenBody*) {
  return std::to_array<FieldDoc>({{"scenario", Need::required, "scenario of the plan"},
                                  {"by", Need::required, "who starts it"},
                                  {"reason", Need::optional, "why"},
                                  {"vars", Need::optional, "values for its variables"}});
}

struct SayBody {
  std::string step;
  std::string by;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(SayBody, (), (step, by, reason))
constexpr auto field_docs(const SayBody*) {
  return std::to_array<FieldDoc>({{"step", Need::optional, "the step"},
                                  {"by", Need::required, "who says so: a contact of the plan"},
                                  {"reason", Need::optional, "why"}});
}

struct SignalBody {
  std::string signal;
  std::string subject;
  std::string by;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(SignalBody, (), (signal, subject, by, text))
constexpr auto field_docs(const SignalBody*) {
  return std::to_array<FieldDoc>({{"signal", Need::required, "signal of the plan"},
                                  {"subject", Need::optional, "the region or service it is about"},
                                  {"by", Need::required, "who raises it"},
                                  {"text", Need::optional, "what was seen"}});
}

struct BackupBody {
  std::string by;
  recovery::BackupType type = recovery::BackupType::full;
  std::string looked_at;
};
BOOST_DESCRIBE_STRUCT(BackupBody, (), (by, type, looked_at))
constexpr auto field_docs(const BackupBody*) {
  return std::to_array<FieldDoc>({{"by", Need::required, "who orders it"},
                                  {"type", Need::optional, "full (default), diff or incr"},
                                  {"looked_at", Need::optional, "newest backup that was looked at and is right"}});
}

struct AcknowledgeBody {
  std::string by;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(AcknowledgeBody, (), (by, text))
constexpr auto field_docs(const AcknowledgeBody*) {
  return std::to_array<FieldDoc>(
      {{"by", Need::required, "who has looked"}, {"text", Need::optional, "what was found"}});
}

struct PreviewBody {
  std::string scenario;
  std::string plan_hash;
  OrderedMap<Json> vars;
};
BOOST_DESCRIBE_STRUCT(PreviewBody, (), (scenario, plan_hash, vars))
constexpr auto field_docs(const PreviewBody*) {
  return std::to_array<FieldDoc>({{"scenario", Need::required, "scenario of the plan"},
                                  {"plan_hash", Need::optional, "hash of the plan the asker has in mind"},
                                  {"vars", Need::optional, "values for its variables"}});
}

// A witness counts seconds; what is larger is a mistake, and must not overflow.
constexpr Duration kLongestReach{3'600'000};

struct WitnessBody {
  double error_rate = 0;
  double p95_ms = 0;
  double rps = 0;
  std::optional<int64_t> reach_ms;
};
BOOST_DESCRIBE_STRUCT(WitnessBody, (), (error_rate, p95_ms, rps, reach_ms))
constexpr auto field_docs(const WitnessBody*) {
  return std::to_array<FieldDoc>({{"error_rate", Need::required, "share of journeys that failed, 0 to 1"},
                                  {"p95_ms", Need::required, "95th percentile of their time"},
                                  {"rps", Need::required, "journeys per second"},
                                  {"reach_ms", Need::optional, "how long ago the first of them began"}});
}

template <class Body>
Result<Body> body_as(const Json& body) {
  auto decoded = decode<Body>(body);
  if (!decoded) return std::unexpected(to_error(decoded.error(), "the body does not fit"));
  return std::move(*decoded);
}

}  // namespace

Api::Api(ApiParts parts) : parts_(std::move(parts)) {}

Task<HttpReply> Api::answer(HttpIncoming request) {
  if (request.path == "/health") co_return json_reply(200, R"({"ok":true})");
  std::string sent = request.header("authorization");
  bool allowed = sent.starts_with("Bearer ") && equal_in_constant_time(std::string_view(sent).substr(7), parts_.token);
  if (!allowed) {
    auto refused = fail(ErrorKind::refused, "the token is missing or wrong",
                        "name the file that holds it with --token-file or LIFEBOAT_TOKEN_FILE");
    HttpReply reply = error_reply(refused.error());
    reply.status = 401;
    co_return reply;
  }
  if (request.method == "GET" && request.path == "/metrics")
    co_return HttpReply{200, metrics_text(status()), "text/plain; version=0.0.4; charset=utf-8", {}};
  if (request.method == "GET" && request.path.starts_with("/api/runs/") && request.path.ends_with("/report")) {
    auto reporting = report(request, run_and_verb(request.path).first);
    co_return co_await std::move(reporting);
  }
  Json body = nullptr;
  if (request.method == "POST") {
    auto parsed = parse_json(request.body);
    if (!parsed) co_return error_reply(parsed.error());
    body = std::move(*parsed);
  }
  auto routing = route(request, body);
  auto result = co_await std::move(routing);
  co_return result ? json_reply(200, to_text(*result)) : error_reply(result.error());
}

Task<Result<Json>> Api::route(const HttpIncoming& request, const Json& body) {
  bool get = request.method == "GET", post = request.method == "POST";
  const std::string& path = request.path;
  if (get && path == "/api/status") co_return status();
  if (get && path == "/api/runs") {
    JsonArray runs;
    for (const std::string& id : parts_.runs.list()) runs.push_back(run_page(id));
    co_return Json(JsonObject{{"runs", runs}});
  }
  if (post && path == "/api/runs") {
    CO_TRY(OpenBody open, body_as<OpenBody>(body));
    OpenRequest wanted{.scenario = open.scenario,
                       .mode = parts_.drill ? run::RunMode::drill : run::RunMode::real,
                       .vars = open.vars,
                       .by = open.by,
                       .reason = open.reason};
    CO_TRY(std::string id, co_await parts_.runs.open_run(std::move(wanted)));
    co_return Json(JsonObject{{"id", id}});
  }
  if (get && path == "/api/events") co_return co_await events(request);
  if (get && path == "/api/journal/verify") {
    CO_TRY(ChainReport chain, co_await parts_.store.verify());
    co_return Json(JsonObject{{"whole", chain.whole},
                              {"events", chain.events},
                              {"broken_at", chain.broken_at},
                              {"head", chain.head},
                              {"reason", chain.reason}});
  }
  if (post && path == "/api/signals") {
    CO_TRY(SignalBody raised, body_as<SignalBody>(body));
    auto raising = parts_.watch.raise(raised.signal, raised.subject, raised.by, raised.text);
    co_return co_await std::move(raising);
  }
  if (post && path == "/api/acknowledge") co_return co_await acknowledge(body);
  if (post && path == "/api/preview") co_return co_await preview(body);
  if (post && path == "/api/witness") {
    CO_TRY(WitnessBody seen, body_as<WitnessBody>(body));
    UserView view{.error_rate = seen.error_rate, .p95_ms = seen.p95_ms, .requests_per_second = seen.rps};
    if (seen.reach_ms) view.reach = Duration{std::clamp<int64_t>(*seen.reach_ms, 0, kLongestReach.count())};
    parts_.watch.witness_saw(view);
    co_return Json(JsonObject{{"ok", true}});
  }
  if (get && path == "/api/orphans") {
    auto listing = parts_.orphans.list();
    CO_TRY(JsonArray all, co_await std::move(listing));
    co_return Json(JsonObject{{"orphans", all}});
  }
  if (post && path == "/api/orphans/look-up") {
    CO_TRY(wire::LookUpRows wanted, body_as<wire::LookUpRows>(body));
    auto looking = parts_.orphans.look_up(std::move(wanted));
    co_return co_await std::move(looking);
  }
  if (path == "/api/backups" || path.starts_with("/api/backups/")) {
    auto answering = backups(request, body);
    co_return co_await std::move(answering);
  }
  if (path.starts_with("/api/restores/")) {
    auto answering = restores(request, body);
    co_return co_await std::move(answering);
  }
  if (get && path == "/api/drills") co_return Json(JsonObject{{"drills", parts_.drills.list()}});
  constexpr std::string_view kDrills = "/api/drills/", kDone = "/done";
  if (post && path.starts_with(kDrills) && path.ends_with(kDone) && path.size() > kDrills.size() + kDone.size()) {
    CO_TRY(DrillDone said, body_as<DrillDone>(body));
    std::string name = path.substr(kDrills.size(), path.size() - kDrills.size() - kDone.size());
    auto telling = parts_.drills.done(std::move(name), std::move(said));
    co_return co_await std::move(telling);
  }
  constexpr std::string_view kOrphans = "/api/orphans/";
  if (get && path.starts_with(kOrphans)) {
    auto file = request.query.find("file");
    std::string name = file == request.query.end() ? "summary.json" : file->second;
    auto offset = static_cast<int64_t>(number_of(request.query, "offset", 0));
    auto reading = parts_.orphans.read(path.substr(kOrphans.size()), std::move(name), offset);
    co_return co_await std::move(reading);
  }
  if (path.starts_with("/api/runs/")) {
    auto [id, verb] = run_and_verb(path);
    if (parts_.runs.state(id) == nullptr)
      co_return fail(ErrorKind::not_found, fmt::format("there is no run '{}'", Decoder::printable(id)));
    if (get && verb.empty()) co_return run_page(id);
    if (post && !verb.empty()) co_return co_await say(id, verb, body);
  }
  co_return fail(ErrorKind::not_found,
                 fmt::format("there is no {} {}", Decoder::printable(request.method), Decoder::printable(path)));
}

Json Api::status() const {
  JsonObject databases;
  bool all_write = true;
  auto waits_of = [](const MemberReport& report) {
    Json out = encode(report.cancelled);
    out.as_object()["text"] = in_words(report.cancelled);
    return out;
  };
  for (const std::string& service : parts_.databases.services()) {
    auto view = parts_.databases.view(service);
    if (!view) continue;
    all_write = all_write && view->writable;
    JsonArray members;
    for (const MemberView& one : view->members) {
      members.push_back({{"member", one.member},
                         {"region", one.region},
                         {"connected", one.connected},
                         {"state", enum_name(one.report.state)},
                         {"reason", one.report.reason},
                         {"streaming", one.report.streaming},
                         {"upstream", one.report.upstream},
                         {"timeline", one.report.timeline},
                         {"written", ScalarText<Lsn>::format(one.report.written)},
                         {"lag_ms", one.report.lag_ms},
                         {"handicaps", JsonArray(one.report.handicaps.begin(), one.report.handicaps.end())},
                         {"cancelled_waits", waits_of(one.report)}});
    }
    databases[service] = {{"term", view->term},
                          {"holder", view->holder},
                          {"writable", view->writable},
                          {"busy", view->busy},
                          {"automatic_made", view->automatic_made},
                          {"automatic_refused", view->automatic_refused},
                          {"members", members}};
    if (Json backups = parts_.backups.status(service); !backups.is_null()) {
      auto proven = rehearsal::newest_proof(parts_.world.restore_times.of(service));
      if (!parts_.drill) backups.as_object()["proven_at"] = proven ? format_wall(*proven) : "";
      databases[service].as_object()["backups"] = std::move(backups);
    }
    if (Json dumps = parts_.dumps.status(service); !dumps.is_null())
      databases[service].as_object()["dumps"] = std::move(dumps);
  }
  JsonArray signals, runs, incidents;
  for (const ActiveSignal& signal : parts_.watch.active()) {
    signals.push_back({{"signal", signal.signal},
                       {"subject", signal.subject},
                       {"since", format_wall(signal.since)},
                       {"text", signal.text}});
  }
  size_t active = 0;
  for (const std::string& id : parts_.runs.list()) {
    const run::RunState* state = parts_.runs.state(id);
    if (!state->finished()) ++active;
    runs.push_back({{"id", id},
                    {"scenario", state->opened->scenario},
                    {"state", enum_name(run::status_of(*state))},
                    {"started_at", format_wall(state->opened_wall)}});
  }
  for (const IncidentView& incident : parts_.incidents.all())
    incidents.push_back(
        {{"id", incident.id}, {"title", incident.title}, {"severity", incident.severity}, {"state", incident.state}});
  std::string headline = !signals.empty() ? text_or(signals.front(), "text")
                         : !all_write     ? "A database takes no writes."
                         : active > 0     ? fmt::format("{} {} under way.", active, active == 1 ? "run is" : "runs are")
                                          : "Nothing is abnormal.";
  return JsonObject{{"plan", parts_.plan.plan.text},
                    {"plan_hash", parts_.plan_hash},
                    {"profile", parts_.profile},
                    {"mode", parts_.drill ? "drill" : "real"},
                    {"controller", parts_.host},
                    {"headline", headline},
                    {"databases", databases},
                    {"signals", signals},
                    {"runs", runs},
                    {"incidents", incidents},
                    {"drills", parts_.drills.list()}};
}

// describe_state with what a person's screen needs beside it: clocks in milliseconds, phases counted, questions.
Json Api::run_page(const std::string& id) const {
  const run::RunState& state = *parts_.runs.state(id);
  MonoTime now = boot_now();
  Json page = run::describe_state(state, now);
  JsonObject& out = page.as_object();
  out["state"] = enum_name(run::status_of(state));
  out["elapsed_ms"] = to_duration((state.finished() ? state.ended_at : now) - state.opened_at).count();
  out["rto_ms"] = parts_.plan.objectives.rto.count();
  if (auto incident = parts_.world.incidents.of_run(id)) out["incident"] = incident->id;
  out["headline"] = state.opened->title.empty() ? state.opened->scenario : state.opened->title;
  JsonArray phases, asks;
  for (size_t index = 0; index < state.graph->phases.size(); ++index) {
    const run::GraphPhase& phase = state.graph->phases[index];
    phases.push_back(
        {{"name", phase.name}, {"settled", phase.counted - state.phase_left[index]}, {"total", phase.counted}});
  }
  JsonArray& steps = out["steps"].as_array();
  for (size_t index = 0; index < steps.size() && index < state.steps.size(); ++index) {
    const run::StepState& step = state.steps[index];
    const run::ResolvedStep& spec = state.opened->steps[index];
    JsonObject& line = steps[index].as_object();
    bool began = step.first_started_at != MonoTime{};
    MonoTime until = step.ended_at != MonoTime{} ? step.ended_at : now;
    line["elapsed_ms"] = began ? to_duration(until - step.first_started_at).count() : 0;
    line["started_ms"] = began ? to_duration(step.first_started_at - state.opened_at).count() : -1;
    line["progress"] = parts_.runs.progress(id, spec.id);
    JsonArray after;
    for (const std::string& need : spec.needs) after.push_back(Json(need));
    if (!spec.after_phase.empty()) after.push_back(Json("phase " + spec.after_phase));
    line["after"] = after;
    if (step.status != run::StepStatus::asking) continue;
    bool manual = spec.kind == run::StepKind::manual;
    JsonArray people, given;
    for (const std::string& person : spec.people) people.push_back(Json(person));
    for (const std::string& person : step.approvals) given.push_back(Json(person));
    std::string question = step.question && !step.question->text.empty() ? step.question->text
                           : !spec.text.empty()                          ? spec.text
                           : spec.title.empty()                          ? spec.id
                                                                         : spec.title;
    asks.push_back(
        {{"step", spec.id},
         {"manual", manual},
         {"question", question},
         {"people", people},
         {"given", given},
         {"need", step.question ? step.question->need : 1},
         {"loss", step.question ? step.question->loss : ""},
         {"expires_ms",
          manual || step.question_expires == MonoTime{} ? -1 : to_duration(step.question_expires - now).count()},
         {"command", fmt::format("lifeboat {} {} {} --by NAME", manual ? "confirm" : "approve", id, spec.id)}});
  }
  out["phases"] = phases;
  out["asks"] = asks;
  return page;
}

Task<Result<Json>> Api::events(const HttpIncoming& request) {
  EventFilter filter;
  filter.after = number_of(request.query, "after", 0);
  filter.limit = std::min<size_t>(number_of(request.query, "limit", 1000), 10'000);
  if (auto run = request.query.find("run"); run != request.query.end()) filter.stream = "run/" + run->second;
  CO_TRY(std::vector<StoredEvent> stored, co_await parts_.store.read(filter));
  JsonArray out;
  for (const StoredEvent& event : stored) {
    out.push_back({{"seq", event.seq},
                   {"at", format_wall(event.at)},
                   {"boot_ns", int_or(event.body, "boot_ns")},
                   {"stream", event.stream},
                   {"kind", event.kind},
                   {"body", event.body},
                   {"hash", event.hash}});
  }
  co_return Json(JsonObject{{"events", out}});
}

Task<Result<Json>> Api::say(std::string id, std::string verb, Json body) {
  CO_TRY(SayBody said, body_as<SayBody>(body));
  Result<> done;
  if (verb == "approve") {
    done = co_await parts_.runs.approve(id, said.step, said.by);
  } else if (verb == "decline") {
    done = co_await parts_.runs.decline(id, said.step, said.by, said.reason);
  } else if (verb == "confirm") {
    done = co_await parts_.runs.confirm(id, said.step, said.by, said.reason);
  } else if (verb == "pause") {
    done = co_await parts_.runs.pause(id, said.by, said.reason);
  } else if (verb == "resume") {
    done = co_await parts_.runs.resume(id, said.by);
  } else if (verb == "abort") {
    done = co_await parts_.runs.abort(id, said.by, said.reason, false);
  } else if (verb == "rollback") {
    done = co_await parts_.runs.abort(id, said.by, said.reason, true);
  } else if (verb == "skip") {
    done = co_await parts_.runs.skip(id, said.step, said.by, said.reason);
  } else if (verb == "retry") {
    done = co_await parts_.runs.retry(id, said.step, said.by);
  } else {
    co_return fail(ErrorKind::not_found, fmt::format("a run cannot be told to '{}'", Decoder::printable(verb)));
  }
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return Json(JsonObject{{"text", fmt::format("{} {}: {} by {}", id, said.step, verb, said.by)}});
}

Task<Result<Json>> Api::backups(const HttpIncoming& request, Json body) {
  if (request.method == "GET" && request.path == "/api/backups") {
    JsonObject services;
    for (const std::string& service : parts_.backups.services())
      services[service] = {{"status", parts_.backups.status(service)}, {"job", parts_.backups.job(service)}};
    for (const std::string& service : parts_.dumps.services()) {
      if (!services.contains(service)) services[service] = {{"status", nullptr}, {"job", nullptr}};
      services[service].as_object()["dumps"] = parts_.dumps.status(service);
    }
    co_return Json(JsonObject{{"services", services}});
  }
  std::string rest = request.path.substr(std::min(request.path.size(), std::string_view("/api/backups/").size()));
  size_t slash = std::min(rest.find('/'), rest.size());
  std::string service = rest.substr(0, slash), verb = rest.substr(std::min(slash + 1, rest.size()));
  if (request.method == "GET" && verb.empty()) {
    Json dumps = parts_.dumps.status(service);
    // Of a service that has logical backups alone there is nothing else to list.
    if (!dumps.is_null() && parts_.backups.status(service).is_null())
      co_return Json(JsonObject{{"service", service}, {"dumps", std::move(dumps)}});
    auto listing = parts_.backups.list(service);
    CO_TRY(Json listed, co_await std::move(listing));
    if (!dumps.is_null()) listed.as_object()["dumps"] = std::move(dumps);
    listed.as_object()["restored"] = restores_measured(parts_.world, service, listed);
    co_return listed;
  }
  if (request.method == "GET" && verb == "job") co_return parts_.backups.job(service);
  if (request.method != "POST")
    co_return fail(ErrorKind::not_found, fmt::format("there is no {}", Decoder::printable(request.path)));
  CO_TRY(BackupBody said, body_as<BackupBody>(body));
  co_return parts_.backups.begin(service, verb, said.type, said.by, said.looked_at);
}

Task<Result<Json>> Api::restores(const HttpIncoming& request, Json body) {
  std::string rest = request.path.substr(std::string_view("/api/restores/").size());
  size_t slash = std::min(rest.find('/'), rest.size());
  std::string service = rest.substr(0, slash), verb = rest.substr(std::min(slash + 1, rest.size()));
  if (request.method == "GET" && verb.empty()) {
    auto listing = parts_.restores.list(service);
    co_return co_await std::move(listing);
  }
  if (request.method == "GET" && (verb == "job" || verb.starts_with("job/")))
    co_return parts_.restores.job(service, std::strtoull(verb.c_str() + std::min<size_t>(4, verb.size()), nullptr, 10));
  if (request.method != "POST")
    co_return fail(ErrorKind::not_found, fmt::format("there is no {}", Decoder::printable(request.path)));
  CO_TRY(RestoreBody said, body_as<RestoreBody>(body));
  co_return parts_.restores.begin(service, verb, std::move(said));
}

// In the journal before it has an effect, and as one fact for all that counts.
Task<Result<Json>> Api::acknowledge(Json body) {
  CO_TRY(AcknowledgeBody said, body_as<AcknowledgeBody>(body));
  if (said.by.empty()) co_return fail(ErrorKind::invalid_input, "nobody is named who has looked", "--by NAME");
  Json told = JsonObject{{"by", said.by}, {"text", said.text}, {"boot_ns", boot_now().time_since_epoch().count()}};
  std::vector<NewEvent> events{{"signals", "automatic-acknowledged", told}};
  for (const std::string& service : parts_.databases.services())
    events.push_back({"database/" + service, "automatic-acknowledged", told});
  CO_TRY(std::vector<StoredEvent> written, co_await parts_.store.append(std::move(events)));
  parts_.databases.acknowledge();
  parts_.watch.acknowledge();
  co_return Json(JsonObject{{"text", fmt::format("{} has looked; what happens by itself is counted anew", said.by)},
                            {"event", written.front().seq}});
}

Task<Result<Json>> Api::preview(Json body) {
  CO_TRY(PreviewBody wanted, body_as<PreviewBody>(body));
  if (!wanted.plan_hash.empty() && wanted.plan_hash != parts_.plan_hash) {
    co_return fail(ErrorKind::conflict, "the controller works by another version of the plan",
                   "restart it with the plan you mean, or preview with the file it has");
  }
  auto looking =
      preview_scenario(parts_.world, wanted.scenario, parts_.profile, wanted.vars, Deadline::after(Duration{50'000}));
  co_return co_await std::move(looking);
}

Task<HttpReply> Api::report(const HttpIncoming& request, std::string id) {
  const run::RunState* state = parts_.runs.state(id);
  if (state == nullptr)
    co_return error_reply(
        fail(ErrorKind::not_found, fmt::format("there is no run '{}'", Decoder::printable(id))).error());
  auto format = request.query.find("format");
  ReportSource source{parts_.plan, parts_.plan_hash, parts_.store, *state};
  auto rendering = render_run_report(source, format == request.query.end() ? "markdown" : format->second);
  auto rendered = co_await std::move(rendering);
  if (!rendered) co_return error_reply(rendered.error());
  HttpReply reply;
  reply.body = std::move(rendered->text);
  reply.type = rendered->type;
  co_return reply;
}

}  // namespace lifeboat
