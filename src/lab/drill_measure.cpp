#include "lab/drill_measure.hpp"

#include <algorithm>

namespace lifeboat::lab {

namespace {

// A server that acknowledged nothing for so long had stopped; witnesses try fifty times a second.
constexpr Duration kSilence{300};

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

}  // namespace lifeboat::lab
