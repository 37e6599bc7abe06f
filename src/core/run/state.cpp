#include "core/run/state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/mutants.hpp"

namespace lifeboat::run {
namespace {

std::unexpected<Error> misfit(const RunState& state, const Event& event, std::string_view why) {
  return fail(ErrorKind::invalid_input, fmt::format("event {} of run {} ({}) cannot follow: {}", state.events + 1,
                                                    state.id, in_words(event), why));
}

void release(RunState& state, size_t index) {
  const GraphStep& node = state.graph->steps[index];
  bool barrier = node.after_phase && state.phase_left[*node.after_phase] > 0;
  const StepState& step = state.steps[index];
  bool met = step.unsettled_needs == 0 || LIFEBOAT_BUG("one-need-is-enough");
  if (met && !barrier && step.status == StepStatus::waiting) state.startable.insert(index);
}

// A step that nothing waits for any more: those that did may go on.
void settle(RunState& state, size_t index, MonoTime at) {
  state.active.erase(index);
  state.blocking.erase(index);
  state.startable.erase(index);
  const GraphStep& node = state.graph->steps[index];
  for (size_t next : node.unlocks) {
    --state.steps[next].unsettled_needs;
    release(state, next);
  }
  if (node.kind == StepKind::message) return;
  if (--state.counted_left == 0) state.settled_at = at;
  if (--state.phase_left[node.phase] > 0) return;
  for (size_t next : state.graph->phases[node.phase].waiting_on_it) release(state, next);
}

bool failure_stops(const RunState& state, size_t index) {
  return state.graph->steps[index].kind != StepKind::message &&
         state.opened->steps[index].on_failure != OnFailure::go_on;
}

// Boot clocks of two boots have nothing to do with each other; what is still to come is carried over by wall time.
void change_clock(RunState& state, const Event& event) {
  std::chrono::nanoseconds gap = event.wall - state.last_wall;
  // A time of day that was set back says nothing.
  if (!LIFEBOAT_BUG("clock-set-back-is-believed")) gap = std::max(gap, std::chrono::nanoseconds{0});
  auto shift = event.at - (state.last_at + gap);
  auto move = [&](MonoTime& at) {
    if (at != MonoTime{}) at += shift;
  };
  for (StepState& step : state.steps) {
    move(step.question_expires);
    move(step.retry_at);
    move(step.attempt_started);
    move(step.first_started_at);
    move(step.ended_at);
  }
  move(state.settled_at);
  move(state.opened_at);
}

// Folds one event; `why` says what is wrong when it cannot follow.
class Folder {
 public:
  Folder(RunState& state, const Event& event) : state_(state), event_(event) {}

  Result<void> fold() {
    if (state_.finished()) return misfit(state_, event_, "the run had finished");
    std::string_view id = step_of(event_);
    if (!id.empty()) {
      auto found = state_.graph->find(id);
      if (!found) return misfit(state_, event_, "the run has no such step");
      index_ = *found;
    }
    std::string_view why = std::visit([this](const auto& body) { return take(body); }, event_.body);
    if (!why.empty()) return misfit(state_, event_, why);
    state_.last_at = event_.at;
    state_.last_wall = event_.wall;
    ++state_.events;
    return {};
  }

 private:
  RunState& state_;
  const Event& event_;
  size_t index_ = 0;

  StepState& step() { return state_.steps[index_]; }
  bool is(StepStatus status) { return step().status == status; }
  bool can_begin() { return state_.startable.contains(index_) || is(StepStatus::retrying); }

  void end_step(StepStatus status) {
    step().status = status;
    step().ended = event_.wall;
    step().ended_at = event_.at;
  }

  void end_badly(std::string_view kind, std::string error) {
    // It may have had its effect by then, or have it yet: who tries it again must look first.
    ErrorKind how = error_kind_of(kind);
    bool told_nothing = how == ErrorKind::unknown_outcome || how == ErrorKind::cancelled;
    if (told_nothing && is(StepStatus::running)) step().unknown = true;
    step().error_kind = kind;
    step().error = std::move(error);
    end_step(StepStatus::failed);
    state_.active.erase(index_);
    state_.startable.erase(index_);
    if (failure_stops(state_, index_)) {
      state_.blocking.insert(index_);
    } else {
      settle(state_, index_, event_.at);
    }
  }

