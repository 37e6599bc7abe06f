#include "core/detection/detection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lifeboat::detection {
namespace {

const Observed* find(const State& state, const std::string& vantage, const std::string& target) {
  auto found = state.observed.find({vantage, target});
  return found == state.observed.end() ? nullptr : &found->second;
}

bool reaches_another_region(const State& state, const VantagePoint& vantage, const std::string& region, Duration fresh,
                            MonoTime now) {
  bool linked = !vantage.linked_to.empty() && vantage.linked_to != region && vantage.linked_to != vantage.region;
  if (linked) return true;
  return std::ranges::any_of(state.targets, [&](const Target& target) {
    if (target.region.empty() || target.region == region || target.region == vantage.region) return false;
    const Observed* seen = find(state, vantage.name, target.id);
    return seen != nullptr && !seen->failing_since && now - seen->last <= fresh;
  });
}

Vote vote_of(const State& state, const VantagePoint& vantage, const std::string& region, const Window& window,
             MonoTime now) {
  Vote vote{.vantage = vantage.name, .region = vantage.region};
  MonoTime all_failing_since{};
  bool stale = false;
  for (const Target& target : state.targets) {
    if (target.region != region) continue;
    ++vote.targets;
    const Observed* seen = find(state, vantage.name, target.id);
    if (seen == nullptr || now - seen->last > window.fresh) {
      stale = true;
      continue;
    }
    if (!seen->failing_since) {
      ++vote.answering;
      continue;
    }
    ++vote.failing;
    all_failing_since = std::max(all_failing_since, *seen->failing_since);
    vote.detail = fmt::format("{}: {}", target.id, seen->detail);
  }
  if (vote.targets == 0) {
    vote.detail = "watches nothing there";
  } else if (stale) {
    vote.detail = "has no fresh result of some target";
  } else if (vote.failing < vote.targets) {
    vote.detail = fmt::format("{} of {} targets answer", vote.targets - vote.failing, vote.targets);
  } else {
    vote.failing_for = to_duration(now - all_failing_since);
    if (*vote.failing_for < window.for_) {
      vote.detail = "not for long enough";
    } else if (!reaches_another_region(state, vantage, region, window.fresh, now)) {
      vote.detail = "reaches nothing else either, so it may be alone";
    } else {
      vote.counts = true;
    }
  }
  return vote;
}

}  // namespace

void observe(State& state, const std::string& vantage, const std::string& target, bool ok, std::string detail,
             MonoTime now) {
  Observed& seen = state.observed[{vantage, target}];
  seen.last = now;
  seen.detail = std::move(detail);
  if (ok) {
    seen.failing_since.reset();
  } else if (!seen.failing_since) {
    seen.failing_since = now;
  }
}

void forget_vantage(State& state, const std::string& vantage) {
  std::erase_if(state.observed, [&](const auto& entry) { return entry.first.first == vantage; });
}

RegionVerdict judge_region(const State& state, const std::string& region, const Window& window, MonoTime now) {
  RegionVerdict verdict{.region = region};
  std::set<std::string> agreeing;
  for (const VantagePoint& vantage : state.vantages) {
    if (vantage.region == region) continue;
    Vote vote = vote_of(state, vantage, region, window, now);
    if (vote.counts) agreeing.insert(vote.region);
    verdict.suspected = verdict.suspected || vote.failing_for.has_value();
    verdict.answers = verdict.answers || vote.answering > 0;
    verdict.votes.push_back(std::move(vote));
  }
  verdict.regions_agreeing = static_cast<int>(agreeing.size());
  verdict.lost = verdict.regions_agreeing >= std::max(1, window.quorum);
  return verdict;
}

EndpointVerdict judge_endpoint(const State& state, const std::string& target, const Window& window, MonoTime now) {
  EndpointVerdict verdict;
  std::set<std::string> failing, seeing;
  for (const VantagePoint& vantage : state.vantages) {
    const Observed* seen = find(state, vantage.name, target);
    if (seen == nullptr || now - seen->last > window.fresh) continue;
    if (!seen->failing_since) {
      seeing.insert(vantage.region);
    } else if (now - *seen->failing_since >= window.for_) {
      failing.insert(vantage.region);
      verdict.detail = fmt::format("{} sees: {}", vantage.name, seen->detail);
    }
  }
  for (const std::string& region : seeing) failing.erase(region);
  verdict.regions_failing = static_cast<int>(failing.size());
  verdict.regions_seeing = static_cast<int>(seeing.size());
  verdict.failing = verdict.regions_failing >= std::max(1, window.quorum);
  return verdict;
}

}  // namespace lifeboat::detection
