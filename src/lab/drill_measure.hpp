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

// The first moment at which the controller knew (a signal was believed, or a database had no holder) and decided (a run was
// started, or a standby promoted by reflex). Zero when it did not.
struct Decided {
  MonoTime detected{};
  MonoTime decided{};
  MonoTime opened{};  // the run
};
Decided decided_in(const JsonArray& events, MonoTime fault, std::string_view run_id);

}  // namespace lifeboat::lab