  void leave_as_it_is(std::string error) {
    step().status = StepStatus::undo_failed;
    step().error = std::move(error);
    state_.active.erase(index_);
  }

  std::string_view take(const RunOpened&) { return "a run is opened once"; }

  std::string_view take(const RunRecovered& e) {
    if (e.boot != state_.boot) change_clock(state_, event_);
    state_.boot = e.boot;
    return {};
  }

  std::string_view take(const StepStarted& e) {
    if (!can_begin() && !(is(StepStatus::running) && e.cut_off)) return "the step could not start";
    if (e.attempt != step().attempt + 1) return "an attempt is missing or came twice";
    if (!step().first_started) {
      step().first_started = event_.wall;
      step().first_started_at = event_.at;
    }
    if (e.cut_off) {
      ++step().cut_offs;
      step().touched = true;
      // What the attempt before it asked for may come at any time, also when this one has ended.
      step().unknown = true;
    }
    step().status = StepStatus::running;
    step().attempt = e.attempt;
    step().attempt_started = event_.at;
    state_.startable.erase(index_);
    state_.active.insert(index_);
    return {};
  }

  std::string_view finish(int attempt, const std::string& summary, const Json& data) {
    if (!is(StepStatus::running) && !asks_confirmation(state_, index_)) return "the step was not running";
    if (attempt != step().attempt) return "it is about another attempt";
    end_step(StepStatus::done);
    step().summary = summary;
    step().data = data;
    step().error.clear();
    step().error_kind.clear();
    state_.finish_order.push_back(index_);
    settle(state_, index_, event_.at);
    return {};
  }

  std::string_view take(const StepObserved& e) {
    step().held_before = !step().touched;
    return finish(e.attempt, e.summary, e.data);
  }
  std::string_view take(const StepFinished& e) {
    step().touched = true;
    return finish(e.attempt, e.summary, e.data);
  }

  std::string_view take(const StepFailed& e) {
    bool live = is(StepStatus::running) || is(StepStatus::asking) || is(StepStatus::retrying) ||
                state_.startable.contains(index_);
    if (!live) return "the step was not under way";
    if (e.attempt > 0) step().touched = true;
    if (e.final_) {
      end_badly(e.kind, e.error);
      return {};
    }
    step().error_kind = e.kind;
    step().error = e.error;
    step().status = StepStatus::retrying;
    step().retry_at = event_.at;
    return {};
  }

  std::string_view take(const StepUnknown& e) {
    if (!is(StepStatus::running)) return "the step was not running";
    step().unknown = true;
    step().had_unknown = true;
    step().touched = true;
    step().error_kind = to_string(ErrorKind::unknown_outcome);
    step().error = e.error;
    step().status = StepStatus::retrying;
    step().retry_at = event_.at;
    return {};
  }

  std::string_view take(const StepRetryScheduled& e) {
    if (!is(StepStatus::retrying)) return "the step had not failed";
    step().retry_at = event_.at + e.after;
    return {};
  }

  std::string_view take(const StepRetryAsked&) {
    if (!is(StepStatus::failed) || !state_.blocking.contains(index_)) return "the step did not stop the run";
    state_.blocking.erase(index_);
    step().status = StepStatus::waiting;
    step().ended.reset();
    step().ended_at = {};
    step().budget_from = step().attempt;
    step().cut_offs = 0;
    step().had_unknown = false;
    if (!step().approved) step().question.reset();
    state_.startable.insert(index_);
    return {};
  }

  std::string_view take(const StepSkipped& e) {
    bool open = is(StepStatus::waiting) || is(StepStatus::asking) || is(StepStatus::retrying) || is(StepStatus::failed);
    StepKind kind = state_.graph->steps[index_].kind;
    open = open || (is(StepStatus::running) && kind == StepKind::wait);
    if (!open || (is(StepStatus::failed) && !state_.blocking.contains(index_)))
      return "the step was settled or running";
    end_step(StepStatus::skipped);
    step().settled_by = e.by;
    step().summary = e.reason;
    settle(state_, index_, event_.at);
    return {};
  }

