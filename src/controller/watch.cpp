#include "controller/watch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <span>

#include "controller/run_journal.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{100};
constexpr Duration kSupersede{20'000};
constexpr Duration kUsersFresh{5'000};
// Who raises what nobody raised by hand.
constexpr std::string_view kVantagePoints = "vantage points";
constexpr std::string_view kOwnership = "ownership";
constexpr std::string_view kDataLooks = "looks at the data";
// A text that people read; the rest stands in the journal.
constexpr size_t kReasonsTold = 3;

Task<Result<>> connect_once(asio::ip::tcp::endpoint endpoint) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  auto [problem] = co_await socket.async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
  if (problem) co_return fail(ErrorKind::unreachable, problem.message());
  co_return Result<>{};
}

Json in_json(const detection::RegionVerdict& verdict) {
  JsonArray votes;
  for (const detection::Vote& vote : verdict.votes) {
    votes.push_back({{"vantage", vote.vantage},
                     {"region", vote.region},
                     {"targets", vote.targets},
                     {"failing", vote.failing},
                     {"counts", vote.counts},
                     {"detail", vote.detail}});
  }
  return {{"region", verdict.region}, {"regions_agreeing", verdict.regions_agreeing}, {"votes", votes}};
}

// An agent speaks of what runs on its own host.
bool runs_member(const Plan& plan, const std::string& service, const std::string& member, const std::string& host) {
  const auto* database = service_as<PostgresService>(plan, service);
  const PostgresMember* known = database == nullptr ? nullptr : database->members.find(member);
  return known != nullptr && known->host.text == host;
}

}  // namespace

Watch::Watch(asio::any_io_executor executor, Store& store, const Plan& plan, HttpClient& http,
             DatabaseKeeper& databases, std::string host, Scope& scope, Hooks hooks)
    : executor_(std::move(executor)),
      store_(store),
      plan_(plan),
      http_(http),
      databases_(databases),
      host_(std::move(host)),
      vantage_("controller " + host_),
      scope_(scope),
      hooks_(std::move(hooks)),
      targets_(region_targets(plan)) {
  for (const auto& [name, signal] : plan_.signals) {
    const auto* endpoint = std::get_if<EndpointSignal>(&signal);
    if (endpoint == nullptr) continue;
    // Users come through the name; what is probed is the load balancer it leads to on a calm day.
    const auto* dns = service_as<DnsService>(plan_, endpoint->service.text);
    const auto* haproxy = service_as<HaproxyService>(plan_, endpoint->service.text);
    std::string region = region_with_role(plan_, RegionRole::primary);
    std::string balancer_host, header;
    int port = 80;
    if (dns != nullptr) {
      header = dns->name;
      if (const Identifier* target = dns->targets.find(region)) balancer_host = target->text;
      for (const auto& [service_name, service] : plan_.services) {
        const auto* balancer = std::get_if<HaproxyService>(&service);
        const HaproxyMember* member = balancer == nullptr ? nullptr : balancer->members.find(region);
        if (member != nullptr && member->host.text == balancer_host) port = member->port;
      }
    } else if (haproxy != nullptr) {
      if (const HaproxyMember* member = haproxy->members.find(region))
        balancer_host = member->host.text, port = member->port;
    }
    if (balancer_host.empty()) continue;
    WatchTarget target;
    target.target = {"signal " + name, {}};
    target.probe = {.id = target.target.id,
                    .kind = "http",
                    .address = address_of(plan_, balancer_host),
                    .port = port,
                    .path = endpoint->path,
                    .host_header = header,
                    .every_ms = endpoint->every.count(),
                    .within_ms = endpoint->within.count()};
    targets_.push_back(std::move(target));
  }
  for (const WatchTarget& target : targets_) state_.targets.push_back(target.target);
  state_.vantages.push_back({vantage_, region_of(plan_, host_), {}});
}

