// What executor.cpp does with a single step: resolving it when a run is opened, and carrying out its attempts.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "controller/executor.hpp"

namespace lifeboat {
namespace {

run::StepKind kind_of(ActionKind kind) {
  switch (kind) {
    case ActionKind::doing: return run::StepKind::doing;
    case ActionKind::message: return run::StepKind::message;
    case ActionKind::approval: return run::StepKind::approval;
    case ActionKind::manual: return run::StepKind::manual;
    case ActionKind::wait: return run::StepKind::wait;
  }
  return run::StepKind::doing;
}

bool is_final(ErrorKind kind) {
  return kind == ErrorKind::invalid_input || kind == ErrorKind::refused || kind == ErrorKind::unsupported ||
         kind == ErrorKind::cancelled;
}

Error cancelled_error() {
  Error error;
  error.kind = ErrorKind::cancelled;
  error.what = "it was stopped";
  return error;
}

Error thrown_error(const char* what) {
  Error error;
  error.what = fmt::format("the action threw: {}", what);
  return error;
}

// Exceptions become values here, since within() would wait for the deadline when its operation throws.
template <class T>
Task<Result<T>> guarded(Task<Result<T>> op) {
  Error error;
  try {
    co_return co_await std::move(op);
  } catch (const boost::system::system_error& thrown) {
    error = thrown.code() == asio::error::operation_aborted ? cancelled_error() : thrown_error(thrown.what());
  } catch (const std::exception& thrown) {
    error = thrown_error(thrown.what());
  }
  co_return std::unexpected(std::move(error));
}

struct Made {
  std::unique_ptr<Action> action;
};

Result<Made> make(const ActionDescriptor* descriptor, const Result<Json>& with) {
  if (!with) return std::unexpected(with.error());
  if (descriptor == nullptr || descriptor->make == nullptr)
    return fail(ErrorKind::unsupported, "this program has no such action");
  TRY(auto action, descriptor->make(*with));
  return Made{std::move(action)};
}

// Nothing: go on and apply.
Task<std::optional<run::Input>> look_first(Action& action, ActionContext context, run::command::StartStep what,
                                           std::string name) {
  bool must = what.observe == run::command::Observe::must;
  Deadline until = context.deadline;
  if (!must) until = until.at_most(context.deadline.left() / 3);
  context.deadline = until;
  auto observing = guarded(action.observe(std::move(context)));
  auto seen = co_await within(until, name + ": observe", std::move(observing));
  if (seen && seen->holds)
    co_return run::Input(run::input::Held{what.step, what.attempt, std::move(seen->state), std::move(seen->data)});
  if (seen || !must) co_return std::nullopt;
  Error error = std::move(seen).error();
  // Whether the earlier attempt had its effect is still not known.
  if (!is_final(error.kind)) error.kind = ErrorKind::unknown_outcome;
  co_return run::Input(run::input::Failed{what.step, what.attempt, std::move(error).with("look whether it was done")});
}

Task<run::Input> attempt(const ActionDescriptor* descriptor, ActionContext context, Result<Json> with,
                         run::command::StartStep what) {
  auto made = make(descriptor, with);
  if (!made) co_return run::input::Failed{what.step, what.attempt, std::move(made).error()};
  std::string name(descriptor->name);
  if (what.observe != run::command::Observe::no) {
    auto looking = look_first(*made->action, context, what, name);
    auto ended = co_await std::move(looking);
    if (ended) co_return std::move(*ended);
  }
  Deadline deadline = context.deadline;
  auto applying = guarded(made->action->apply(std::move(context)));
  auto outcome = co_await within(deadline, name, std::move(applying));
  if (outcome)
    co_return run::input::Succeeded{what.step, what.attempt, std::move(outcome->summary), std::move(outcome->data)};
  Error error = std::move(outcome).error();
  // Cut short at the deadline, its request may be on its way.
  if (error.kind == ErrorKind::timed_out && deadline.passed()) error.kind = ErrorKind::unknown_outcome;
  co_return run::input::Failed{what.step, what.attempt, std::move(error)};
}

Task<run::Input> undo(const ActionDescriptor* descriptor, ActionContext context, Result<Json> with,
                      run::command::UndoStep what) {
  auto made = make(descriptor, with);
  if (!made) co_return run::input::UndoFailed{what.step, std::move(made).error()};
  Deadline deadline = context.deadline;
  std::string name = fmt::format("{}: take back", descriptor->name);
  auto undoing = guarded(made->action->undo(std::move(context), std::move(what.applied)));
  auto outcome = co_await within(deadline, std::move(name), std::move(undoing));
  if (outcome) co_return run::input::Undone{what.step, std::move(outcome->summary)};
  co_return run::input::UndoFailed{what.step, std::move(outcome).error()};
}

// `later` takes what is known only when other steps are done.
Result<Step> expand_step(const Step& step, const Vars& vars, const Plan& plan, const std::string& scenario,
                         const ActionDescriptor* descriptor, StepData& later) {
  std::string what = fmt::format("step '{}' of {}", step.id.text, scenario);
  if (descriptor == nullptr) {
    return fail(ErrorKind::unsupported, fmt::format("{} uses '{}', which this program does not have", what, step.uses),
                "`lifeboat explain` lists the actions");
  }
  DecodeProblems problems;
  Step out = step;
  out.with = expand(step.with, vars, plan, problems, "/with", &later);
  Json title = expand(Json(step.title), vars, plan, problems, "/title");
  if (title.is_string()) out.title = std::string(title.get_string());
  if (problems.empty() && descriptor->validate != nullptr) problems = descriptor->validate(out.with, plan);
  if (!problems.empty()) return std::unexpected(to_error(problems, what + " cannot run"));
  return out;
}

}  // namespace

Task<run::Input> carry_out(const ActionDescriptor* descriptor, ActionContext context, Result<Json> with,
                           run::command::StartStep what) {
  Error error;
  try {
    auto trying = attempt(descriptor, std::move(context), std::move(with), what);
    co_return co_await std::move(trying);
  } catch (const boost::system::system_error& thrown) {
    error = thrown.code() == asio::error::operation_aborted ? cancelled_error() : thrown_error(thrown.what());
  } catch (const std::exception& thrown) {
    error = thrown_error(thrown.what());
  }
  co_return run::input::Failed{what.step, what.attempt, std::move(error)};
}

Task<run::Input> take_back(const ActionDescriptor* descriptor, ActionContext context, Result<Json> with,
                           run::command::UndoStep what) {
  Error error;
  try {
    auto trying = undo(descriptor, std::move(context), std::move(with), what);
    co_return co_await std::move(trying);
  } catch (const boost::system::system_error& thrown) {
    error = thrown.code() == asio::error::operation_aborted ? cancelled_error() : thrown_error(thrown.what());
  } catch (const std::exception& thrown) {
    error = thrown_error(thrown.what());
  }
  co_return run::input::UndoFailed{what.step, std::move(error)};
}

Result<std::vector<run::ResolvedStep>> resolve_scenario(
    const Plan& plan, const OpenRequest& request, const Vars& vars,
    const std::function<const ActionDescriptor*(std::string_view)>& find) {
  const Scenario* scenario = plan.scenarios.find(request.scenario);
  if (scenario == nullptr) {
    return fail(ErrorKind::not_found, fmt::format("the plan has no scenario '{}'", request.scenario),
                did_you_mean(request.scenario, plan.scenarios.names()));
  }
  if (!request.profile.empty() && !plan.profiles.contains(request.profile)) {
    return fail(ErrorKind::not_found, fmt::format("the plan has no profile '{}'", request.profile),
                did_you_mean(request.profile, plan.profiles.names()));
  }
  Scenario expanded = *scenario;
  std::map<std::string, StepData> later;
  for (auto& [phase, steps] : expanded.phases) {
    for (Step& step : steps) {
      TRY(step, expand_step(step, vars, plan, request.scenario, find(step.uses), later[step.id.text]));
    }
  }
  auto traits = [&](const Step& step) -> Result<run::ActionTraits> {
    const ActionDescriptor* descriptor = find(step.uses);
    std::string touches = descriptor->touches == nullptr ? "" : descriptor->touches(step.with);
    return run::ActionTraits{kind_of(descriptor->kind), descriptor->can_undo, descriptor->usual_timeout,
                             std::move(touches)};
  };
  TRY(std::vector<run::ResolvedStep> resolved,
      run::resolve_steps(expanded, traits, [&](std::span<const Identifier> roles) { return people_of(plan, roles); }));
  for (run::ResolvedStep& step : resolved) step.later = std::move(later[step.id].left);
  return resolved;
}

}  // namespace lifeboat