  std::string_view take(const ApprovalAsked& e) {
    if (!state_.startable.contains(index_)) return "the step could not start";
    step().status = StepStatus::asking;
    step().question = e;
    step().question_expires = e.expires.count() > 0 ? event_.at + e.expires : MonoTime::max();
    step().approvals.clear();
    state_.startable.erase(index_);
    state_.active.insert(index_);
    return {};
  }

  std::string_view take(const ApprovalGiven& e) {
    if (!is(StepStatus::asking) || !step().question) return "nothing was asked";
    if (!step().approvals.insert(e.by).second) return "the same person approved twice";
    int need = LIFEBOAT_BUG("one-approval-is-enough") ? 1 : step().question->need;
    if (std::cmp_less(step().approvals.size(), need)) return {};
    step().approved = true;
    step().status = StepStatus::waiting;
    state_.active.erase(index_);
    state_.startable.insert(index_);
    return {};
  }

  std::string_view take(const ApprovalDeclined&) { return is(StepStatus::asking) ? "" : "nothing was asked"; }
  std::string_view take(const ApprovalExpired&) { return is(StepStatus::asking) ? "" : "nothing was asked"; }
  std::string_view take(const ManualAsked&) {
    if (!is(StepStatus::running)) return "the step had not started";
    step().status = StepStatus::asking;
    return {};
  }
  std::string_view take(const ManualConfirmed&) { return asks_confirmation(state_, index_) ? "" : "nothing was asked"; }
  std::string_view take(const StepCancelAsked&) { return {}; }