Task<Result<>> Watch::start() {
  EventFilter filter{.stream = "signals"};
  CO_TRY(std::vector<StoredEvent> events, co_await read_all(store_, std::move(filter)));
  auto wall = wall_now();
  decision::Standing standing;
  std::map<std::string, detection::TextBaseline> usual;  // by service
  for (const StoredEvent& event : events) {
    decision::fold(standing, event.kind, event.body, event.at);
    // Journal times are wall times; the limit counts hours, so the difference to boot time does not matter here.
    if (event.kind == "in-service") served_.insert(text_or(event.body, "target"));
    if (event.kind == "data-baseline")
      detection::read_baseline(member(event.body, "columns"), usual[text_or(event.body, "service")]);
    if (event.kind == "automatic-acknowledged") automatic_starts_.clear();
    if (event.kind == "automatic-start") automatic_starts_.push_back(mono_at(event.at, wall, boot_now()));
  }
  for (const auto& [name, signal] : plan_.signals) {
    const auto* data = std::get_if<DataChangeSignal>(&signal);
    if (data == nullptr) continue;
    detection::DataBounds bounds{data->within, data->rewritten.value / 100, data->encrypted.value / 100};
    data_.insert_or_assign(name, detection::DataWatch(bounds, usual[data->service.text]));
  }
  for (const std::string& service : databases_.services()) {
    auto view = databases_.view(service);
    if (view && view->term > 0) served_.insert(service);
  }
  // Nothing ever clears what a person raised.
  for (const auto& [cause, signal] : standing.signals) {
    const std::string& by = signal.raised.raised_by;
    if (by == kVantagePoints || by == kOwnership || by == kDataLooks)
      active_[cause] = {signal.raised.signal, signal.raised.subject, signal.since, signal.text};
  }
  for (const auto& [cause, owed] : standing.owed) scope_.spawn("owed start for " + cause, take_up(owed));
  std::string own_region = region_of(plan_, host_);
  for (const WatchTarget& target : targets_) {
    if (target.target.region != own_region) scope_.spawn("probe " + target.target.id, probe(target));
  }
  scope_.spawn("watch", look());
  co_return Result<>{};
}

Task<> Watch::probe(WatchTarget target) {
  const wire::ProbeConfig& what = target.probe;
  MonoTime next = boot_now();
  const detection::Asked asked{what.id, what.region, what.spared, Duration{what.every_ms}};
  while (true) {
    MonoTime begun = boot_now();
    next = std::max(next + asked.every, begun);
    if (!pace_.is_due(asked, begun)) {
      co_await sleep_until(next);
      continue;
    }
    Deadline deadline = Deadline::after(Duration{what.within_ms});
    bool ok = false;
    std::string detail;
    if (what.kind == "tcp") {
      boost::system::error_code bad_address;
      asio::ip::tcp::endpoint endpoint(asio::ip::make_address(what.address, bad_address),
                                       static_cast<uint16_t>(what.port));
      auto connecting = connect_once(endpoint);
      auto outcome = co_await within(deadline, "connect", std::move(connecting));
      ok = outcome.has_value();
      if (!ok) detail = outcome.error().what;
    } else {
      HttpRequest request;
      request.url = fmt::format("http://{}:{}{}", what.address, what.port, what.path);
      if (!what.host_header.empty()) request.headers.emplace_back("Host", what.host_header);
      auto answer = co_await http_.send(std::move(request), deadline);
      ok = answer && answer->status >= 200 && answer->status < 400;
      detail = answer ? fmt::format("answered {}", answer->status) : answer.error().what;
    }
    pace_.heard(asked, ok, begun, boot_now());
    detection::observe(state_, vantage_, what.id, ok, detail, boot_now());
    co_await sleep_until(next);
  }
}

void Watch::agent_connected(const std::string& host) {
  agent_lost(host);
  state_.vantages.push_back({"agent " + host, region_of(plan_, host), region_of(plan_, host_)});
}

