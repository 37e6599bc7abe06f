#include "store/etcd/keys.hpp"

#include <fmt/format.h>

#include "store/chain.hpp"

namespace lifeboat::etcd {

std::string Keys::journal(uint64_t last_seq) const { return fmt::format("{}journal/{:016x}", prefix, last_seq); }

Result<Head> head_of(const std::string& key, const std::string& value) {
  if (value.empty()) return Head{0, chain_root(), 0};
  TRY(Json data, unpack(key, value));
  return Head{static_cast<uint64_t>(int_or(data, "seq")), text_or(data, "hash"),
              static_cast<uint64_t>(int_or(data, "writes"))};
}

std::string head_text(const std::string& key, const Head& head, const std::string& instance) {
  return pack(key, JsonObject{{"seq", head.seq}, {"hash", head.hash}, {"writes", head.writes}, {"instance", instance}});
}

Result<OwnershipRecord> owner_of(const std::string& key, const std::string& value) {
  if (value.empty()) return OwnershipRecord{};
  TRY(Json data, unpack(key, value));
  return OwnershipRecord{static_cast<uint64_t>(int_or(data, "term")), text_or(data, "holder")};
}

std::string owner_text(const std::string& key, const OwnershipRecord& owner) {
  return pack(key, JsonObject{{"term", owner.term}, {"holder", owner.holder}});
}

Result<uint64_t> counter_of(const std::string& key, const std::string& value) {
  if (value.empty()) return 0;
  TRY(Json data, unpack(key, value));
  return static_cast<uint64_t>(int_or(data, "value"));
}

std::string counter_text(const std::string& key, uint64_t value) { return pack(key, JsonObject{{"value", value}}); }

Result<std::vector<StoredEvent>> events_of(const std::string& key, const std::string& value) {
  TRY(Json data, unpack(key, value));
  std::vector<StoredEvent> out;
  const Json& events = member(data, "events");
  if (!events.is_array()) return fail(ErrorKind::invalid_input, fmt::format("{} in etcd holds no events", key));
  for (const Json& each : events.get_array()) {
    auto at = parse_wall(text_or(each, "at"));
    if (!at) return fail(ErrorKind::invalid_input, fmt::format("{} in etcd holds an event without a time", key));
    TRY(Json body, parse_json(text_or(each, "body")));
    out.push_back({static_cast<uint64_t>(int_or(each, "seq")), *at, text_or(each, "stream"), text_or(each, "kind"),
                   std::move(body), text_or(each, "hash")});
  }
  return out;
}

std::string events_text(const std::string& key, const std::vector<StoredEvent>& events) {
  JsonArray all;
  for (const StoredEvent& event : events) {
    all.push_back(JsonObject{{"seq", event.seq},
                             {"at", format_wall(event.at)},
                             {"stream", event.stream},
                             {"kind", event.kind},
                             // As text: the hash covers these very bytes, and depth is counted from here.
                             {"body", to_canonical_text(event.body)},
                             {"hash", event.hash}});
  }
  return pack(key, JsonObject{{"events", std::move(all)}});
}

}  // namespace lifeboat::etcd
