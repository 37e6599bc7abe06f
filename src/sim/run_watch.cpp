#include "sim/run_watch.hpp"

#include <fmt/format.h>

namespace lifeboat::sim {
namespace {

run::ResolvedStep a_step(std::string id, std::string uses, std::vector<std::string> needs) {
  run::ResolvedStep step;
  step.id = std::move(id);
  step.phase = "all";
  step.uses = std::move(uses);
  step.needs = std::move(needs);
  step.timeout = Duration{20'000};
  step.retries = {.attempts = 3, .backoff = Duration{300}};
  return step;
}

}  // namespace

run::RunOpened plan_to_run(const PlanOfRun& plan) {
  run::RunOpened opened;
  opened.scenario = "region-failover";
  opened.by = "ann";
  opened.message_grace = Duration{1'000};
  run::ResolvedStep agree = a_step("agree", "", {});
  agree.kind = run::StepKind::approval;
  agree.approval = Approval{.of = {{"lead"}}, .need = 2, .expires = Duration{60'000}};
  agree.people.assign(kPeople.begin(), kPeople.end());
  run::ResolvedStep move = a_step("move", plan.failover ? "database.failover" : "database.switchover", {"agree"});
  move.with = JsonObject{{"to", plan.to}, {"accept_loss", plan.accept_loss}};
  move.timeout = Duration{10'000};
  move.on_failure = OnFailure::go_on;
  run::ResolvedStep tell = a_step("tell", "outside", {"move"});
  tell.kind = run::StepKind::message;
  run::ResolvedStep point = a_step("point-users", "outside", {"move"});
  point.can_undo = true;
  run::ResolvedStep rejoin = a_step("rejoin", "database.reprotect", {"move"});
  rejoin.timeout = Duration{600'000};
  rejoin.on_failure = OnFailure::go_on;
  opened.steps = {a_step("prepare", "outside", {}),
                  std::move(agree),
                  std::move(move),
                  std::move(tell),
                  std::move(point),
                  std::move(rejoin),
                  a_step("close", "outside", {"point-users", "rejoin"})};
  return opened;
}

std::optional<Violation> RunWatch::journaled(const std::vector<run::Event>& events) {
  for (const run::Event& event : events) {
    if (auto wrong = may_follow(event)) return wrong;
    if (std::holds_alternative<run::RunResumed>(event.body)) waits_for_a_person_ = false;
    if (std::holds_alternative<run::RunPaused>(event.body) || std::holds_alternative<run::RunHalted>(event.body))
      waits_for_a_person_ = true;
    if (!state_) {
      auto opened = run::open_state("R-1", event);
      if (!opened) return Violation{"S17", "a journal begins with: " + opened.error().text()};
      state_ = std::move(*opened);
      continue;
    }
    if (auto applied = run::apply(*state_, event); !applied)
      return Violation{"S17", "the journal does not fit: " + applied.error().text()};
  }
  return std::nullopt;
}

void RunWatch::restored(const std::vector<run::Event>& journal) {
  state_.reset();
  waits_for_a_person_ = false;
  if (journal.empty()) return;
  if (auto folded = run::fold("R-1", journal)) state_ = std::move(*folded);
  waits_for_a_person_ = open() != nullptr;
}

std::optional<Violation> RunWatch::may_follow(const run::Event& event) const {
  if (!state_) return std::nullopt;
  if (state_->finished()) return Violation{"S19", "an event follows the end of the run: " + run::in_words(event)};
  const run::Graph& graph = *state_->graph;
  if (const auto* started = std::get_if<run::StepStarted>(&event.body)) {
    auto index = graph.find(started->step);
    if (!index) return Violation{"S17", started->step + " is started and is no step"};
    for (size_t need : graph.steps[*index].needs) {
      if (!run::is_settled(*state_, need))
        return Violation{"S10", fmt::format("{} is started before what it needs", started->step)};
      const run::StepState& before = state_->steps[need];
      if (state_->opened->steps[need].kind == run::StepKind::approval && before.status == run::StepStatus::done &&
          before.approvals.size() < 2)
        return Violation{"S27", fmt::format("{} is started, and {} agreed", started->step, before.approvals.size())};
    }
    if (waits_for_a_person_ && !started->cut_off)
      return Violation{"S17", fmt::format("{} is started while the run is paused", started->step)};
  }
  if (const auto* finished = std::get_if<run::StepFinished>(&event.body)) {
    const run::ResolvedStep& step = state_->opened->steps[*graph.find(finished->step)];
    if (step.uses == "outside" && !is_so(finished->step))
      return Violation{"S15", fmt::format("{} is told to be done, and nothing of it is", finished->step)};
  }
  return std::nullopt;
}

std::optional<Violation> RunWatch::does(const std::string& step, int attempt, Nanos began, Nanos now) {
  const run::StepState* known = state_ ? state_->step(step) : nullptr;
  if (known == nullptr || known->attempt < attempt)
    return Violation{"S17", fmt::format("{} is done, and its attempt {} is not in the journal", step, attempt)};
  auto [before, first] = done_.emplace(step, now);
  // An attempt that was under way when it was done could not have seen it.
  if (!first && before->second < began)
    return Violation{"S16", fmt::format("{} is done once more, and was done {:.3f} s before this attempt began", step,
                                        static_cast<double>(began - before->second) / 1e9)};
  return std::nullopt;
}

}  // namespace lifeboat::sim
