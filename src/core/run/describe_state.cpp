#include <fmt/format.h>

#include "core/data/encode.hpp"
#include "core/run/state.hpp"

namespace lifeboat::run {
namespace {

double seconds_between(MonoTime from, MonoTime to) { return to_seconds(to - from); }

Json describe_question(const StepState& step, MonoTime now) {
  const ApprovalAsked& question = *step.question;
  JsonObject asked{{"need", question.need}, {"people", encode(question.people)}, {"roles", encode(question.roles)}};
  if (!question.text.empty()) asked["text"] = question.text;
  if (!question.loss.empty()) asked["loss"] = question.loss;
  if (step.question_expires != MonoTime::max())
    asked["expires_in_s"] = std::max(0.0, seconds_between(now, step.question_expires));
  return asked;
}

Json describe_step(const RunState& state, size_t index, MonoTime now) {
  const ResolvedStep& what = state.opened->steps[index];
  const StepState& step = state.steps[index];
  JsonObject out{{"id", what.id},           {"phase", what.phase},          {"title", what.title},
                 {"uses", what.uses},       {"kind", enum_name(what.kind)}, {"status", enum_name(step.status)},
                 {"attempts", step.attempt}};
  if (step.first_started) out["started_after_s"] = seconds_between(state.opened_at, step.first_started_at);
  if (step.first_started && step.ended) out["seconds"] = seconds_between(step.first_started_at, step.ended_at);
  if (step.held_before) out["held_before"] = true;
  if (!step.summary.empty()) out["summary"] = step.summary;
  if (!step.error.empty()) out["error"] = step.error;
  if (!step.settled_by.empty()) out["skipped_by"] = step.settled_by;
  if (!step.approvals.empty()) {
    JsonArray people;
    for (const std::string& person : step.approvals) people.emplace_back(person);
    out["approvals"] = std::move(people);
  }
  if (step.status == StepStatus::retrying) out["retry_in_s"] = std::max(0.0, seconds_between(now, step.retry_at));
  if (step.status != StepStatus::asking) return out;
  if (asks_confirmation(state, index)) {
    out["asked"] = JsonObject{{"text", what.text}, {"people", encode(what.people)}};
  } else {
    out["asked"] = describe_question(step, now);
  }
  return out;
}

JsonArray waiting_for(const RunState& state) {
  JsonArray out;
  auto add = [&](size_t index, std::string_view what) {
    out.push_back(JsonObject{{"step", state.opened->steps[index].id}, {"for", what}});
  };
  for (size_t index : state.blocking) add(index, "retry, skip or abort");
  for (size_t index : state.active) {
    if (state.steps[index].status != StepStatus::asking) continue;
    add(index, asks_confirmation(state, index) ? "confirmation" : "approval");
  }
  return out;
}

}  // namespace

Json describe_state(const RunState& state, MonoTime now) {
  const RunOpened& opened = *state.opened;
  JsonObject out{{"id", state.id},
                 {"scenario", opened.scenario},
                 {"title", opened.title},
                 {"mode", enum_name(opened.mode)},
                 {"profile", opened.profile},
                 {"status", enum_name(status_of(state))},
                 {"by", opened.by},
                 {"cause", opened.cause},
                 {"incident", opened.incident},
                 {"opened", format_wall(state.opened_wall)},
                 {"seconds", seconds_between(state.opened_at, state.end ? state.ended_at : now)}};
  if (state.ended_wall) out["ended"] = format_wall(*state.ended_wall);
  std::string why = state.end ? state.end_reason : state.paused ? state.paused_why : state.ending_why;
  if (!why.empty()) out["reason"] = why;
  if (!state.finished()) out["waiting_for"] = waiting_for(state);
  JsonArray steps;
  for (size_t index = 0; index < state.steps.size(); ++index) steps.push_back(describe_step(state, index, now));
  out["steps"] = std::move(steps);
  return out;
}

std::string fingerprint(const RunState& state) {
  std::string all = fmt::format("{} {} {} {} {} {} {} {} {}\n", state.id, state.events, state.paused, state.aborting,
                                state.rolling_back, state.rollback_wanted, state.counted_left,
                                state.end ? enum_name(*state.end) : "", state.boot);
  auto list = [&](const auto& indices) {
    for (size_t index : indices) all += fmt::format("{},", index);
    all += '\n';
  };
  list(state.startable);
  list(state.active);
  list(state.blocking);
  list(state.finish_order);
  list(state.phase_left);
  for (const StepState& step : state.steps) {
    all += fmt::format("{} {} {} {} {}{}{}{}{} {} {} {} {} {}\n", enum_name(step.status), step.attempt,
                       step.budget_from, step.cut_offs, step.unknown, step.had_unknown, step.touched, step.held_before,
                       step.approved, step.unsettled_needs, step.retry_at.time_since_epoch().count(),
                       step.question_expires.time_since_epoch().count(),
                       step.attempt_started.time_since_epoch().count(), to_canonical_text(step.data));
    for (const std::string& person : step.approvals) all += person + ' ';
  }
  return all;
}

}  // namespace lifeboat::run
