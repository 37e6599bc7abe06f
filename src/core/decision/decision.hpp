// What follows from a signal: the plan's decision matrix with its bounds. Pure; every answer has its reason in words.
#pragma once

#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/model/plan.hpp"

namespace lifeboat::decision {

struct RaisedNow {
  std::string signal;     // name in the plan
  std::string subject;    // the region or service it is about
  std::string raised_by;  // "vantage points", "ownership", or a person's name
};

struct ActiveRun {
  std::string id;
  std::string scenario;
  std::string cause;        // "signal/subject"
  bool by_itself = false;   // the decision matrix started it
  bool only_looks = false;  // it restores copies beside the live data and looks: it works against nothing
};

struct History {
  std::vector<ActiveRun> active;
  std::vector<MonoTime> automatic_starts;  // of this plan, newest last
};

enum class Verdict { start, propose, nothing };

struct Decided {
  Verdict verdict = Verdict::nothing;
  std::string scenario;                 // to start, or the first that is proposed
  std::vector<std::string> proposals;   // scenarios that people may start
  std::vector<std::string> superseded;  // runs to be ended first
  std::string reason;
};

// A lost region is a larger cause than an endpoint or a database in it: a run that was started by itself for one of those gives
// way to the region's, so that a recovery that was too small never stands in the way of the one that is needed.
Decided decide(const Plan& plan, const RaisedNow& signal, const History& history, MonoTime now);

// The cause by which two runs are known to be for the same thing.
std::string cause_of(const RaisedNow& signal);

}  // namespace lifeboat::decision
