#include "store/etcd/etcd_store.hpp"

#include <fmt/format.h>

#include "io/crypto.hpp"
#include "store/chain.hpp"
#include "store/etcd/client.hpp"
#include "store/etcd/pages.hpp"

namespace lifeboat::etcd {
namespace {

constexpr Duration kRead{10'000};
// No event is of it: what is read for it is only looked at.
constexpr std::string_view kNoStream = "\n";
// Some ten thousands of events. Older ones are few, so what is kept is most of what there ever is.
constexpr size_t kMostKept = 32u << 20;
// etcd's own bound for a request is 1.5 MiB.
constexpr size_t kLargestWrite = 1024 * 1024;
// Operations of a transaction: etcd takes 128. Each call writes at most one key besides the events and the head.
constexpr size_t kMostCalls = 100;

Error deposed_error(const std::string& why) {
  Error error;
  error.kind = ErrorKind::refused;
  error.what = "this controller does not lead any more: " + why;
  error.hint = "ask the one that does; `lifeboat store status` names it";
  return error;
}

Leader leader_from(const Json& data) { return {text_or(data, "name"), text_or(data, "address")}; }

}  // namespace

EtcdStore::EtcdStore(asio::any_io_executor executor, EtcdOptions options)
    : executor_(executor),
      lease_wanted_(options.lease),
      keys_{options.prefix},
      client_(std::move(options)),
      instance_(random_hex(16)),
      kept_(kMostKept),
      scope_(executor, [this](std::string_view, std::string_view what) { lose(std::string(what)); }) {}

EtcdStore::~EtcdStore() = default;

// ---- leadership

void EtcdStore::lose(const std::string& why) {
  if (lost_.empty()) lost_ = why;
  lead_until_ = MonoTime{};
  lost_now_.notify();
}

bool EtcdStore::leads() const { return lost_.empty() && boot_now() < lead_until_; }

Result<void> EtcdStore::check_format(const KeyValue& format) const {
  if (format.mod_revision == 0) return {};
  TRY(Json data, unpack(keys_.format(), format.value));
  if (int_or(data, "format") > kFormat) {
    return fail(
        ErrorKind::unsupported,
        fmt::format("the store in etcd is of format {}, this program knows up to {}", int_or(data, "format"), kFormat),
        "use the newer Lifeboat that made it; this one changes nothing");
  }
  return {};
}

Task<Result<KeyValue>> EtcdStore::get(std::string key, Deadline deadline) {
  auto asking = client_.range(key, {}, 0, 0, deadline);
  CO_TRY(Found found, co_await std::move(asking));
  if (found.values.empty()) co_return KeyValue{.key = key, .value = {}};
  co_return std::move(found.values.front());
}

Task<Result<bool>> EtcdStore::campaign(Leader me) {
  Deadline deadline = Deadline::after(kRead);
  auto asking_format = get(keys_.format(), deadline);
  CO_TRY(KeyValue format, co_await std::move(asking_format));
  CO_TRY_VOID(check_format(format));
  auto asking_leader = get(keys_.leader(), deadline);
  CO_TRY(KeyValue present, co_await std::move(asking_leader));
  if (present.mod_revision != 0) co_return false;

  // The lease is counted from before it was asked for, so it ends here before it ends there.
  MonoTime asked = boot_now();
  int64_t seconds = std::max<int64_t>(1, (lease_wanted_.count() + 999) / 1000);
  Json wanted = JsonObject{{"TTL", std::to_string(seconds)}, {"ID", "0"}};
  auto granting = client_.call("/v3/lease/grant", std::move(wanted), deadline);
  CO_TRY(Json granted, co_await std::move(granting));
  int64_t lease = number_in(granted, "ID");
  Duration length = std::chrono::seconds(number_in(granted, "TTL"));
  if (lease == 0 || length <= Duration{0}) co_return fail(ErrorKind::internal, "etcd granted no lease");

  std::string mine =
      pack(keys_.leader(), JsonObject{{"name", me.name}, {"address", me.address}, {"instance", random_hex(16)}});
  JsonArray puts{put_request(keys_.leader(), mine, lease)};
  if (format.mod_revision == 0)
    puts.push_back(put_request(keys_.format(), pack(keys_.format(), JsonObject{{"format", kFormat}})));
  puts.push_back(JsonObject{{"request_range", range_request(keys_.head())}});
  Json txn =
      JsonObject{{"compare", JsonArray{created_at(keys_.leader(), 0), mod_is(keys_.format(), format.mod_revision)}},
                 {"success", std::move(puts)},
                 {"failure", JsonArray{JsonObject{{"request_range", range_request(keys_.leader())}},
                                       JsonObject{{"request_range", range_request(keys_.format())}},
                                       JsonObject{{"request_range", range_request(keys_.head())}}}}};
  auto trying = client_.call("/v3/kv/txn", std::move(txn), deadline);
  CO_TRY(Json answer, co_await std::move(trying));
  const Json& responses = member(answer, "responses");
  if (!responses.is_array() || responses.get_array().empty())
    co_return fail(ErrorKind::internal, "etcd answered a transaction without its parts");
  auto part = [&](size_t index) { return found_in(member(responses.get_array().at(index), "response_range")); };

  Found head_found = part(responses.get_array().size() - 1);
  int64_t revision = number_in(member(answer, "header"), "revision");
  format_revision_ = format.mod_revision == 0 ? revision : format.mod_revision;
  leader_revision_ = revision;
  if (!bool_or(answer, "succeeded")) {
    // An earlier try of the very same transaction may have been the one that went through.
    Found leader_found = part(0);
    if (leader_found.values.empty() || leader_found.values.front().value != mine) {
      auto giving_back = give_back(lease);
      co_await std::move(giving_back);
      co_return false;
    }
    leader_revision_ = leader_found.values.front().create_revision;
    Found format_found = part(1);
    if (!format_found.values.empty()) format_revision_ = format_found.values.front().mod_revision;
  }
  KeyValue head = head_found.values.empty() ? KeyValue{} : head_found.values.front();
  auto read = head_of(keys_.head(), head.value);
  if (!read) {
    auto giving_back = give_back(lease);
    co_await std::move(giving_back);
    co_return std::unexpected(std::move(read).error());
  }
  head_ = *read;
  head_revision_ = head.mod_revision;
  leader_text_ = mine;
  lease_ = lease;
  lease_length_ = length;
  owners_.clear();
  counters_.clear();
  lost_.clear();
  renewed_ = asked;
  lead_until_ = asked + length - margin();
  co_return leads();
}

Duration EtcdStore::margin() const { return std::max(Duration{200}, lease_length_ / 10); }

Task<> EtcdStore::give_back(int64_t lease) {
  // If it is not given back, it ends by itself.
  Json body = JsonObject{{"ID", std::to_string(lease)}};
  auto revoking = client_.call("/v3/lease/revoke", std::move(body), Deadline::after(kGiveBack));
  static_cast<void>(co_await std::move(revoking));
}

Task<Error> EtcdStore::keep_leading() {
  while (leads()) {
    co_await lost_now_.wait_until(std::min(renewed_ + lease_length_ / 4, lead_until_));
    if (!leads()) break;
    MonoTime asked = boot_now();
    Json body = JsonObject{{"ID", std::to_string(lease_)}};
    auto renewing = client_.call("/v3/lease/keepalive", std::move(body), Deadline{lead_until_});
    auto answer = co_await std::move(renewing);
    if (!answer) {
      last_problem_ = answer.error().text();
      // Whoever said no has not renewed it; as long as it runs, another try may go well.
      renewed_ = boot_now();
      continue;
    }
    if (number_in(member(*answer, "result"), "TTL") <= 0) {
      lose("its lease in etcd has ended");
      break;
    }
    renewed_ = asked;
    if (lost_.empty()) lead_until_ = asked + lease_length_ - margin();
  }
  if (lost_.empty()) lose("etcd could not be reached for the length of its lease: " + last_problem_);
  co_return deposed_error(lost_);
}

Task<Result<void>> EtcdStore::still_leads(Deadline deadline) {
  if (!leads()) co_return std::unexpected(deposed_error(lost_));
  auto asking = get(keys_.leader(), deadline);
  CO_TRY(KeyValue found, co_await std::move(asking));
  if (found.create_revision != leader_revision_) lose("etcd ended its lease before the time");
  if (!leads()) co_return std::unexpected(deposed_error(lost_));
  co_return Result<void>{};
}

Task<> EtcdStore::resign() {
  if (lease_ == 0) co_return;
  lose("it gave up the lead");
  auto giving_back = give_back(std::exchange(lease_, 0));
  co_await std::move(giving_back);
}

Task<Result<std::optional<Leader>>> EtcdStore::leader() {
  auto asking = client_.range(keys_.leader(), {}, 0, 0, Deadline::after(kRead));
  CO_TRY(Found found, co_await std::move(asking));
  seen_revision_ = found.revision;
  if (found.values.empty()) co_return std::optional<Leader>{};
  CO_TRY(Json data, unpack(keys_.leader(), found.values.front().value));
  co_return std::optional<Leader>{leader_from(data)};
}

Task<> EtcdStore::leader_may_change(Deadline deadline) {
  auto watching = client_.changed(keys_.leader(), seen_revision_, deadline);
  co_await std::move(watching);
}

// ---- reading

Task<Result<std::vector<StoredEvent>>> EtcdStore::read(EventFilter filter) {
  std::vector<StoredEvent> out;
  uint64_t kept = filter.after < kept_.end() ? kept_.end() : 0;
  // The end of what is kept is asked for too: it says whether that is this journal's beginning.
  Pages pages(client_, keys_.journal(kept != 0 ? kept : filter.after + 1), keys_.journal_end());
  for (bool first = true; pages.more() && out.size() < filter.limit; first = false) {
    auto asking = pages.next();
    CO_TRY(std::vector<KeyValue> page, co_await std::move(asking));
    if (first && kept != 0) {
      auto last = page.empty() ? Result<std::vector<StoredEvent>>() : events_of(page.front().key, page.front().value);
      CO_TRY_VOID(last);
      if (last->empty() || last->back().seq != kept || !kept_.has(last->back())) {
        // Another journal, restored from a copy perhaps. Nothing is believed of the old one.
        kept_.clear();
        auto reading_anew = read(std::move(filter));
        co_return co_await std::move(reading_anew);
      }
      CO_TRY_VOID(kept_.give(filter, kept, out));
      page.erase(page.begin());
    }
    for (const KeyValue& each : page) {
      CO_TRY(std::vector<StoredEvent> events, events_of(each.key, each.value));
      kept_.add(events);
      for (StoredEvent& event : events) {
        if (is_wanted(filter, event) && out.size() < filter.limit) out.push_back(std::move(event));
      }
    }
  }
  co_return out;
}

// The journal is read from where that was done last, and what is kept of it need not be read again by whoever is elected then.
// A number or an owner that is damaged hinders only what needs it.
Task<Result<void>> EtcdStore::understands() {
  std::string counters = keys_.counter(""), owners = keys_.owner("");
  auto range = [](Json request) { return JsonObject{{"request_range", std::move(request)}}; };
  Json txn = JsonObject{{"success", JsonArray{range(range_request(keys_.format())), range(range_request(keys_.head())),
                                              range(range_request(counters, end_of_prefix(counters))),
                                              range(range_request(owners, end_of_prefix(owners)))}}};
  auto asking = client_.call("/v3/kv/txn", std::move(txn), Deadline::after(kRead));
  CO_TRY(Json answer, co_await std::move(asking));
  const Json& responses = member(answer, "responses");
  if (!responses.is_array() || responses.get_array().size() != 4)
    co_return fail(ErrorKind::internal, "etcd answered a transaction without its parts");
  Head head;
  for (const Json& part : responses.get_array()) {
    for (const KeyValue& each : found_in(member(part, "response_range")).values) {
      auto data = unpack(each.key, each.value);
      if (!data && data.error().kind == ErrorKind::unsupported) co_return std::unexpected(std::move(data).error());
      if (each.key == keys_.format()) CO_TRY_VOID(check_format(each));
      if (each.key == keys_.head()) {
        CO_TRY(head, head_of(each.key, each.value));
      }
    }
  }
  auto reading = read({.stream = std::string(kNoStream), .after = understood_});
  CO_TRY_VOID(co_await std::move(reading));
  understood_ = head.seq;
  co_return Result<void>{};
}

Task<Result<ChainReport>> EtcdStore::verify() {
  auto asking_head = client_.range(keys_.head(), {}, 0, 0, Deadline::after(kRead));
  CO_TRY(Found head_found, co_await std::move(asking_head));
  ChainReport report;
  std::string previous = chain_root();
  auto broken = [&report](uint64_t seq, std::string reason) {
    report.broken_at = seq;
    report.reason = std::move(reason);
    return report;
  };
  // All as it was at one moment.
  Pages pages(client_, keys_.journal(0), keys_.journal_end(), head_found.revision);
  while (pages.more()) {
    auto asking = pages.next();
    CO_TRY(std::vector<KeyValue> page, co_await std::move(asking));
    for (const KeyValue& each : page) {
      uint64_t expected = report.events + 1;
      auto events = events_of(each.key, each.value);
      if (!events && events.error().kind == ErrorKind::unsupported)
        co_return std::unexpected(std::move(events).error());
      if (!events) co_return broken(expected, events.error().what);
      for (const StoredEvent& event : *events) {
        expected = report.events + 1;
        if (event.seq != expected)
          co_return broken(expected, fmt::format("event {} is missing; the next one there is {}", expected, event.seq));
        std::string hash =
            chain_hash(previous, event.seq, event.at, event.stream, event.kind, to_canonical_text(event.body));
        if (hash != event.hash)
          co_return broken(expected, fmt::format("event {} or its hash was changed after it was written", expected));
        previous = std::move(hash);
        ++report.events;
        report.head = previous;
      }
      if (each.key != keys_.journal(report.events))
        co_return broken(report.events, fmt::format("event {} stands in the wrong place", report.events));
    }
  }
  auto head = head_of(keys_.head(), head_found.values.empty() ? std::string() : head_found.values.front().value);
  if (!head) co_return broken(report.events + 1, head.error().what);
  if (head->seq != report.events || head->hash != previous) {
    co_return broken(report.events + 1, fmt::format("the journal ends with event {}, but its head was recorded as {}",
                                                    report.events, head->seq));
  }
  report.whole = true;
  co_return report;
}

Task<Result<OwnershipRecord>> EtcdStore::ownership(std::string service) {
  std::string key = keys_.owner(service);
  auto asking = get(key, Deadline::after(kRead));
  CO_TRY(KeyValue found, co_await std::move(asking));
  co_return owner_of(key, found.value);
}

// ---- writing

Task<Result<std::vector<StoredEvent>>> EtcdStore::append(std::vector<NewEvent> events) {
  for (const NewEvent& event : events) {
    if (event.stream.empty() || event.kind.empty())
      co_return fail(ErrorKind::invalid_input, "an event needs a stream and a kind");
  }
  auto call = std::make_shared<Call>(executor_);
  call->events = std::move(events);
  auto doing = carry_out(call);
  CO_TRY_VOID(co_await std::move(doing));
  co_return std::move(call->stored);
}

Task<Result<uint64_t>> EtcdStore::next_number(std::string counter) {
  auto call = std::make_shared<Call>(executor_);
  call->counter = std::move(counter);
  auto doing = carry_out(call);
  CO_TRY_VOID(co_await std::move(doing));
  co_return call->number;
}

Task<Result<OwnershipRecord>> EtcdStore::grant(std::string service, uint64_t expected_term, std::string holder,
                                               NewEvent journal) {
  auto granting = grant_above(std::move(service), expected_term, 0, std::move(holder), std::move(journal));
  co_return co_await std::move(granting);
}

Task<Result<OwnershipRecord>> EtcdStore::grant_above(std::string service, uint64_t expected_term, uint64_t floor,
                                                     std::string holder, NewEvent journal) {
  auto call = std::make_shared<Call>(executor_);
  call->service = std::move(service);
  call->expected_term = expected_term;
  call->floor = floor;
  call->owner.holder = std::move(holder);
  call->events.push_back(std::move(journal));
  auto doing = carry_out(call);
  CO_TRY_VOID(co_await std::move(doing));
  co_return call->owner;
}

Task<Result<void>> EtcdStore::carry_out(std::shared_ptr<Call> call) {
  if (!leads())
    co_return std::unexpected(deposed_error(lost_.empty() ? "it never did, or its lease has ended" : lost_));
  waiting_.push_back(call);
  if (!writing_) {
    writing_ = true;
    scope_.spawn("write", write_all());
  }
  // The writer ends every call when the lead ends, if not before.
  while (!call->result) co_await call->done.wait_until(boot_now() + kRead);
  co_return *call->result;
}

// Calls that wait together share a transaction, one after the other.
Task<> EtcdStore::write_all() {
  while (!waiting_.empty()) {
    std::vector<std::shared_ptr<Call>> together;
    size_t bytes = 0;
    while (!waiting_.empty() && together.size() < kMostCalls) {
      size_t size = 0;
      for (const NewEvent& event : waiting_.front()->events) size += 400 + 2 * to_text(event.body).size();
      if (!together.empty() && bytes + size > kLargestWrite / 2) break;
      bytes += size;
      together.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    auto writing = write_together(together);
    auto written = co_await std::move(writing);
    for (const auto& call : together) {
      if (!call->result) call->result = written;
      call->done.notify();
    }
  }
  writing_ = false;
}

Task<Result<void>> EtcdStore::learn(const Call& call) {
  if (!call.counter.empty() && !counters_.contains(call.counter)) {
    std::string key = keys_.counter(call.counter);
    auto asking = get(key, Deadline{lead_until_});
    CO_TRY(KeyValue found, co_await std::move(asking));
    CO_TRY(uint64_t value, counter_of(key, found.value));
    counters_[call.counter] = {value, found.mod_revision};
  }
  if (!call.service.empty() && !owners_.contains(call.service)) {
    std::string key = keys_.owner(call.service);
    auto asking = get(key, Deadline{lead_until_});
    CO_TRY(KeyValue found, co_await std::move(asking));
    CO_TRY(OwnershipRecord owner, owner_of(key, found.value));
    owners_[call.service] = {owner, found.mod_revision};
  }
  co_return Result<void>{};
}

// What the calls come to, on top of what is known; nothing of it is believed before etcd took it.
struct EtcdStore::Plan {
  Head head;
  std::string head_text;
  std::map<std::string, Known<uint64_t>> counters;
  std::map<std::string, Known<OwnershipRecord>> owners;
  std::vector<StoredEvent> events;
};

void EtcdStore::add_to(Plan& plan, Call& call, WallTime at) const {
  if (!call.service.empty()) {
    auto [known, fresh] = plan.owners.try_emplace(call.service, owners_.at(call.service));
    if (known->second.value.term != call.expected_term) {
      uint64_t term = known->second.value.term;
      if (fresh) plan.owners.erase(known);
      call.result =
          fail(ErrorKind::conflict, fmt::format("the term of {} is {}, not {}", call.service, term, call.expected_term),
               "someone else changed it; look again before deciding");
      return;
    }
    call.owner.term = std::max(call.expected_term, call.floor) + 1;
    known->second.value = call.owner;
  }
  if (!call.counter.empty()) {
    auto [known, fresh] = plan.counters.try_emplace(call.counter, counters_.at(call.counter));
    call.number = ++known->second.value;
  }
  call.stored.clear();
  for (const NewEvent& event : call.events) {
    std::string body = to_canonical_text(event.body);
    uint64_t seq = plan.head.seq + 1;
    std::string hash = chain_hash(plan.head.hash, seq, at, event.stream, event.kind, body);
    plan.head.seq = seq;
    plan.head.hash = hash;
    call.stored.push_back({seq, at, event.stream, event.kind, event.body, std::move(hash)});
    plan.events.push_back(call.stored.back());
  }
}

Task<Result<void>> EtcdStore::write_together(std::vector<std::shared_ptr<Call>> together) {
  if (!leads()) co_return std::unexpected(deposed_error(lost_));
  for (const auto& call : together) {
    auto learning = learn(*call);
    auto learned = co_await std::move(learning);
    if (!learned) call->result = std::move(learned);
  }
  Plan plan{.head = head_, .head_text = {}, .counters = {}, .owners = {}, .events = {}};
  WallTime at = wall_now();
  for (const auto& call : together) {
    if (!call->result) add_to(plan, *call, at);
  }
  bool nothing = plan.events.empty() && plan.counters.empty() && plan.owners.empty();
  if (nothing) co_return Result<void>{};
  ++plan.head.writes;
  plan.head_text = head_text(keys_.head(), plan.head, instance_);

  JsonArray compares{created_at(keys_.leader(), leader_revision_), value_is(keys_.leader(), leader_text_),
                     mod_is(keys_.format(), format_revision_), mod_is(keys_.head(), head_revision_)};
  JsonArray puts{put_request(keys_.head(), plan.head_text)};
  if (!plan.events.empty()) {
    std::string key = keys_.journal(plan.head.seq);
    std::string text = events_text(key, plan.events);
    if (text.size() > kLargestWrite) {
      co_return fail(ErrorKind::invalid_input,
                     fmt::format("events of {} bytes do not fit into one write of etcd", text.size()),
                     "a step's parameters or results are too large");
    }
    compares.push_back(mod_is(key, 0));
    puts.push_back(put_request(key, text));
  }
  for (const auto& [name, known] : plan.counters) {
    compares.push_back(mod_is(keys_.counter(name), known.revision));
    puts.push_back(put_request(keys_.counter(name), counter_text(keys_.counter(name), known.value)));
  }
  for (const auto& [name, known] : plan.owners) {
    compares.push_back(mod_is(keys_.owner(name), known.revision));
    puts.push_back(put_request(keys_.owner(name), owner_text(keys_.owner(name), known.value)));
  }
  Json txn = JsonObject{{"compare", std::move(compares)},
                        {"success", std::move(puts)},
                        {"failure", JsonArray{JsonObject{{"request_range", range_request(keys_.leader())}},
                                              JsonObject{{"request_range", range_request(keys_.head())}}}}};
  auto writing = client_.call("/v3/kv/txn", std::move(txn), Deadline{lead_until_});
  auto answer = co_await std::move(writing);
  if (!answer) {
    // What is not known to be written must not be built upon; the next leader reads what is there.
    lose("a write had no answer: " + answer.error().text());
    co_return std::unexpected(std::move(answer).error());
  }
  CO_TRY(int64_t revision, take_answer(*answer, plan));
  head_ = plan.head;
  head_revision_ = revision;
  for (auto& [name, known] : plan.counters) counters_[name] = {known.value, revision};
  for (auto& [name, known] : plan.owners) owners_[name] = {known.value, revision};
  co_return Result<void>{};
}

// The revision at which it was written, now or by an earlier try.
Result<int64_t> EtcdStore::take_answer(const Json& answer, const Plan& plan) {
  if (bool_or(answer, "succeeded")) return number_in(member(answer, "header"), "revision");
  const Json& responses = member(answer, "responses");
  auto part = [&](size_t index) {
    bool there = responses.is_array() && responses.get_array().size() > index;
    Found found = there ? found_in(member(responses.get_array().at(index), "response_range")) : Found{};
    return found.values.empty() ? KeyValue{} : found.values.front();
  };
  KeyValue leader = part(0), head = part(1);
  if (head.value == plan.head_text) return head.mod_revision;
  if (leader.value != leader_text_ || leader.create_revision != leader_revision_) {
    auto other = unpack(keys_.leader(), leader.value);
    lose(leader.value.empty() ? "etcd says that nobody leads"
         : other              ? fmt::format("{} does", leader_from(*other).name)
                              : "somebody else does");
    return std::unexpected(deposed_error(lost_));
  }
  lose(fmt::format("something else writes below {} in etcd", keys_.prefix));
  return fail(ErrorKind::conflict, lost_, "find out what it is; only the leading controller may write there");
}

}  // namespace lifeboat::etcd

namespace lifeboat {

Result<std::unique_ptr<Store>> open_etcd_store(asio::any_io_executor executor, EtcdOptions options) {
  if (options.endpoints.empty()) return fail(ErrorKind::invalid_input, "an etcd store needs the address of an etcd");
  for (const std::string& endpoint : options.endpoints) {
    if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://"))
      return fail(ErrorKind::invalid_input, fmt::format("'{}' is no address of etcd", endpoint),
                  "write http://HOST:2379 or https://HOST:2379");
  }
  if (options.prefix.size() < 2 || options.prefix.front() != '/' || options.prefix.back() != '/')
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no prefix of keys", options.prefix),
                "it begins and ends with /");
  return std::make_unique<etcd::EtcdStore>(std::move(executor), std::move(options));
}

}  // namespace lifeboat