void Watch::agent_lost(const std::string& host) {
  std::erase_if(state_.vantages,
                [&](const detection::VantagePoint& vantage) { return vantage.name == "agent " + host; });
  detection::forget_vantage(state_, "agent " + host);
}

void Watch::agent_said(const std::string& host, const std::string& type, const Json& message) {
  if (type == wire::DataLook::kType) return data_seen(host, message);
  if (type != wire::ProbeResult::kType) return;
  JsonObject body = message.is_object() ? message.get_object() : JsonObject{};
  body.erase("type");
  auto result = decode<wire::ProbeResult>(body);
  if (!result) return;
  detection::observe(state_, "agent " + host, result->target, result->ok, result->detail.substr(0, 200), boot_now());
}

detection::Window Watch::window_of(Duration for_, Duration every, Duration within_time, int quorum) const {
  return {.for_ = for_, .fresh = 2 * every + within_time + Duration{500}, .quorum = quorum};
}

Task<> Watch::look() {
  while (true) {
    co_await sleep_for(kLook);
    for (const auto& [name, signal] : plan_.signals) {
      if (const auto* lost = std::get_if<RegionLostSignal>(&signal)) judge_regions(name, *lost);
      if (const auto* endpoint = std::get_if<EndpointSignal>(&signal)) judge_endpoint(name, *endpoint);
      if (const auto* database = std::get_if<DatabaseSignal>(&signal)) judge_database(name, *database);
      if (const auto* backups = std::get_if<BackupSignal>(&signal)) judge_backups(name, *backups);
      if (const auto* data = std::get_if<DataChangeSignal>(&signal)) judge_data_change(name, *data);
    }
  }
}

void Watch::judge_regions(const std::string& name, const RegionLostSignal& signal) {
  detection::Window window = window_of(signal.for_, signal.every, signal.within, signal.quorum);
  for (const auto& [region, settings] : plan_.regions) {
    auto verdict = detection::judge_region(state_, region, window, boot_now());
    decision::RaisedNow raised{name, region, std::string(kVantagePoints)};
    if (verdict.lost) {
      hold(raised,
           fmt::format("{} is lost: nothing there answers, seen from {} other regions", region,
                       verdict.regions_agreeing),
           in_json(verdict));
    } else if (verdict.answers && !verdict.suspected) {
      // While nobody can say (nothing is linked, nothing was probed yet) what stood goes on standing.
      clear(decision::cause_of(raised));
    }
  }
}

void Watch::judge_endpoint(const std::string& name, const EndpointSignal& signal) {
  detection::Window window = window_of(signal.for_, signal.every, signal.within, signal.quorum);
  auto verdict = detection::judge_endpoint(state_, "signal " + name, window, boot_now());
  decision::RaisedNow raised{name, signal.service.text, std::string(kVantagePoints)};
  // What was never well has not failed: it is still being brought up.
  if (!was_well(name, verdict.regions_seeing > 0)) return;
  // A region that is being lost takes its endpoint with it; that is one cause, and the region's signal tells it better.
  if (verdict.failing && !any_region_suspected()) {
    hold(raised, fmt::format("{} does not answer as it should: {}", signal.service.text, verdict.detail),
         {{"regions_failing", verdict.regions_failing}, {"detail", verdict.detail}});
  } else if (verdict.regions_seeing > 0) {
    clear(decision::cause_of(raised));
  }
}

// Kept in the journal, so that a controller that starts in the middle of an outage knows it for one.
bool Watch::was_well(const std::string& endpoint, bool well_now) {
  if (!well_now || served_.contains(endpoint)) return served_.contains(endpoint);
  served_.insert(endpoint);
  scope_.spawn("in service", write("in-service", {{"target", endpoint}}));
  return true;
}

