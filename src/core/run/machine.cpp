#include "core/run/machine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "core/base/mutants.hpp"
#include "core/run/conditions.hpp"
#include "core/run/timing.hpp"

namespace lifeboat::run {
namespace {

std::vector<size_t> copy(const std::set<size_t>& indices) { return {indices.begin(), indices.end()}; }

class Machine {
 public:
  Machine(RunState& state, Now now, const RandomSource& random) : state_(state), now_(now), random_(random) {}

  Decision decide(const Input& input) {
    if (state_.finished()) {
      refuse("the run has finished");
      return done();
    }
    std::visit([this](const auto& given) { take(given); }, input);
    go_on();
    return done();
  }

  Decision begin() {
    go_on();
    return done();
  }

 private:
  RunState& state_;
  Now now_;
  const RandomSource& random_;
  Decision out_;

  // --- events and commands

  void emit(EventBody body) {
    Event event{std::move(body), now_.mono, now_.wall};
    if (auto folded = apply(state_, event); !folded) throw std::logic_error(folded.error().text());
    out_.events.push_back(std::move(event));
  }
  void command(Command what) { out_.commands.push_back(std::move(what)); }
  void refuse(std::string why, ErrorKind kind = ErrorKind::refused) {
    Error error;
    error.kind = kind;
    error.what = std::move(why);
    out_.refused = std::move(error);
  }

  Decision done() {
    constexpr size_t kShown = 6;
    for (size_t index = 0; index < out_.events.size() && index < kShown; ++index) {
      if (index > 0) out_.reason += "; ";
      out_.reason += in_words(out_.events[index]);
    }
    if (out_.events.size() > kShown) out_.reason += fmt::format("; and {} more", out_.events.size() - kShown);
    if (out_.refused) out_.reason = out_.refused->what;
    if (out_.reason.empty()) out_.reason = "nothing changes";
    out_.wake = next_wake(state_);
    return std::move(out_);
  }

  StepState& step(size_t index) { return state_.steps[index]; }
  const ResolvedStep& what(size_t index) const { return state_.opened->steps[index]; }
  const std::string& id(size_t index) const { return what(index).id; }
  bool is_message(size_t index) const { return what(index).kind == StepKind::message; }

  // The attempt that a result is about, if it is still awaited.
  std::optional<size_t> awaited(std::string_view name, int attempt) {
    auto index = state_.graph->find(name);
    if (!index || step(*index).status != StepStatus::running || step(*index).attempt != attempt) return std::nullopt;
    return index;
  }

  std::optional<size_t> named(std::string_view name) {
    auto index = state_.graph->find(name);
    if (!index) refuse(fmt::format("the run has no step '{}'", name), ErrorKind::not_found);
    return index;
  }

  // --- results of attempts

  void take(const input::Succeeded& given) {
    auto index = awaited(given.step, given.attempt);
    if (!index) return;
    emit(StepFinished{given.step, given.attempt, given.summary, given.data});
    judge_halt(*index);
  }

  void take(const input::Held& given) {
    auto index = awaited(given.step, given.attempt);
    if (!index) return;
    emit(StepObserved{given.step, given.attempt, given.summary, given.data});
    judge_halt(*index);
  }

  void take(const input::Failed& given) {
    auto index = awaited(given.step, given.attempt);
    if (!index) return;
    const Retries& retries = what(*index).retries;
    bool unknown = given.error.kind == ErrorKind::unknown_outcome;
    if (unknown && LIFEBOAT_BUG("no-answer-is-a-yes")) return take(input::Succeeded{given.step, given.attempt, {}, {}});
    if (unknown) emit(StepUnknown{given.step, given.attempt, given.error.text()});
    int used = given.attempt - step(*index).budget_from - step(*index).cut_offs;
    int allowed = retries.attempts + (step(*index).had_unknown ? 1 : 0);
    bool stopping = is_ending(state_) && !is_message(*index);
    if (is_final(given.error.kind) || used >= allowed || stopping) {
      fail_for_good(*index, given.attempt, given.error.kind, given.error.text());
      return;
    }
    if (!unknown) emit(failure(*index, given.attempt, given.error.kind, given.error.text(), false));
    Duration after = backoff_before(retries, used + 1, random_());
    emit(StepRetryScheduled{given.step, given.attempt + 1, after});
  }

