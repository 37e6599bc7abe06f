#include "core/ramp/ramp.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat {
namespace {

constexpr double kWhole = 100;
constexpr Duration kLeastPatience{600'000};

Duration patience_of(const RampRules& rules) {
  if (rules.patience > Duration{0}) return rules.patience;
  return std::max(rules.interval * 10, kLeastPatience);
}

void forget_old(const RampRules& rules, RampState& state, MonoTime now) {
  uint64_t total = 0;
  for (const auto& counted : state.recent) total += counted.requests;
  while (!state.recent.empty()) {
    const auto& oldest = state.recent.front();
    bool needed = total - oldest.requests < rules.min_requests;
    if (now - oldest.at <= rules.window || needed) break;
    total -= oldest.requests;
    state.recent.pop_front();
  }
}

// What is wrong at this moment; empty if nothing.
std::string breach_of(const RampRules& rules, const RampState& state, const RampSample& sample) {
  if (sample.nothing_up) return "no server there is up";
  uint64_t requests = 0;
  uint64_t errors = 0;
  for (const auto& counted : state.recent) {
    requests += counted.requests;
    errors += counted.errors;
  }
  if (rules.max_error_rate) {
    double limit = *rules.max_error_rate;
    if (requests > 0 && requests >= rules.min_requests) {
      double rate = static_cast<double>(errors) / static_cast<double>(requests);
      if (rate > limit) {
        return fmt::format("error rate {:.1f} % ({} of {}), limit {:g} %", rate * 100, errors, requests, limit * 100);
      }
    }
    if (sample.user_error_rate && *sample.user_error_rate > limit) {
      return fmt::format("users see an error rate of {:.1f} %, limit {:g} %", *sample.user_error_rate * 100,
                         limit * 100);
    }
  }
  if (rules.max_p95_ms) {
    double limit = *rules.max_p95_ms;
    if (sample.p95_ms && *sample.p95_ms > limit) {
      return fmt::format("answers take {:.0f} ms at the load balancer, limit {:g} ms", *sample.p95_ms, limit);
    }
    if (sample.user_p95_ms && *sample.user_p95_ms > limit) {
      return fmt::format("p95 of users is {:.0f} ms, limit {:g} ms", *sample.user_p95_ms, limit);
    }
  }
  return {};
}

RampDecision decided(RampState state, RampVerdict verdict, std::string reason) {
  return {std::move(state), verdict, std::move(reason)};
}

void enter_stage(RampState& state, double share, MonoTime now) {
  state.share = share;
  state.stage_since = now;
  state.well_since = now;
  state.breach_since.reset();
  state.judged = 0;
  state.recent.clear();
}

RampDecision roll_back(RampState state, std::string reason, MonoTime now) {
  double was = state.share;
  enter_stage(state, 0, now);
  state.phase = RampPhase::rolled_back;
  return decided(std::move(state), RampVerdict::roll_back, fmt::format("at {:g} %: {}", was, reason));
}

}  // namespace

RampState begin_ramp(const RampRules& rules, double present_share, MonoTime now) {
  RampState state;
  state.begun = now;
  double share = present_share > 0 ? present_share : rules.start;
  enter_stage(state, std::clamp(share, 0.0, kWhole), now);
  return state;
}

RampDecision step_ramp(const RampRules& rules, RampState state, RampSample sample, MonoTime now) {
  if (state.phase != RampPhase::ramping) return decided(std::move(state), RampVerdict::hold, "it has ended");
  state.recent.push_back({now, sample.requests, sample.errors});
  state.judged += sample.requests;
  forget_old(rules, state, now);
  bool remembers = sample.users_from && *sample.users_from < state.begun;
  if (remembers) sample.user_error_rate = sample.user_p95_ms = std::nullopt;

  if (std::string breach = breach_of(rules, state, sample); !breach.empty()) {
    if (!state.breach_since) state.breach_since = now;
    if (now - *state.breach_since >= rules.confirm) return roll_back(std::move(state), std::move(breach), now);
    if (now - state.stage_since >= patience_of(rules)) return roll_back(std::move(state), std::move(breach), now);
    return decided(std::move(state), RampVerdict::hold, std::move(breach));
  }
  if (state.breach_since) {
    state.breach_since.reset();
    state.well_since = now;
  }
  if (now - state.stage_since >= patience_of(rules)) {
    std::string why = fmt::format("no verdict in {}: {} requests seen, {} needed", format_span(patience_of(rules)),
                                  state.judged, rules.min_requests);
    return roll_back(std::move(state), std::move(why), now);
  }
  if (remembers) {
    state.well_since = now;
    return decided(std::move(state), RampVerdict::hold, "what users see is still counted from before the ramp");
  }
  auto well_for = to_duration(now - state.well_since);
  if (well_for < rules.interval) {
    std::string reason = fmt::format("well for {}", format_span(well_for));
    return decided(std::move(state), RampVerdict::hold, std::move(reason));
  }
  if (state.judged < rules.min_requests) {
    std::string reason = fmt::format("{} of {} requests seen", state.judged, rules.min_requests);
    return decided(std::move(state), RampVerdict::hold, std::move(reason));
  }
  std::string seen =
      fmt::format("{} requests at {:g} %, well for {}", state.judged, state.share, format_span(well_for));
  if (state.share >= kWhole) {
    state.phase = RampPhase::completed;
    return decided(std::move(state), RampVerdict::complete, std::move(seen));
  }
  enter_stage(state, std::min(state.share + rules.step, kWhole), now);
  return decided(std::move(state), RampVerdict::advance, std::move(seen));
}

std::vector<double> ramp_stages(const RampRules& rules, double from) {
  std::vector<double> out;
  double share = from > 0 ? from : rules.start;
  while (share < kWhole && out.size() < 1000) {
    out.push_back(share);
    share += rules.step;
  }
  out.push_back(kWhole);
  return out;
}

}  // namespace lifeboat