void Watch::judge_database(const std::string& name, const DatabaseSignal& signal) {
  const std::string& service = signal.service.text;
  auto view = databases_.view(service);
  decision::RaisedNow raised{name, service, std::string(kOwnership)};
  if (view && view->writable) served_.insert(service);
  // A database that is only being created has not failed.
  bool quiet = !view || !served_.contains(service) || view->writable || !view->busy.empty();
  if (quiet) {
    database_unwritable_.erase(service);
    if (view && view->writable) clear(decision::cause_of(raised));
    return;
  }
  auto [since, fresh] = database_unwritable_.emplace(service, boot_now());
  if (boot_now() - since->second < signal.for_ || any_region_suspected()) return;
  hold(raised,
       fmt::format("{} has had no member that takes writes for {}", service,
                   format_span(to_duration(boot_now() - since->second))),
       {{"term", view->term}});
}

void Watch::judge_backups(const std::string& name, const BackupSignal& signal) {
  if (!hooks_.backup_trouble) return;
  std::string trouble = hooks_.backup_trouble(signal.service.text);
  decision::RaisedNow raised{name, signal.service.text, std::string(kOwnership)};
  if (trouble.empty()) {
    backups_bad_.erase(name);
    return clear(decision::cause_of(raised));
  }
  auto [since, fresh] = backups_bad_.emplace(name, boot_now());
  // A region that is being lost may take the repository's host with it; that signal tells it better.
  if (boot_now() - since->second < signal.for_ || any_region_suspected()) return;
  hold(raised, fmt::format("the backups of {}: {}", signal.service.text, trouble), nullptr);
}

void Watch::judge_data_change(const std::string& name, const DataChangeSignal& signal) {
  const detection::DataWatch& watch = data_.at(name);
  decision::RaisedNow raised{name, signal.service.text, std::string(kDataLooks)};
  std::vector<std::string> reasons = watch.reasons();
  if (reasons.empty()) {
    if (watch.calm()) clear(decision::cause_of(raised));
    return;
  }
  size_t told = std::min(reasons.size(), kReasonsTold);
  std::string text =
      fmt::format("the data of {}: {}", signal.service.text, fmt::join(std::span(reasons).first(told), "; "));
  if (told < reasons.size()) text += fmt::format("; and {} more", reasons.size() - told);
  hold(raised, std::move(text), {{"reasons", JsonArray(reasons.begin(), reasons.end())}});
}

void Watch::data_seen(const std::string& host, const Json& message) {
  JsonObject body = message.is_object() ? message.get_object() : JsonObject{};
  body.erase("type");
  auto look = decode<wire::DataLook>(body);
  if (!look || !runs_member(plan_, look->service, look->seen.member, host)) return;
  for (const auto& [name, signal] : plan_.signals) {
    const auto* data = std::get_if<DataChangeSignal>(&signal);
    if (data == nullptr || data->service.text != look->service) continue;
    auto watch = data_.find(name);
    if (watch == data_.end()) continue;  // not begun yet
    keep_usual(look->service, watch->second.take(look->seen, boot_now()));
  }
}

// In the journal, so that the next controller does not take for usual what it finds encrypted.
void Watch::keep_usual(const std::string& service, const detection::TextBaseline& columns) {
  if (columns.empty()) return;
  scope_.spawn("usual data", write("data-baseline", {{"service", service}, {"columns", detection::to_json(columns)}}));
}

void Watch::acknowledge() {
  automatic_starts_.clear();
  for (const auto& [name, signal] : plan_.signals) {
    const auto* data = std::get_if<DataChangeSignal>(&signal);
    if (data == nullptr) continue;
    const std::string& service = data->service.text;
    if (active_.contains(decision::cause_of({name, service, {}}))) keep_usual(service, data_.at(name).accept());
  }
}

bool Watch::any_region_suspected() const {
  for (const auto& [name, signal] : plan_.signals) {
    const auto* lost = std::get_if<RegionLostSignal>(&signal);
    if (lost == nullptr) continue;
    detection::Window window = window_of(lost->for_, lost->every, lost->within, lost->quorum);
    for (const auto& [region, settings] : plan_.regions) {
      if (detection::judge_region(state_, region, window, boot_now()).suspected) return true;
    }
  }
  return false;
}