  std::string_view take(const RunPaused& e) {
    state_.paused = true;
    state_.paused_why = e.reason.empty() ? "by " + e.by : e.reason;
    return {};
  }
  std::string_view take(const RunResumed&) {
    state_.paused = false;
    state_.paused_why.clear();
    // Messages could not start meanwhile, so their time begins now.
    if (state_.counted_left == 0) state_.settled_at = event_.at;
    return {};
  }
  std::string_view take(const RunRestored& e) {
    state_.paused = !LIFEBOAT_BUG("restored-run-goes-on");
    state_.paused_why = e.reason;
    bool takes_back = state_.rolling_back || state_.rollback_wanted;
    state_.rolling_back = takes_back;
    for (index_ = 0; index_ < state_.steps.size(); ++index_) {
      bool is_done = is(StepStatus::done) && state_.opened->steps[index_].can_undo && !step().held_before;
      bool at_work = is(StepStatus::running) && is_carried_out(state_.graph->steps[index_].kind);
      if (is(StepStatus::undoing) || (takes_back && is_done)) {
        leave_as_it_is(e.reason);
      } else if (at_work || is(StepStatus::retrying)) {
        step().touched = true;
        end_badly(to_string(ErrorKind::unknown_outcome), "whether it was done is not known: " + e.reason);
      }
      step().unknown = true;
    }
    return {};
  }
  std::string_view take(const RunHalted& e) {
    state_.paused = true;
    state_.paused_why = e.reason;
    return {};
  }
  std::string_view take(const AbortAsked& e) {
    state_.aborting = true;
    state_.rollback_wanted = state_.rollback_wanted || e.rollback;
    state_.ending_why = e.reason.empty() ? "by " + e.by : fmt::format("by {}: {}", e.by, e.reason);
    return {};
  }
  std::string_view take(const RollbackStarted& e) {
    if (state_.rolling_back) return "the rollback had started";
    state_.rolling_back = true;
    state_.ending_why = e.reason;
    return {};
  }
  std::string_view take(const UndoStarted&) {
    if (!state_.rolling_back) return "no rollback was under way";
    if (!is(StepStatus::done) && !is(StepStatus::undoing)) return "the step was not done";
    step().status = StepStatus::undoing;
    step().attempt_started = event_.at;
    state_.active.insert(index_);
    return {};
  }
  std::string_view take(const StepUndone& e) {
    if (!is(StepStatus::undoing)) return "the step was not being taken back";
    step().status = StepStatus::undone;
    step().summary = e.summary;
    state_.active.erase(index_);
    return {};
  }
  std::string_view take(const StepUndoFailed& e) {
    if (!is(StepStatus::undoing)) return "the step was not being taken back";
    leave_as_it_is(e.error);
    return {};
  }
  std::string_view take(const RunFinished& e) {
    state_.end = e.state;
    state_.end_reason = e.reason;
    state_.ended_wall = event_.wall;
    state_.ended_at = event_.at;
    return {};
  }
};

}  // namespace

const StepState* RunState::step(std::string_view step_id) const {
  auto found = graph->find(step_id);
  return found ? &steps[*found] : nullptr;
}

Result<RunState> open_state(std::string id, const Event& event) {
  const auto* opened = std::get_if<RunOpened>(&event.body);
  if (opened == nullptr) {
    return fail(ErrorKind::invalid_input,
                fmt::format("run {} begins with '{}' where run-opened was expected", id, kind_of(event)));
  }
  TRY(Graph graph, build_graph(opened->steps));
  RunState state;
  state.id = std::move(id);
  state.opened = std::make_shared<const RunOpened>(*opened);
  state.steps.resize(graph.steps.size());
  for (const GraphPhase& phase : graph.phases) {
    state.phase_left.push_back(phase.counted);
    state.counted_left += phase.counted;
  }
  state.graph = std::make_shared<const Graph>(std::move(graph));
  for (size_t index = 0; index < state.steps.size(); ++index) {
    state.steps[index].unsettled_needs = state.graph->steps[index].needs.size();
    release(state, index);
  }
  state.boot = opened->boot;
  state.opened_at = state.last_at = event.at;
  state.opened_wall = state.last_wall = event.wall;
  if (state.counted_left == 0) state.settled_at = event.at;
  state.events = 1;
  return state;
}

Result<void> apply(RunState& state, const Event& event) { return Folder(state, event).fold(); }

Result<RunState> fold(std::string id, std::span<const Event> events) {
  if (events.empty()) return fail(ErrorKind::not_found, fmt::format("run {} has no events", id));
  TRY(RunState state, open_state(std::move(id), events.front()));
  for (const Event& event : events.subspan(1)) TRY_VOID(apply(state, event));
  return state;
}

bool is_settled(const RunState& state, size_t step) {
  switch (state.steps[step].status) {
    case StepStatus::done:
    case StepStatus::skipped:
    case StepStatus::undoing:
    case StepStatus::undone:
    case StepStatus::undo_failed: return true;
    case StepStatus::failed: return !failure_stops(state, step);
    default: return false;
  }
}

bool asks_confirmation(const RunState& state, size_t step) {
  const StepState& one = state.steps[step];
  return one.status == StepStatus::asking && state.graph->steps[step].kind == StepKind::manual &&
         (!one.question || one.approved);
}

RunStatus status_of(const RunState& state) {
  if (state.end) {
    switch (*state.end) {
      case RunEnd::done: return RunStatus::done;
      case RunEnd::failed: return RunStatus::failed;
      case RunEnd::aborted: return RunStatus::aborted;
      case RunEnd::rolled_back: return RunStatus::rolled_back;
    }
  }
  if (state.rolling_back) return RunStatus::rolling_back;
  if (state.aborting) return RunStatus::aborting;
  if (state.paused) return RunStatus::paused;
  if (!state.blocking.empty()) return RunStatus::waiting;
  bool asked = false;
  for (size_t index : state.active) {
    StepKind kind = state.graph->steps[index].kind;
    if (kind == StepKind::message) continue;
    if (state.steps[index].status != StepStatus::asking) return RunStatus::running;
    asked = true;
  }
  return asked ? RunStatus::asking : RunStatus::running;
}

}  // namespace lifeboat::run
