#include "core/rehearsal/held.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lifeboat::rehearsal {
namespace {

// A person who leaves a step out has not rehearsed it; a condition that does is part of the scenario.
bool is_missing(const run::RunState& state, size_t index) {
  const run::StepState& step = state.steps[index];
  if (state.opened->steps[index].kind == run::StepKind::message) return false;
  bool left_out = step.status == run::StepStatus::skipped && step.settled_by != "condition" && step.settled_by != "run";
  return left_out || step.status == run::StepStatus::failed;
}

bool may_be_missing(const run::ResolvedStep& step) {
  return step.on_failure == OnFailure::go_on && !step.uses.starts_with("postgres.restore");
}

}  // namespace

std::optional<Held> held_in(const run::RunState& state) {
  if (!state.finished() || state.opened->mode == run::RunMode::drill) return std::nullopt;
  Held out{.at = state.opened_wall, .passed = state.end == run::RunEnd::done, .source = state.id};
  std::vector<std::string> missing;
  for (size_t index = 0; index < state.steps.size(); ++index) {
    const run::ResolvedStep& step = state.opened->steps[index];
    if (!is_missing(state, index)) continue;
    missing.push_back(step.id);
    out.passed = out.passed && may_be_missing(step);
  }
  out.text = std::string(enum_name(*state.end));
  if (!missing.empty()) out.text += fmt::format(", without {}", fmt::join(missing, ", "));
  return out;
}

Result<Held> held_in_report(const Drill& drill, const Json& report, WallTime at, const std::string& by) {
  const std::string scenario = text_or(report, "scenario"), fault = text_or(report, "fault");
  const Json& objectives = member(report, "objectives");
  const Json& journal = member(report, "journal");
  if (scenario.empty() || !objectives.is_object() || !journal.is_object())
    return fail(ErrorKind::invalid_input, "this is no report of one drill",
                "give the JSON that `lifeboat drill --report FILE` wrote; with --repeat, FILE-1.json and so on");
  if (!drill.run || drill.run->text != scenario)
    return fail(ErrorKind::invalid_input, fmt::format("the report is of {}, and {} runs {}", scenario, drill.name.text,
                                                      drill.run ? drill.run->text : "no scenario"));
  if (!drill.faults.empty() && std::ranges::find(drill.faults, fault) == drill.faults.end())
    return fail(ErrorKind::invalid_input, fmt::format("the report is of the fault '{}', and {} has {}", fault,
                                                      drill.name.text, fmt::join(drill.faults, ", ")));
  if (!bool_or(journal, "whole"))
    return fail(ErrorKind::refused,
                fmt::format("the chain of the drill's journal is broken at event {}: what the report says cannot be "
                            "relied on",
                            int_or(journal, "broken_at")),
                "hold the drill again");
  if (journal_of_report(report).empty())
    return fail(ErrorKind::invalid_input, "the report does not say by which journal it was written");
  std::vector<std::string> wrong;
  if (!bool_or(objectives, "met")) wrong.emplace_back("the objectives were not met");
  if (number_or(report, "double_acknowledged_s") != 0) wrong.emplace_back("two servers took writes at once");
  if (int_or(member(report, "failback"), "lost") != 0) wrong.emplace_back("writes were lost on the way back");
  if (int_or(member(report, "restore"), "damaged_pages") != 0) wrong.emplace_back("damaged pages were left");
  Held out{.at = at, .fault = fault, .passed = wrong.empty(), .source = by};
  const Json& rta = member(report, "rta_s");
  std::string time = rta.is_number() ? fmt::format("{:.2f} s", rta.to_number<double>()) : std::string("not reached");
  out.text = fmt::format("{} under {}: recovery time {}, {} writes lost{}{}", scenario, fault, time,
                         int_or(member(report, "rpa"), "lost"), wrong.empty() ? "" : "; ", fmt::join(wrong, "; "));
  return out;
}

std::string journal_of_report(const Json& report) { return text_or(member(report, "journal"), "head"); }

std::optional<WallTime> newest_proof(std::span<const recovery::RestoreTiming> measured) {
  std::optional<WallTime> newest;
  for (const recovery::RestoreTiming& one : measured) {
    if (!one.drill || !one.problem.empty() || one.bytes == 0) continue;
    WallTime at = std::chrono::floor<std::chrono::milliseconds>(one.at);
    if (!newest || at > *newest) newest = at;
  }
  return newest;
}

}  // namespace lifeboat::rehearsal