void Watch::database_moved_by_itself(const std::string& service, const std::string& text) {
  for (const auto& [name, signal] : plan_.signals) {
    const auto* database = std::get_if<DatabaseSignal>(&signal);
    if (database == nullptr || database->service.text != service) continue;
    hold({name, service, std::string(kOwnership)}, text, nullptr);
  }
}

void Watch::hold(const decision::RaisedNow& signal, std::string text, Json observations) {
  std::string cause = decision::cause_of(signal);
  if (active_.contains(cause)) return;
  active_[cause] = {signal.signal, signal.subject, wall_now(), text};
  auto follow_up = [](Watch* self, decision::RaisedNow raised, std::string why, Json seen) -> Task<> {
    auto done = self->believe(std::move(raised), std::move(why), std::move(seen));
    co_await std::move(done);
  };
  scope_.spawn("signal " + cause, follow_up(this, signal, std::move(text), std::move(observations)));
}

void Watch::clear(const std::string& cause) {
  auto found = active_.find(cause);
  if (found == active_.end()) return;
  JsonObject body{{"signal", found->second.signal}, {"subject", found->second.subject}};
  active_.erase(found);
  scope_.spawn("signal cleared", write("signal-cleared", std::move(body)));
}

Task<Json> Watch::believe(decision::RaisedNow signal, std::string text, Json observations) {
  MonoTime now = boot_now();
  decision::History history{hooks_.active_runs(), automatic_starts_};
  decision::Decided decided = decision::decide(plan_, signal, history, now);
  // Signal, decision and the start it allows are one durable fact: a restart finds the signal standing and the start owed.
  std::vector<NewEvent> events;
  int64_t boot_ns = now.time_since_epoch().count();
  events.push_back({"signals",
                    "signal-raised",
                    {{"signal", signal.signal},
                     {"subject", signal.subject},
                     {"by", signal.raised_by},
                     {"text", text},
                     {"observations", std::move(observations)},
                     {"boot_ns", boot_ns}}});
  JsonObject body{
      {"signal", signal.signal}, {"subject", signal.subject}, {"reason", decided.reason}, {"boot_ns", boot_ns}};
  body["verdict"] = decided.verdict == decision::Verdict::start     ? "start"
                    : decided.verdict == decision::Verdict::propose ? "propose"
                                                                    : "nothing";
  body["scenario"] = decided.scenario;
  JsonArray proposals;
  for (const std::string& proposal : decided.proposals) proposals.push_back(Json(proposal));
  body["proposals"] = proposals;
  JsonArray superseded;
  for (const std::string& id : decided.superseded) superseded.push_back(Json(id));
  body["superseded"] = superseded;
  events.push_back({"signals", "decided", body});
  if (decided.verdict == decision::Verdict::start) {
    events.push_back(
        {"signals", "automatic-start", {{"scenario", decided.scenario}, {"cause", decision::cause_of(signal)}}});
    automatic_starts_.push_back(now);
  }
  auto written = co_await store_.append(std::move(events));
  if (!written) throw std::runtime_error("the journal refused a signal: " + written.error().text());
  if (decided.verdict == decision::Verdict::start) {
    decision::OwedStart owed{signal, decided.scenario, decided.superseded, decided.reason, text};
    auto starting = carry_out(std::move(owed));
    auto run = co_await std::move(starting);
    body["run"] = run ? Json(*run) : Json(nullptr);
    if (!run) body["error"] = run.error().text();
  }
  co_return Json(body);
}