  void take(const input::Undone& given) {
    auto index = state_.graph->find(given.step);
    if (index && step(*index).status == StepStatus::undoing) emit(StepUndone{given.step, given.summary});
  }
  void take(const input::UndoFailed& given) {
    auto index = state_.graph->find(given.step);
    if (index && step(*index).status == StepStatus::undoing) emit(StepUndoFailed{given.step, given.error.text()});
  }
  void take(const input::Tick&) {}

  StepFailed failure(size_t index, int attempt, ErrorKind kind, std::string text, bool final_one) {
    return {id(index), attempt, std::string(to_string(kind)), std::move(text), final_one};
  }

  void fail_for_good(size_t index, int attempt, ErrorKind kind, std::string text) {
    emit(failure(index, attempt, kind, text, true));
    bool rollback = !is_message(index) && what(index).on_failure == OnFailure::rollback;
    if (!rollback || is_ending(state_)) return;
    emit(RollbackStarted{fmt::format("{} failed: {}", id(index), text)});
    stop_everything("the run is rolled back");
  }

  void judge_halt(size_t index) {
    const std::string& condition = what(index).halt_if;
    if (condition.empty()) return;
    auto holds = condition_holds(state_, condition);
    if (!holds) {
      emit(RunHalted{id(index), fmt::format("halt_if cannot be judged: {}", holds.error().text())});
    } else if (*holds) {
      emit(RunHalted{id(index), condition});
    }
  }

  // --- people

  bool may_answer(const std::string& by, const std::vector<std::string>& people, bool anybody) {
    if (by.empty()) {
      refuse("who answers is not said");
    } else if (std::ranges::find(people, by) == people.end() && !(anybody && people.empty())) {
      refuse(fmt::format("{} may not answer this; those who may: {}", by, fmt::join(people, ", ")));
    }
    return !out_.refused;
  }

  std::optional<size_t> asked(const std::string& name, const std::string& by) {
    happen_what_is_due();
    auto index = named(name);
    if (!index) return std::nullopt;
    if (step(*index).status != StepStatus::asking || asks_confirmation(state_, *index)) {
      refuse(fmt::format("'{}' asks nothing now; it is {}", name, enum_name(step(*index).status)));
      return std::nullopt;
    }
    if (!may_answer(by, step(*index).question->people, false)) return std::nullopt;
    return index;
  }

  void take(const input::Approve& given) {
    auto index = asked(given.step, given.by);
    if (!index) return;
    if (step(*index).approvals.contains(given.by)) {
      return refuse(
          fmt::format("{} approved already; {} distinct people are needed", given.by, step(*index).question->need));
    }
    emit(ApprovalGiven{given.step, given.by});
  }

  void take(const input::Decline& given) {
    auto index = asked(given.step, given.by);
    if (!index) return;
    emit(ApprovalDeclined{given.step, given.by, given.reason});
    std::string text = "declined by " + given.by + (given.reason.empty() ? "" : ": " + given.reason);
    fail_for_good(*index, 0, ErrorKind::refused, std::move(text));
  }

  void take(const input::Confirm& given) {
    happen_what_is_due();
    auto index = named(given.step);
    if (!index) return;
    if (!asks_confirmation(state_, *index))
      return refuse(fmt::format("'{}' waits for no confirmation now", given.step));
    if (!may_answer(given.by, what(*index).people, true)) return;
    int attempt = step(*index).attempt;
    emit(ManualConfirmed{given.step, given.by, given.note});
    JsonObject data{{"by", given.by}, {"note", given.note}};
    emit(StepFinished{given.step, attempt, "confirmed by " + given.by, std::move(data)});
    judge_halt(*index);
  }

  void take(const input::Pause& given) {
    if (is_ending(state_)) return refuse("the run is ending");
    if (state_.paused) return refuse("the run is paused already");
    emit(RunPaused{given.by, given.reason});
  }

