// What the journal's "signals" stream says still stands: signals that were believed and not cleared since, and starts that were
// decided and not carried out. A controller that is started in the middle of an outage begins from this, so that it neither
// answers a cause a second time nor forgets an answer it had decided on. Pure: a fold of events.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/json.hpp"
#include "core/decision/decision.hpp"

namespace lifeboat::decision {

struct StandingSignal {
  RaisedNow raised;
  WallTime since{};
  std::string text;
};

struct OwedStart {
  RaisedNow raised;
  std::string scenario;
  std::vector<std::string> superseded;  // runs to be ended first
  std::string reason;
  std::string text;  // what was seen
};

struct Standing {
  std::map<std::string, StandingSignal> signals;  // by cause
  std::map<std::string, OwedStart> owed;          // by cause
};

// Events, in the order of the journal; kinds that say nothing about it are passed over.
void fold(Standing& standing, std::string_view kind, const Json& body, WallTime at);

}  // namespace lifeboat::decision
