// Copies of the store in etcd, and filling an empty one from a copy.
#include <fmt/format.h>

#include "store/etcd/etcd_store.hpp"
#include "store/etcd/pages.hpp"

namespace lifeboat::etcd {
namespace {

constexpr Duration kAsk{10'000};
constexpr Duration kFill{600'000};
constexpr size_t kEventsInOne = 100;
constexpr size_t kBytesInOne = 512 * 1024;

}  // namespace

Task<Result<std::vector<KeyValue>>> EtcdStore::all_below(std::string prefix, int64_t revision) {
  std::vector<KeyValue> out;
  Pages pages(client_, prefix, end_of_prefix(prefix), revision);
  while (pages.more()) {
    auto asking = pages.next();
    CO_TRY(std::vector<KeyValue> page, co_await std::move(asking));
    std::ranges::move(page, std::back_inserter(out));
  }
  co_return out;
}

Task<Result<StoreContents>> EtcdStore::copy() {
  auto asking = client_.range(keys_.head(), {}, 0, 0, Deadline::after(kAsk));
  // All as it was at the revision of this answer.
  CO_TRY(Found head, co_await std::move(asking));
  StoreContents out;
  auto reading_events = all_below(keys_.prefix + "journal/", head.revision);
  CO_TRY(std::vector<KeyValue> journal, co_await std::move(reading_events));
  for (const KeyValue& each : journal) {
    CO_TRY(std::vector<StoredEvent> events, events_of(each.key, each.value));
    std::ranges::move(events, std::back_inserter(out.events));
  }
  std::string counter_prefix = keys_.counter(""), owner_prefix = keys_.owner("");
  auto reading_counters = all_below(counter_prefix, head.revision);
  CO_TRY(std::vector<KeyValue> counters, co_await std::move(reading_counters));
  for (const KeyValue& each : counters) {
    CO_TRY(out.counters[each.key.substr(counter_prefix.size())], counter_of(each.key, each.value));
  }
  auto reading_owners = all_below(owner_prefix, head.revision);
  CO_TRY(std::vector<KeyValue> owners, co_await std::move(reading_owners));
  for (const KeyValue& each : owners) {
    CO_TRY(out.owners[each.key.substr(owner_prefix.size())], owner_of(each.key, each.value));
  }
  co_return out;
}

// Into a store without head and leader: whoever is elected meanwhile makes this fail, and it makes no such election succeed.
Task<Result<void>> EtcdStore::write_parts(std::vector<std::pair<std::string, std::string>> parts, Deadline deadline) {
  JsonArray compares{mod_is(keys_.head(), 0), mod_is(keys_.leader(), 0)}, puts;
  for (const auto& [key, value] : parts) puts.push_back(put_request(key, value));
  Json txn = JsonObject{{"compare", std::move(compares)},
                        {"success", std::move(puts)},
                        {"failure", JsonArray{JsonObject{{"request_range", range_request(keys_.head())}}}}};
  auto writing = client_.call("/v3/kv/txn", std::move(txn), deadline);
  CO_TRY(Json answer, co_await std::move(writing));
  if (bool_or(answer, "succeeded")) co_return Result<void>{};
  // The last part, the head, may have been written by an earlier try of the same.
  const Json& responses = member(answer, "responses");
  Found head = responses.is_array() && !responses.get_array().empty()
                   ? found_in(member(responses.get_array().front(), "response_range"))
                   : Found{};
  bool mine = !head.values.empty() && parts.back() == std::pair(keys_.head(), head.values.front().value);
  if (mine) co_return Result<void>{};
  co_return fail(
      ErrorKind::conflict, "the store is not empty, or a controller leads",
      fmt::format("make a copy, stop all controllers and remove what is there: etcdctl del --prefix {}", keys_.prefix));
}

// What a restore that was cut short left behind: events without a head.
Task<Result<void>> EtcdStore::clear_leftovers(Deadline deadline) {
  std::string prefix = keys_.prefix + "journal/";
  Json txn = JsonObject{
      {"compare", JsonArray{mod_is(keys_.head(), 0), mod_is(keys_.leader(), 0)}},
      {"success", JsonArray{JsonObject{{"request_delete_range", range_request(prefix, end_of_prefix(prefix))}}}}};
  auto clearing = client_.call("/v3/kv/txn", std::move(txn), deadline);
  CO_TRY(Json answer, co_await std::move(clearing));
  static_cast<void>(answer);
  co_return Result<void>{};
}

Task<Result<void>> EtcdStore::restore(StoreContents contents) {
  Deadline deadline = Deadline::after(kFill);
  auto clearing = clear_leftovers(deadline);
  CO_TRY_VOID(co_await std::move(clearing));
  Head head = *head_of(keys_.head(), {});
  std::vector<StoredEvent> together;
  size_t bytes = 0;
  for (size_t index = 0; index < contents.events.size(); ++index) {
    const StoredEvent& event = contents.events[index];
    bytes += 400 + 2 * to_text(event.body).size();
    together.push_back(event);
    head.seq = event.seq;
    head.hash = event.hash;
    bool last = index + 1 == contents.events.size();
    if (!last && together.size() < kEventsInOne && bytes < kBytesInOne) continue;
    std::string key = keys_.journal(event.seq);
    std::vector<std::pair<std::string, std::string>> part{{key, events_text(key, together)}};
    auto writing = write_parts(std::move(part), deadline);
    CO_TRY_VOID(co_await std::move(writing));
    together.clear();
    bytes = 0;
  }
  std::vector<std::pair<std::string, std::string>> rest;
  for (const auto& [name, value] : contents.counters)
    rest.emplace_back(keys_.counter(name), counter_text(keys_.counter(name), value));
  for (const auto& [service, owner] : contents.owners)
    rest.emplace_back(keys_.owner(service), owner_text(keys_.owner(service), owner));
  rest.emplace_back(keys_.format(), pack(keys_.format(), JsonObject{{"format", kFormat}}));
  rest.emplace_back(keys_.head(), head_text(keys_.head(), head, instance_));
  auto finishing = write_parts(std::move(rest), deadline);
  co_return co_await std::move(finishing);
}

}  // namespace lifeboat::etcd