  void take(const input::Resume& given) {
    if (!state_.paused) return refuse("the run is not paused");
    emit(RunResumed{given.by});
  }

  void take(const input::Abort& given) {
    if (state_.rolling_back) return refuse("the run is being rolled back");
    if (state_.aborting && (state_.rollback_wanted || !given.rollback)) return refuse("the run is being aborted");
    emit(AbortAsked{given.by, given.reason, given.rollback});
    stop_everything("the run is aborted");
  }

  void take(const input::Skip& given) {
    happen_what_is_due();
    auto index = named(given.step);
    if (!index) return;
    StepStatus status = step(*index).status;
    if (given.reason.empty()) return refuse("a step is skipped only with a reason", ErrorKind::invalid_input);
    if (is_ending(state_)) return refuse("the run is ending");
    bool running = status == StepStatus::running || status == StepStatus::undoing;
    if (running && is_carried_out(what(*index).kind))
      return refuse(fmt::format("'{}' is running; stop it first", given.step));
    if (is_settled(state_, *index)) return refuse(fmt::format("'{}' is {} already", given.step, enum_name(status)));
    emit(StepSkipped{given.step, given.by, given.reason});
  }

  void take(const input::Retry& given) {
    auto index = named(given.step);
    if (!index) return;
    if (is_ending(state_)) return refuse("the run is ending");
    if (!state_.blocking.contains(*index)) {
      return refuse(fmt::format("'{}' did not stop the run; it is {}", given.step, enum_name(step(*index).status)));
    }
    emit(StepRetryAsked{given.step, given.by});
  }

  void take(const input::CancelStep& given) {
    auto index = named(given.step);
    if (!index) return;
    if (step(*index).status != StepStatus::running || !is_carried_out(what(*index).kind))
      return refuse(fmt::format("'{}' is not running", given.step));
    emit(StepCancelAsked{given.step, given.by, given.reason});
    command(command::CancelStep{given.step, step(*index).attempt});
  }

  // --- after a restart

  void take(const input::Recovered& given) {
    emit(RunRecovered{given.boot});
    for (size_t index : copy(state_.active)) {
      StepStatus status = step(index).status;
      if (asks_confirmation(state_, index)) {
        command(command::AskManual{ManualAsked{id(index), what(index).text, what(index).people}, true});
      } else if (status == StepStatus::asking) {
        command(command::AskApproval{*step(index).question, true});
      } else if (status == StepStatus::undoing) {
        start_undo(index);
      } else if (status == StepStatus::running) {
        take_up(index);
      }
    }
    if (is_ending(state_)) stop_everything("the run was ending when the controller was started again");
  }

  // A step that was running when everything stopped.
  void take_up(size_t index) {
    // A wait goes on by its timer. The others end together with their start, unless the journal was cut in between.
    if (what(index).kind == StepKind::wait) return;
    if (what(index).kind == StepKind::approval) return finish_approved(index);
    if (what(index).kind == StepKind::manual) return ask_by_hand(index);
    if (is_ending(state_)) {
      emit(failure(index, step(index).attempt, ErrorKind::unknown_outcome,
                   "cut off by a restart while the run was being stopped", true));
    } else {
      start(index, true);
    }
  }

  // --- going on

  void go_on() {
    happen_what_is_due();
    start_what_can_start();
    if (is_ending(state_)) {
      end_early();
    } else {
      end_when_settled();
    }
  }

  void happen_what_is_due() {
    for (size_t index : copy(state_.active)) {
      // An event before this one may have ended it.
      if (!state_.active.contains(index) || due_at(state_, index) > now_.mono) continue;
      StepStatus status = step(index).status;
      if (status == StepStatus::asking && !asks_confirmation(state_, index)) {
        emit(ApprovalExpired{id(index)});
        fail_for_good(index, 0, ErrorKind::timed_out, "nobody approved in time");
      } else if (status == StepStatus::retrying) {
        start(index, false);
      } else if (status == StepStatus::undoing) {
        emit(StepUndoFailed{id(index), "it did not end in its time"});
      } else {
        time_is_up(index);
      }
    }
  }