// Its end is in the journal, one way or the other, so that it is not owed any more.
Task<Result<std::string>> Watch::carry_out(decision::OwedStart owed) {
  for (const std::string& id : owed.superseded) {
    auto ending = hooks_.end_run(id, "superseded: " + owed.text);
    auto ended = co_await std::move(ending);
    if (!ended) co_await write("end-refused", {{"run", id}, {"error", ended.error().text()}});
  }
  auto starting = hooks_.start_run(owed.scenario, owed.raised, owed.reason);
  auto run = co_await std::move(starting);
  // A run that was superseded takes a moment to end; until then it excludes the new one.
  Deadline patience = Deadline::after(kSupersede);
  while (!run && run.error().kind == ErrorKind::conflict && !owed.superseded.empty() && !patience.passed()) {
    co_await sleep_for(kLook);
    auto again = hooks_.start_run(owed.scenario, owed.raised, owed.reason);
    run = co_await std::move(again);
  }
  JsonObject body{{"signal", owed.raised.signal}, {"subject", owed.raised.subject}, {"scenario", owed.scenario}};
  if (run) {
    body["run"] = *run;
  } else {
    body["error"] = run.error().text();
  }
  co_await write(run ? "run-started" : "start-refused", std::move(body));
  co_return run;
}

// Cut off between the decision and the run, or between the run and the note that it stands.
Task<> Watch::take_up(decision::OwedStart owed) {
  std::set<std::string> unfinished;
  for (const decision::ActiveRun& run : hooks_.active_runs()) {
    unfinished.insert(run.id);
    if (run.cause != decision::cause_of(owed.raised)) continue;
    JsonObject body{{"signal", owed.raised.signal}, {"subject", owed.raised.subject}, {"scenario", owed.scenario}};
    body["run"] = run.id;
    co_await write("run-started", std::move(body));
    co_return;
  }
  std::erase_if(owed.superseded, [&](const std::string& id) { return !unfinished.contains(id); });
  auto carrying = carry_out(std::move(owed));
  co_await std::move(carrying);
}

Task<Result<Json>> Watch::raise(std::string signal, std::string subject, std::string by, std::string text) {
  if (!plan_.signals.contains(signal)) {
    std::vector<std::string> known = plan_.signals.names();
    co_return fail(ErrorKind::refused, fmt::format("the plan has no signal '{}'", signal), did_you_mean(signal, known));
  }
  auto believing = believe({signal, subject, by}, text, nullptr);
  Json decided = co_await std::move(believing);
  co_return decided;
}

Task<> Watch::write(std::string kind, JsonObject body) {
  body["boot_ns"] = boot_now().time_since_epoch().count();
  NewEvent event{"signals", std::move(kind), std::move(body)};
  std::vector<NewEvent> events{std::move(event)};
  auto written = co_await store_.append(std::move(events));
  if (!written) throw std::runtime_error("the journal refused an event: " + written.error().text());
}

void Watch::witness_saw(UserView view) {
  users_ = view;
  users_at_ = boot_now();
}

std::optional<UserView> Watch::users() {
  if (!users_ || boot_now() - users_at_ > kUsersFresh) return std::nullopt;
  UserView view = *users_;
  view.age = to_duration(boot_now() - users_at_);
  return view;
}

std::vector<ActiveSignal> Watch::active() const {
  std::vector<ActiveSignal> out;
  for (const auto& [cause, signal] : active_) out.push_back(signal);
  return out;
}

Result<RegionView> Watch::region(std::string name) {
  if (!plan_.regions.contains(name)) return fail(ErrorKind::not_found, fmt::format("there is no region '{}'", name));
  RegionLostSignal settings;
  for (const auto& [signal_name, signal] : plan_.signals) {
    if (const auto* lost = std::get_if<RegionLostSignal>(&signal)) settings = *lost;
  }
  auto verdict = detection::judge_region(
      state_, name, window_of(settings.for_, settings.every, settings.within, settings.quorum), boot_now());
  RegionView view;
  view.region = name;
  view.regions_agreeing = verdict.regions_agreeing;
  view.quorum = settings.quorum;
  view.lost = verdict.lost;
  for (const detection::Vote& vote : verdict.votes) {
    view.vantages.push_back(
        {vote.vantage, vote.region, vote.targets, vote.failing, vote.failing_for.value_or(Duration{0}), vote.detail});
  }
  return view;
}

}  // namespace lifeboat
