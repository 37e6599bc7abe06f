// From probe results to signals that can be believed. Pure: observations and the time come in, verdicts come out.
//
// A vantage point (a controller, an agent) votes that a region is lost when every target of that region has been
// failing for it, without a success in between, for the whole window, its newest results are fresh, and it still reaches
// something in another region (an observer that lost its own network sees everything fail); an agent's report that has
// come to a controller elsewhere is such a reach. A region is lost when
// vantage points in `quorum` regions other than it vote so.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"

namespace lifeboat::detection {

struct Target {
  std::string id;
  std::string region;
};

struct VantagePoint {
  std::string name;
  std::string region;
  std::string linked_to;  // region of the controller it reports to; empty for the controller itself
};

struct Observed {
  MonoTime last{};
  std::optional<MonoTime> failing_since;
  std::string detail;
};

struct State {
  std::vector<Target> targets;
  std::vector<VantagePoint> vantages;
  std::map<std::pair<std::string, std::string>, Observed> observed;  // (vantage, target)
};

struct Window {
  Duration for_{};   // how long it must be seen
  Duration fresh{};  // a result older than this says nothing
  int quorum = 2;
};

void observe(State& state, const std::string& vantage, const std::string& target, bool ok, std::string detail,
             MonoTime now);
// A vantage point that is gone has no vote, whatever it said before.
void forget_vantage(State& state, const std::string& vantage);

struct Vote {
  std::string vantage;
  std::string region;
  int targets = 0;
  int failing = 0;
  int answering = 0;
  std::optional<Duration> failing_for;  // since when all fail; nothing when one does not
  bool counts = false;                  // votes "lost"
  std::string detail;                   // why it does not count, or what it sees
};

struct RegionVerdict {
  std::string region;
  std::vector<Vote> votes;
  int regions_agreeing = 0;
  bool suspected = false;  // at least one vantage point outside sees everything there fail now
  bool lost = false;
  // At least one vantage point outside reaches something there now. Neither this nor suspected: nobody can say.
  bool answers = false;
};

RegionVerdict judge_region(const State& state, const std::string& region, const Window& window, MonoTime now);

// One endpoint, seen from all vantage points: the regions from which it has been failing for the whole window.
struct EndpointVerdict {
  int regions_failing = 0;
  int regions_seeing = 0;
  bool failing = false;
  std::string detail;
};
EndpointVerdict judge_endpoint(const State& state, const std::string& target, const Window& window, MonoTime now);

}  // namespace lifeboat::detection