  void time_is_up(size_t index) {
    int attempt = step(index).attempt;
    if (what(index).kind == StepKind::wait) {
      emit(StepFinished{id(index), attempt, "waited " + format_span(what(index).wait), {}});
      judge_halt(index);
    } else if (what(index).kind == StepKind::manual) {
      fail_for_good(index, attempt, ErrorKind::timed_out, "nobody confirmed in time");
    } else {
      command(command::CancelStep{id(index), attempt});
      fail_for_good(index, attempt, ErrorKind::unknown_outcome,
                    "its time was up, and it did not end when it was told to: it may still be at work");
    }
  }

  void start_what_can_start() {
    // Steps that end at once (skipped, approved) make others startable, which may stand before them in the plan.
    for (bool again = true; again;) {
      again = false;
      if ((state_.paused && !LIFEBOAT_BUG("pause-stops-nothing")) || is_ending(state_)) return;
      for (size_t index : copy(state_.startable)) {
        if (!state_.startable.contains(index) || !may_start(state_, index)) continue;
        begin_step(index);
        again = true;
      }
    }
  }

  void begin_step(size_t index) {
    const ResolvedStep& plan = what(index);
    if (!plan.if_.empty() && step(index).attempt == 0 && !step(index).approved) {
      auto holds = condition_holds(state_, plan.if_);
      if (!holds) {
        return fail_for_good(index, 0, ErrorKind::invalid_input,
                             "its condition cannot be judged: " + holds.error().text());
      }
      if (!*holds) return emit(StepSkipped{plan.id, "condition", "not so: " + plan.if_});
    }
    if (plan.approval && !step(index).approved) return ask(index);
    if (is_carried_out(plan.kind)) return start(index, false);
    int attempt = step(index).attempt + 1;
    emit(StepStarted{plan.id, attempt, false, false});
    if (plan.kind == StepKind::manual) ask_by_hand(index);
    if (plan.kind == StepKind::approval) finish_approved(index);
  }

  void ask_by_hand(size_t index) {
    ManualAsked question{id(index), what(index).text, what(index).people};
    emit(question);
    command(command::AskManual{std::move(question), false});
  }

  void finish_approved(size_t index) {
    JsonArray people;
    for (const std::string& person : step(index).approvals) people.emplace_back(person);
    std::string summary = fmt::format("approved by {}", fmt::join(step(index).approvals, ", "));
    emit(StepFinished{id(index), step(index).attempt, std::move(summary), JsonObject{{"by", std::move(people)}}});
    judge_halt(index);
  }

  void ask(size_t index) {
    const ResolvedStep& plan = what(index);
    ApprovalAsked question{plan.id, plan.approval->need,     {}, plan.people, plan.approval->expires, plan.text,
                           {},      state_.opened->plan_hash};
    for (const Identifier& role : plan.approval->of) question.roles.push_back(role.text);
    emit(question);
    command(command::AskApproval{std::move(question), false});
  }

  void start(size_t index, bool cut_off) {
    int attempt = step(index).attempt + 1;
    auto observe = command::Observe::no;
    bool may_be_done = (step(index).unknown && !LIFEBOAT_BUG("no-answer-is-forgotten")) ||
                       (cut_off && !LIFEBOAT_BUG("cut-off-step-is-repeated"));
    if (may_be_done) {
      observe = command::Observe::must;
    } else if (!is_message(index) && (attempt > 1 || what(index).can_undo)) {
      // A rollback must not take back what had been so before.
      observe = command::Observe::first;
    }
    emit(StepStarted{id(index), attempt, observe != command::Observe::no, cut_off});
    command(command::StartStep{id(index), attempt, observe, now_.mono + what(index).timeout});
  }

  // --- ending

  // All that is not a message is told to stop or given up.
  void stop_everything(const std::string& why) {
    for (size_t index : copy(state_.active)) {
      if (is_message(index)) continue;
      StepStatus status = step(index).status;
      if (status == StepStatus::running && is_carried_out(what(index).kind)) {
        command(command::CancelStep{id(index), step(index).attempt});
      } else if (status == StepStatus::running) {
        emit(failure(index, step(index).attempt, ErrorKind::cancelled, why, true));
      } else if (status == StepStatus::asking || status == StepStatus::retrying) {
        emit(StepSkipped{id(index), "run", why});
      }
    }
  }

