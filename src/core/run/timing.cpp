#include "core/run/timing.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/mutants.hpp"

namespace lifeboat::run {
namespace {

// An attempt that was told to stop at its deadline has this long to do so before the run stops waiting for it.
constexpr Duration kOverrun{5'000};

}  // namespace

bool is_final(ErrorKind kind) {
  return kind == ErrorKind::invalid_input || kind == ErrorKind::refused || kind == ErrorKind::unsupported ||
         kind == ErrorKind::cancelled;
}

bool is_ending(const RunState& state) { return state.aborting || state.rolling_back; }

bool may_start(const RunState& state, size_t index) {
  bool paused = state.paused && !LIFEBOAT_BUG("pause-stops-nothing");
  if (state.finished() || paused || is_ending(state)) return false;
  return state.blocking.empty() || state.graph->steps[index].kind == StepKind::message;
}

MonoTime due_at(const RunState& state, size_t index) {
  const StepState& step = state.steps[index];
  const ResolvedStep& what = state.opened->steps[index];
  MonoTime at = MonoTime::max();
  bool by_hand = asks_confirmation(state, index);
  if (step.status == StepStatus::asking && !by_hand) return step.question_expires;
  if (step.status == StepStatus::retrying) return may_start(state, index) ? step.retry_at : at;
  if (step.status != StepStatus::running && step.status != StepStatus::undoing && !by_hand) return at;
  if (what.kind == StepKind::wait) return step.attempt_started + what.wait;
  if (what.timeout.count() > 0) at = step.attempt_started + what.timeout;
  if (at != MonoTime::max() && is_carried_out(what.kind)) at += kOverrun;
  if (what.kind == StepKind::message && is_ending(state))
    at = std::min<MonoTime>(at, step.attempt_started + state.opened->message_grace);
  return at;
}

std::optional<MonoTime> next_wake(const RunState& state) {
  if (state.finished()) return std::nullopt;
  MonoTime at = MonoTime::max();
  for (size_t index : state.active) at = std::min(at, due_at(state, index));
  if (state.counted_left == 0 && !state.paused && !is_ending(state))
    at = std::min<MonoTime>(at, state.settled_at + state.opened->message_grace);
  return at == MonoTime::max() ? std::nullopt : std::optional(at);
}

Duration backoff_before(const Retries& retries, int next, double chance) {
  double doubled = static_cast<double>(retries.backoff.count()) * std::pow(2.0, std::clamp(next - 2, 0, 40));
  double longest = std::min(doubled, static_cast<double>(retries.longest.count()));
  return Duration{static_cast<int64_t>(longest * (0.5 + 0.5 * chance))};
}

}  // namespace lifeboat::run
