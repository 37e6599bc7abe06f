#include "core/decision/standing.hpp"

namespace lifeboat::decision {

void fold(Standing& standing, std::string_view kind, const Json& body, WallTime at) {
  RaisedNow raised{text_or(body, "signal"), text_or(body, "subject"), text_or(body, "by")};
  std::string cause = cause_of(raised);
  if (kind == "signal-raised") {
    standing.signals[cause] = {raised, at, text_or(body, "text")};
  } else if (kind == "signal-cleared") {
    standing.signals.erase(cause);
  } else if (kind == "decided" && text_or(body, "verdict") == "start") {
    OwedStart owed{.raised = raised, .scenario = text_or(body, "scenario"), .reason = text_or(body, "reason")};
    // Both events are of one append; who raised it stands in the other one.
    if (auto signal = standing.signals.find(cause); signal != standing.signals.end()) {
      owed.raised = signal->second.raised;
      owed.text = signal->second.text;
    }
    if (const Json& runs = member(body, "superseded"); runs.is_array()) {
      for (const Json& run : runs.get_array()) {
        if (run.is_string()) owed.superseded.emplace_back(run.get_string());
      }
    }
    standing.owed[cause] = std::move(owed);
  } else if (kind == "run-started" || kind == "start-refused") {
    standing.owed.erase(cause);
  }
}

}  // namespace lifeboat::decision
