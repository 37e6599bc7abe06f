#include "lab/drill_measure.hpp"

#include <algorithm>

namespace lifeboat::lab {

namespace {

// A server that acknowledged nothing for so long had stopped; witnesses try fifty times a second.
constexpr Duration kSilence{300};

Json spread_of_values(const std::vector<const Json*>& values);

Json spread_of_objects(const std::vector<const Json*>& objects) {
  JsonObject out;
  for (const auto& entry : objects.front()->get_object()) {
    std::vector<const Json*> values;
    for (const Json* object : objects) values.push_back(&member(*object, entry.key()));
    out[entry.key()] = spread_of_values(values);
  }
  return out;
}

Json spread_of_values(const std::vector<const Json*>& values) {
  auto all = [&](auto is) { return std::ranges::all_of(values, is); };
  if (all([](const Json* value) { return value->is_object(); })) return spread_of_objects(values);
  if (all([](const Json* value) { return value->is_null(); })) return nullptr;
  if (!all([](const Json* value) { return value->is_number() || value->is_null(); })) {
    bool same = all([&](const Json* value) { return *value == *values.front(); });
    return same ? *values.front() : Json(nullptr);
  }
  std::vector<double> numbers;
  for (const Json* value : values) {
    if (value->is_number()) numbers.push_back(value->to_number<double>());
  }
  std::ranges::sort(numbers);
  size_t middle = numbers.size() / 2;
  double median = numbers.size() % 2 == 1 ? numbers[middle] : (numbers[middle - 1] + numbers[middle]) / 2;
  JsonObject out{{"min", numbers.front()}, {"median", median}, {"max", numbers.back()}};
  if (numbers.size() != values.size()) out["none"] = values.size() - numbers.size();
  return out;
}

}  // namespace

MonoTime writable_again(const std::vector<std::vector<measure::Ack>>& members, MonoTime fault) {
  MonoTime first{};
  for (std::vector<measure::Ack> acks : members) {
    std::ranges::sort(acks, {}, &measure::Ack::done);
    // The last moment at which this server is known to have taken writes; one that did when the fault came may go on for a
    // while, cut off from others.
    MonoTime last{};
    for (const measure::Ack& ack : acks) {
      bool goes_on = last != MonoTime{} && last >= fault - kSilence && ack.done - last <= kSilence;
      if (ack.done > fault && !goes_on) {
        if (first == MonoTime{} || ack.done < first) first = ack.done;
        break;
      }
      last = ack.done;
    }
  }
  return first;
}

MonoTime acknowledged_until(const std::vector<std::vector<measure::Ack>>& members, MonoTime fault) {
  MonoTime newest{}, until{};
  for (std::vector<measure::Ack> acks : members) {
    std::ranges::sort(acks, {}, &measure::Ack::done);
    auto after = std::ranges::upper_bound(acks, fault, {}, &measure::Ack::done);
    if (after == acks.begin() || std::prev(after)->done < newest) continue;
    newest = until = std::prev(after)->done;
    for (; after != acks.end() && after->done - until <= kSilence; ++after) until = after->done;
  }
  return until;
}

Decided decided_in(const JsonArray& events, MonoTime fault, std::string_view run_id) {
  Decided out;
  auto first = [](MonoTime& slot, MonoTime at) {
    if (slot == MonoTime{}) slot = at;
  };
  for (const Json& event : events) {
    std::string kind = text_or(event, "kind"), stream = text_or(event, "stream");
    MonoTime at{std::chrono::nanoseconds(int_or(event, "boot_ns"))};
    if (at < fault) continue;
    bool starts = kind == "decided" && text_or(member(event, "body"), "verdict") == "start";
    if (kind == "signal-raised" || (kind == "vacant" && stream.starts_with("database/"))) first(out.detected, at);
    if (starts || kind == "automatic-failover" || kind == "run-opened") first(out.decided, at);
    if (kind == "run-opened" && stream == "run/" + std::string(run_id)) first(out.opened, at);
  }
  if (out.detected == MonoTime{}) out.detected = out.decided;
  return out;
}

MonoTime first_event_after(const JsonArray& events, MonoTime moment) {
  MonoTime first{};
  for (const Json& event : events) {
    MonoTime at{std::chrono::nanoseconds(int_or(event, "boot_ns"))};
    if (at > moment && (first == MonoTime{} || at < first)) first = at;
  }
  return first;
}

JsonObject spread_of(const std::vector<Json>& reports) {
  JsonObject out{{"repeat", reports.size()}};
  if (reports.empty()) return out;
  for (std::string_view key :
       {"scenario", "fault", "target", "profile", "leader_region", "milestones", "rta_s", "rpa", "writers",
        "fault_took_s", "last_acknowledged_s", "double_acknowledged_s", "objectives", "failback"}) {
    std::vector<const Json*> values;
    for (const Json& report : reports) values.push_back(&member(report, key));
    out[key] = spread_of_values(values);
  }
  return out;
}

}  // namespace lifeboat::lab
