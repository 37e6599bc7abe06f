// What a drill reads out of the controller's journal and of the witnesses at the servers, beside what core/measure computes.
// Pure: no clock, no network.
#pragma once

#include <string_view>
#include <vector>

#include "core/data/json.hpp"
#include "core/measure/measure.hpp"

namespace lifeboat::lab {

// When a server of a database acknowledged a write again after the fault: the first acknowledgement of one that gave none just
// before it, or of one that did, after a silence. Zero if there was none.
MonoTime writable_again(const std::vector<std::vector<measure::Ack>>& members, MonoTime fault);

// The last write that was acknowledged by the server that took writes when the fault came, before it fell silent: how long it
// went on. Zero if none had taken any.
MonoTime acknowledged_until(const std::vector<std::vector<measure::Ack>>& members, MonoTime fault);

// The first moment at which the controller knew (a signal was believed, or a database had no holder) and decided (a run was
// started, or a standby promoted by reflex). Zero when it did not.
struct Decided {
  MonoTime detected{};
  MonoTime decided{};
  MonoTime opened{};  // the run
};
Decided decided_in(const JsonArray& events, MonoTime fault, std::string_view run_id);

// When the journal went on after that moment; zero when it did not.
MonoTime first_event_after(const JsonArray& events, MonoTime moment);

// Reports of the same drill, held several times, as one: each figure as {"min", "median", "max"} over those that have it, with
// "none" saying in how many it is null; whatever is the same in all stays as it is, and the rest (steps, the journal, which run it
// was) is left to the single reports.
JsonObject spread_of(const std::vector<Json>& reports);

}  // namespace lifeboat::lab
