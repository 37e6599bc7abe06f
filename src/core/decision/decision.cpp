#include "core/decision/decision.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::decision {
namespace {

std::vector<std::string> proposals_of(const Decision& row) {
  std::vector<std::string> out;
  if (row.manual) out.push_back(row.manual->text);
  if (row.full) out.push_back(row.full->text);
  return out;
}

// Whether a run for that cause ("signal/subject") gives way to this signal.
bool gives_way(const Plan& plan, const ActiveRun& run, const RaisedNow& signal) {
  const Signal* larger = plan.signals.find(signal.signal);
  const Signal* smaller = plan.signals.find(std::string_view(run.cause).substr(0, run.cause.find('/')));
  if (larger == nullptr || smaller == nullptr || !run.by_itself) return false;
  return std::holds_alternative<RegionLostSignal>(*larger) && !std::holds_alternative<RegionLostSignal>(*smaller);
}

bool applies(const Scenario& scenario, const std::string& subject) {
  return scenario.applies_to.empty() || std::ranges::find(scenario.applies_to, subject) != scenario.applies_to.end();
}

}  // namespace

std::string cause_of(const RaisedNow& signal) {
  return signal.subject.empty() ? signal.signal : signal.signal + "/" + signal.subject;
}

Decided decide(const Plan& plan, const RaisedNow& signal, const History& history, MonoTime now) {
  Decided decided;
  const Decision* row = plan.decision_matrix.find(signal.signal);
  if (row == nullptr) {
    decided.reason = fmt::format("the decision matrix has no row for {}", signal.signal);
    return decided;
  }
  decided.proposals = proposals_of(*row);
  auto propose = [&](std::string reason) {
    decided.verdict = decided.proposals.empty() ? Verdict::nothing : Verdict::propose;
    // A run gives way only to one that takes its place.
    decided.superseded.clear();
    if (!decided.proposals.empty()) decided.scenario = decided.proposals.front();
    decided.reason = std::move(reason);
    return decided;
  };

  for (const ActiveRun& run : history.active) {
    if (run.cause == cause_of(signal)) {
      decided.reason = fmt::format("{} is under way for the same cause", run.id);
      return decided;
    }
  }
  if (!row->automatic) return propose(fmt::format("{} starts nothing by itself", signal.signal));
  const Scenario* scenario = plan.scenarios.find(row->automatic->text);
  if (scenario == nullptr) return propose(fmt::format("there is no scenario {}", row->automatic->text));
  if (!applies(*scenario, signal.subject))
    return propose(fmt::format("{} does not apply to {}", row->automatic->text, signal.subject));
  for (const ActiveRun& run : history.active) {
    // A rehearsal may take hours; what must be done meanwhile does not wait for it.
    if (run.only_looks) continue;
    if (gives_way(plan, run, signal)) {
      decided.superseded.push_back(run.id);
      continue;
    }
    return propose(fmt::format("{} ({}) is under way; a second run could work against it", run.id, run.scenario));
  }
  if (plan.safety.automatic_runs) {
    const AutomaticLimit& limit = *plan.safety.automatic_runs;
    auto recent =
        std::ranges::count_if(history.automatic_starts, [&](MonoTime at) { return now - at <= limit.within; });
    if (recent >= limit.at_most) {
      return propose(
          fmt::format("{} automatic runs within {} are the limit", limit.at_most, format_duration(limit.within)));
    }
  }
  decided.verdict = Verdict::start;
  decided.scenario = row->automatic->text;
  decided.reason = fmt::format("the decision matrix starts {} by itself on {}", decided.scenario, cause_of(signal));
  return decided;
}

}  // namespace lifeboat::decision