  void end_early() {
    bool messages = false;
    for (size_t index : state_.active) {
      if (!is_message(index)) return;  // its end is awaited; bounded by its deadline
      messages = messages || step(index).status == StepStatus::running;
    }
    if (state_.rollback_wanted && !state_.rolling_back) emit(RollbackStarted{"asked " + state_.ending_why});
    if (state_.rolling_back) {
      for (auto index = state_.finish_order.rbegin(); index != state_.finish_order.rend(); ++index) {
        const StepState& one = step(*index);
        if (one.status == StepStatus::done && what(*index).can_undo && !one.held_before) return start_undo(*index);
      }
    }
    if (messages) return;
    close_messages(false);
    finish_early();
  }

  void start_undo(size_t index) {
    emit(UndoStarted{id(index)});
    command(command::UndoStep{id(index), step(index).data, now_.mono + what(index).timeout});
  }

  void finish_early() {
    std::vector<std::string> left;
    std::vector<std::string> half;
    for (size_t index = 0; index < state_.steps.size(); ++index) {
      if (step(index).status == StepStatus::undo_failed) left.push_back(id(index));
      bool failed = step(index).status == StepStatus::failed && what(index).kind == StepKind::doing;
      if (failed && step(index).touched) half.push_back(id(index));
    }
    std::string reason = state_.ending_why;
    if (!left.empty()) reason += fmt::format("; could not be taken back: {}", fmt::join(left, ", "));
    if (!half.empty()) reason += fmt::format("; may be half done: {}", fmt::join(half, ", "));
    RunEnd end = RunEnd::aborted;
    if (state_.rolling_back) end = left.empty() ? RunEnd::rolled_back : RunEnd::failed;
    finish(end, std::move(reason));
  }

  void end_when_settled() {
    if (state_.finished() || state_.paused || state_.counted_left > 0) return;
    bool grace_over = now_.mono >= state_.settled_at + state_.opened->message_grace;
    bool messages = false;
    for (size_t index = 0; index < state_.steps.size() && !messages; ++index) messages = !is_settled(state_, index);
    if (messages && !grace_over) return;
    close_messages(true);
    std::vector<std::string> failed;
    for (size_t index = 0; index < state_.steps.size(); ++index) {
      if (step(index).status == StepStatus::failed) failed.push_back(id(index));
    }
    std::string reason = "all steps are settled";
    if (!failed.empty()) reason += fmt::format("; failed without stopping the run: {}", fmt::join(failed, ", "));
    finish(RunEnd::done, std::move(reason));
  }

  void close_messages(bool also_waiting) {
    for (size_t index = 0; index < state_.steps.size(); ++index) {
      if (!is_message(index) || is_settled(state_, index)) continue;
      StepStatus status = step(index).status;
      if (status == StepStatus::running) {
        command(command::CancelStep{id(index), step(index).attempt});
        emit(failure(index, step(index).attempt, ErrorKind::cancelled, "the run ended before it did", true));
      } else if (also_waiting || status != StepStatus::waiting) {
        emit(StepSkipped{id(index), "run", "the run ended"});
      }
    }
  }

  void finish(RunEnd end, std::string reason) {
    emit(RunFinished{end, reason});
    command(command::Finished{end, std::move(reason)});
  }
};

}  // namespace

Result<Opening> open(std::string id, RunOpened opened, Now now, const RandomSource& random) {
  Event event{std::move(opened), now.mono, now.wall};
  TRY(RunState state, open_state(std::move(id), event));
  Decision decision = Machine(state, now, random).begin();
  decision.events.insert(decision.events.begin(), std::move(event));
  return Opening{std::move(state), std::move(decision)};
}

Decision advance(RunState& state, const Input& input, Now now, const RandomSource& random) {
  return Machine(state, now, random).decide(input);
}

Decision decide(const RunState& state, const Input& input, Now now, const RandomSource& random) {
  RunState copied = state;
  return advance(copied, input, now, random);
}

}  // namespace lifeboat::run
