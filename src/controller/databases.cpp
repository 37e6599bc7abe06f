#include "controller/databases.hpp"

#include <fmt/format.h>

#include "agent/protocol.hpp"
#include "controller/configure.hpp"
#include "core/data/encode.hpp"
#include "core/ownership/put_back.hpp"

namespace lifeboat {

using namespace ownership;

namespace {

constexpr Duration kTick{25};
// Agents find a controller that has just started, and report, within this.
constexpr Duration kFirstReports{5'000};
// A promotion takes a tenth of a second; creating a cluster takes seconds. The lease bounds what an agent that does not
// answer can do, so this only bounds the waiting.
constexpr Duration kLeadPatience{30'000};
// After a crash a server replays its log from the last checkpoint, and begins anew whenever it is cut off.
constexpr Duration kRecoveryPatience{std::chrono::hours(12)};
// How long the store may take to say whether this controller still leads, over all its voters.
constexpr Duration kSureWithin{1'500};
constexpr Duration kStepDownPatience{60'000};
// The restored data are moved, not copied.
constexpr Duration kAdoptPatience{600'000};
// A fresh copy of a large database takes hours.
constexpr Duration kFollowPatience{std::chrono::hours(12)};

// Whom commits waited for, as an event says; none when it says nothing.
Result<std::vector<SyncSet>> sets_in(const Json& body) {
  if (!member(body, "sync").is_array()) return std::vector<SyncSet>();
  auto sets = decode<std::vector<SyncSet>>(member(body, "sync"));
  if (!sets) return std::unexpected(to_error(sets.error(), "whom commits waited for cannot be read"));
  return std::move(*sets);
}

Json typed(Json body, std::string_view type) {
  body.as_object()["type"] = type;
  return body;
}

}  // namespace

struct DatabaseKeeper::Database {
  std::string service;
  State state;
  std::map<std::string, std::string> host_of;    // by member
  std::map<std::string, std::string> member_on;  // by host
};

struct DatabaseKeeper::Waiter {
  explicit Waiter(asio::any_io_executor executor) : wakeup(std::move(executor)) {}
  Wakeup wakeup;
  std::optional<FinishTransfer> finished;
};

DatabaseKeeper::DatabaseKeeper(asio::any_io_executor executor, Store& store, const Plan& plan, AgentHub& hub,
                               Scope& scope, OnNote on_note)
    : executor_(std::move(executor)),
      store_(store),
      plan_(plan),
      hub_(hub),
      scope_(scope),
      on_note_(std::move(on_note)) {}

DatabaseKeeper::~DatabaseKeeper() = default;

Task<Result<>> DatabaseKeeper::start() {
  began_ = boot_now();
  for (const auto& [name, service] : plan_.services) {
    const auto* postgres = std::get_if<PostgresService>(&service);
    if (postgres == nullptr) continue;
    Config config = ownership_config(plan_, name, *postgres);
    auto database = std::make_unique<Database>();
    database->service = name;
    for (const auto& [member, settings] : postgres->members) {
      database->host_of[member] = settings.host.text;
      database->member_on[settings.host.text] = member;
    }
    std::string service_name = name;
    CO_TRY(OwnershipRecord record, co_await store_.ownership(service_name));
    CO_TRY(Past past, co_await past_of(service_name));
    database->state = initial_state(std::move(config), record.term, record.holder, boot_now(), std::move(past));
    databases_.emplace(name, std::move(database));
  }
  scope_.spawn("databases", tick());
  co_return Result<>{};
}

// The journal has wall time; what follows from it are spans of hours.
Task<Result<Past>> DatabaseKeeper::past_of(std::string service) {
  EventFilter filter{.stream = "database/" + service};
  Past past = no_past();
  std::string holder;
  int64_t term = 0;
  while (true) {
    CO_TRY(std::vector<StoredEvent> events, co_await store_.read(filter));
    for (const StoredEvent& event : events) {
      if (event.kind == "granted") {
        term = int_or(event.body, "term");
        std::string before = std::exchange(holder, text_or(event.body, "holder"));
        CO_TRY(auto sets, sets_in(event.body));
        was_granted(past, bool_or(event.body, "goes_on", before == holder), std::move(sets));
        if (bool_or(event.body, "automatic"))
          past.automatic_failovers.push_back(mono_at(event.at, wall_now(), boot_now()));
      }
      // One that was on its way while the next grant was made says nothing of that.
      if (event.kind == "sync-set" && int_or(event.body, "term") == term) {
        CO_TRY(past.sync_sets, sets_in(event.body));
      }
      if (event.kind == "automatic-acknowledged") past.automatic_failovers.clear();
      if (event.kind == "terms-left-out") left_terms_out(past, static_cast<uint64_t>(int_or(event.body, "above")));
      if (tells_of_writes(event.kind)) took_writes(past);
    }
    if (events.size() < filter.limit) co_return past;
    filter.after = events.back().seq;
  }
}

Task<> DatabaseKeeper::tick() {
  while (true) {
    co_await sleep_for(kTick);
    for (auto& [name, database] : databases_) feed(*database, Tick{});
  }
}

void DatabaseKeeper::agent_connected(const std::string& host) {
  for (auto& [name, database] : databases_) {
    if (auto found = database->member_on.find(host); found != database->member_on.end())
      feed(*database, AgentConnected{found->second});
  }
}

void DatabaseKeeper::agent_lost(const std::string& host) {
  for (auto& [name, database] : databases_) {
    if (auto found = database->member_on.find(host); found != database->member_on.end())
      feed(*database, AgentLost{found->second});
  }
}

void DatabaseKeeper::agent_said(const std::string& host, const std::string& type, const Json& message) {
  // An agent speaks for the members on its own host only, whatever it writes into a message.
  auto owned = [&](const std::string& service, const std::string& member) -> Database* {
    auto found = databases_.find(service);
    if (found == databases_.end()) return nullptr;
    auto on = found->second->host_of.find(member);
    return on != found->second->host_of.end() && on->second == host ? found->second.get() : nullptr;
  };
  JsonObject body = message.is_object() ? message.get_object() : JsonObject{};
  body.erase("type");
  if (type == wire::Report::kType) {
    auto report = decode<wire::Report>(body);
    if (!report) return;
    for (const auto& [service, member] : report->members) {
      if (Database* database = owned(service, member.member)) feed(*database, Reported{report->boot_ns, member});
    }
  } else if (type == wire::Renew::kType) {
    auto renew = decode<wire::Renew>(body);
    if (!renew) return;
    if (Database* database = owned(renew->service, renew->member))
      feed(*database, RenewAsked{renew->member, renew->term, renew->sent_ns});
  } else if (type == wire::Release::kType) {
    auto release = decode<wire::Release>(body);
    if (!release) return;
    if (Database* database = owned(release->service, release->member))
      feed(*database, Released{release->member, release->term, release->reason, release->server_failed});
  }
}

void DatabaseKeeper::feed(Database& database, const Input& input) {
  for (const Command& command : ownership::step(database.state, input, boot_now())) carry_out(database, command);
}

void DatabaseKeeper::carry_out(Database& database, const Command& command) {
  using What = CommandDone::What;
  const std::string& service = database.service;
  if (const auto* answer = std::get_if<AnswerRenew>(&command)) {
    answer_renewal(database, *answer);
  } else if (const auto* grant = std::get_if<MakeGrant>(&command)) {
    scope_.spawn("grant " + service, make_grant(service, *grant));
  } else if (const auto* lead = std::get_if<SendLead>(&command)) {
    scope_.spawn("lead " + lead->member, order_the_lead(service, *lead));
  } else if (const auto* record = std::get_if<RecordSync>(&command)) {
    scope_.spawn("sync " + service, record_sync(service, *record));
  } else if (const auto* sync = std::get_if<SendSync>(&command)) {
    wire::SyncWith order{service, sync->member, sync->term, sync->set};
    hub_.send(database.host_of[sync->member], typed(encode(order), wire::SyncWith::kType));
  } else if (const auto* look = std::get_if<AskLook>(&command)) {
    wire::LookAgain question{service, look->member, look->mark};
    hub_.send(database.host_of[look->member], typed(encode(question), wire::LookAgain::kType));
  } else if (const auto* follow = std::get_if<SendFollow>(&command)) {
    const wire::Follow& order = follow->order;
    scope_.spawn("follow " + order.member,
                 ask_agent(service, What::follow, order.member, order.term, std::string(wire::Follow::kMethod),
                           encode(order), kFollowPatience));
  } else if (const auto* down = std::get_if<SendStepDown>(&command)) {
    wire::StepDown params{service, down->member, down->term};
    scope_.spawn("step-down " + down->member,
                 ask_agent(service, What::step_down, down->member, down->term, std::string(wire::StepDown::kMethod),
                           encode(params), kStepDownPatience));
  } else if (const auto* adopt = std::get_if<SendAdopt>(&command)) {
    wire::Adopt params{service, adopt->member, adopt->restored, adopt->term};
    scope_.spawn("adopt " + adopt->member,
                 ask_agent(service, What::adopt, adopt->member, adopt->term, std::string(wire::Adopt::kMethod),
                           encode(params), kAdoptPatience));
  } else if (const auto* finish = std::get_if<FinishTransfer>(&command)) {
    auto waiter = waiters_.find(finish->id);
    if (waiter == waiters_.end()) return;
    waiter->second->finished = *finish;
    waiter->second->wakeup.notify();
  } else if (const auto* note = std::get_if<Note>(&command)) {
    on_note_(service, *note);
    scope_.spawn("note " + service, write_note(service, *note));
  }
}

void DatabaseKeeper::answer_renewal(const Database& database, const AnswerRenew& answer) {
  wire::Renewed renewed{database.service, answer.term, answer.sent_ns, answer.granted};
  renewals_.hold({database.host_of.at(answer.member), typed(encode(renewed), wire::Renewed::kType)});
  if (renewals_.asks()) scope_.spawn("renewals", answer_renewals());
}

Task<> DatabaseKeeper::answer_renewals() {
  do {
    auto asking = store_.still_leads(Deadline::after(kSureWithin));
    auto leads = co_await std::move(asking);
    for (Renewal& one : renewals_.may_be_said(leads.has_value())) hub_.send(one.host, std::move(one.answer));
  } while (renewals_.asks());
}

Task<> DatabaseKeeper::order_the_lead(std::string service, SendLead lead) {
  auto asking = store_.still_leads(Deadline::after(kSureWithin));
  auto leads = co_await std::move(asking);
  if (!leads) {
    CommandDone done{.what = CommandDone::What::lead, .member = lead.member, .term = lead.term};
    done.error = leads.error().text();
    feed(*databases_.at(service), done);
    co_return;
  }
  wire::Lead params{service, lead.member, lead.term, lead.as_of_ns, lead.at_least, lead.sync, lead.goes_on, lead.after};
  auto ordering = ask_agent(service, CommandDone::What::lead, lead.member, lead.term, std::string(wire::Lead::kMethod),
                            encode(params), lead.patient ? kRecoveryPatience : kLeadPatience);
  co_await std::move(ordering);
}

Task<> DatabaseKeeper::make_grant(std::string service, MakeGrant grant) {
  NewEvent event{"database/" + service,
                 "granted",
                 {{"term", std::max(grant.expected_term, grant.floor) + 1},
                  {"holder", grant.holder},
                  {"reason", grant.reason},
                  {"automatic", grant.automatic},
                  {"goes_on", grant.goes_on},
                  {"sync", encode(grant.sync)},
                  {"boot_ns", boot_now().time_since_epoch().count()}}};
  auto granting = store_.grant_above(service, grant.expected_term, grant.floor, grant.holder, std::move(event));
  auto record = co_await std::move(granting);
  Database& database = *databases_.at(service);
  if (record) {
    feed(database, GrantMade{record->term, record->holder});
  } else {
    feed(database, GrantFailed{record.error().text()});
  }
}

Task<> DatabaseKeeper::record_sync(std::string service, RecordSync record) {
  std::string text;
  for (const SyncSet& set : record.sets) text += fmt::format("{}{}", text.empty() ? "" : ", then ", sync_setting(set));
  NewEvent event{"database/" + service,
                 "sync-set",
                 {{"term", record.expected_term},
                  {"sync", encode(record.sets)},
                  {"text", "commits wait for " + text},
                  {"boot_ns", boot_now().time_since_epoch().count()}}};
  std::vector<NewEvent> events{std::move(event)};
  auto written = co_await store_.append(std::move(events));
  Database& database = *databases_.at(service);
  if (written) {
    feed(database, SyncRecorded{record.expected_term, record.sets});
  } else {
    feed(database, SyncNotRecorded{});
  }
}

Task<> DatabaseKeeper::ask_agent(std::string service, CommandDone::What what, std::string member, uint64_t term,
                                 std::string method, Json params, Duration within_time) {
  std::string host = databases_.at(service)->host_of.at(member);
  auto answer = co_await hub_.call(host, method, std::move(params), Deadline::after(within_time), [](std::string) {});
  CommandDone done{.what = what, .member = member, .term = term};
  if (answer) {
    done.ok = true;
    done.result = std::move(*answer);
  } else {
    done.unknown = answer.error().kind == ErrorKind::unknown_outcome || answer.error().kind == ErrorKind::timed_out;
    done.error = answer.error().text();
  }
  feed(*databases_.at(service), done);
}

Task<> DatabaseKeeper::write_note(std::string service, Note note) {
  JsonObject body;
  body["text"] = note.text;
  body["boot_ns"] = boot_now().time_since_epoch().count();
  if (!note.data.is_null()) body["data"] = note.data;
  NewEvent event{"database/" + service, note.kind, std::move(body)};
  std::vector<NewEvent> events{std::move(event)};
  auto written = co_await store_.append(std::move(events));
  if (!written) throw std::runtime_error("the journal refused an event: " + written.error().text());
}

std::vector<std::string> DatabaseKeeper::services() const {
  std::vector<std::string> out;
  for (const auto& [name, database] : databases_) out.push_back(name);
  return out;
}

void DatabaseKeeper::acknowledge() {
  for (auto& [name, database] : databases_) feed(*database, Acknowledged{});
}

Result<DatabaseView> DatabaseKeeper::view(std::string service) {
  auto found = databases_.find(service);
  if (found == databases_.end())
    return fail(ErrorKind::not_found, fmt::format("there is no database service '{}'", service));
  const State& state = found->second->state;
  MonoTime now = boot_now();
  DatabaseView view;
  view.service = service;
  view.term = state.term;
  view.holder = state.vacancy == Vacancy::none ? state.holder : std::string();
  view.writable = is_writable(state, now);
  view.automatic_made = static_cast<int>(state.automatic_failovers.size());
  view.automatic_refused = state.automatic_refused;
  if (!state.positions.empty()) view.last_known_written = state.positions.back().written;
  if (state.transfer)
    view.busy = fmt::format("to {}", state.transfer->target.empty() ? state.transfer->to : state.transfer->target);
  for (const Member& member : state.members) {
    view.members.push_back(
        {member.config.name, member.config.region, member.connected, member.report,
         member.last_report == MonoTime{} ? Duration::max() : to_duration(now - member.last_report)});
  }
  return view;
}

Result<LossEstimate> DatabaseKeeper::loss_if_failed_over(std::string service, std::string to) {
  auto found = databases_.find(service);
  if (found == databases_.end())
    return fail(ErrorKind::not_found, fmt::format("there is no database service '{}'", service));
  const State& state = found->second->state;
  Choice choice = choose(state, to, {state.holder}, boot_now());
  LossEstimate loss{.candidate = choice.member, .reason = choice.reason};
  if (!choice.member.empty()) {
    loss.bytes = choice.lost_bytes;
    loss.age = choice.lost_age;
  }
  return loss;
}

Task<Result<Json>> DatabaseKeeper::failover(std::string service, std::string to, bool accept_loss, Deadline deadline,
                                            ProgressLine progress) {
  Transfer wanted{.kind = TransferKind::failover, .to = std::move(to), .accept_loss = accept_loss};
  auto work = transfer(std::move(service), std::move(wanted), deadline, std::move(progress));
  co_return co_await std::move(work);
}

Task<Result<Json>> DatabaseKeeper::switchover(std::string service, std::string to, Deadline deadline,
                                              ProgressLine progress) {
  Transfer wanted{.kind = TransferKind::switchover, .to = std::move(to)};
  auto work = transfer(std::move(service), std::move(wanted), deadline, std::move(progress));
  co_return co_await std::move(work);
}

Task<Result<Json>> DatabaseKeeper::reprotect(std::string service, std::string member, bool pages, Deadline deadline,
                                             ProgressLine progress) {
  Transfer wanted{.kind = TransferKind::reprotect, .to = std::move(member), .pages = pages};
  auto work = transfer(std::move(service), std::move(wanted), deadline, std::move(progress));
  co_return co_await std::move(work);
}

Task<Result<Json>> DatabaseKeeper::put_back(std::string service, std::string member, std::string restored,
                                            Deadline deadline, ProgressLine progress) {
  Transfer wanted{.kind = TransferKind::restore, .to = std::move(member), .restored = std::move(restored)};
  auto work = transfer(std::move(service), std::move(wanted), deadline, std::move(progress));
  co_return co_await std::move(work);
}

Task<Result<Json>> DatabaseKeeper::transfer(std::string service, Transfer wanted, Deadline deadline,
                                            ProgressLine progress) {
  auto found = databases_.find(service);
  if (found == databases_.end())
    co_return fail(ErrorKind::not_found, fmt::format("there is no database service '{}'", service));
  Database& database = *found->second;
  // A movement that is under way (a reflex, most often) is waited for: it may be the very one that is wanted.
  while (database.state.transfer && !deadline.passed()) co_await sleep_for(kTick);
  // So is a primary that this controller, leading since a moment ago, has not heard of yet.
  Deadline heard{std::min(began_ + kFirstReports, deadline.at)};
  bool needs_primary = wanted.kind != TransferKind::failover && wanted.kind != TransferKind::restore;
  while (needs_primary && !is_writable(database.state, boot_now()) && !heard.passed()) co_await sleep_for(kTick);
  wanted.id = next_transfer_++;
  auto waiter = std::make_shared<Waiter>(executor_);
  waiters_[wanted.id] = waiter;
  // The waiter goes with this coroutine, also when it is cancelled in the middle of a wait.
  struct Leave {
    DatabaseKeeper* keeper;
    Database* database;
    uint64_t id;
    ~Leave() {
      keeper->waiters_.erase(id);
      keeper->feed(*database, TransferGivenUp{id});
    }
  } leave{this, &database, wanted.id};
  feed(database, TransferAsked{wanted});
  std::string said;
  while (!waiter->finished && !deadline.passed()) {
    co_await waiter->wakeup.wait_until(deadline.at_most(Duration{500}).at);
    std::string reason = waiter->finished ? said : waiting_reason(database, wanted);
    if (reason != said) progress(said = reason);
  }
  if (!waiter->finished)
    co_return fail(ErrorKind::timed_out,
                   fmt::format("{} was not moved in time: {}", service, waiting_reason(database, wanted)));
  if (waiter->finished->error) co_return std::unexpected(*waiter->finished->error);
  co_return waiter->finished->result;
}

namespace {

std::string state_of_standbys(const State& state) {
  std::vector<std::string> states;
  for (const Member& member : state.members) {
    if (member.config.name == state.holder || !member.connected) continue;
    states.push_back(fmt::format("{} {}{}", member.config.name, enum_name(member.report.state),
                                 member.report.streaming ? ", streams" : ""));
  }
  return fmt::format("{}", fmt::join(states, ", "));
}

}  // namespace

std::string DatabaseKeeper::waiting_reason(const Database& database, const Transfer& wanted) const {
  const State& state = database.state;
  MonoTime now = boot_now();
  if (wanted.kind == TransferKind::reprotect) return state_of_standbys(state);
  if (!state.transfer || state.transfer->id != wanted.id) return "another movement is under way";
  switch (state.transfer->stage) {
    case Transfer::Stage::waiting_for_vacancy:
      if (wanted.kind == TransferKind::restore) return next_put_back(state, now).why;
      if (!is_vacant(state, now))
        return fmt::format("{} may still write for {}", state.holder,
                           format_span(to_duration(state.lease_until - now)));
      return "no candidate: " + choose(state, wanted.to, state.transfer->failed, now).reason;
    case Transfer::Stage::adopting: return fmt::format("{} puts the data of {} in place", wanted.to, wanted.restored);
    case Transfer::Stage::stepping_down: return fmt::format("{} stops writing", state.holder);
    case Transfer::Stage::succeeding:
      return fmt::format("{} has stopped; {} is heard first", state.holder, state.transfer->target);
    case Transfer::Stage::granting: return fmt::format("{} is granted the right to write", state.transfer->target);
    case Transfer::Stage::leading: return fmt::format("{} is promoted", state.transfer->target);
  }
  return {};
}

}  // namespace lifeboat
