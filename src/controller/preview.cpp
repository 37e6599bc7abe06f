#include "controller/preview.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "actions/restore_common.hpp"
#include "controller/restore_book.hpp"
#include "core/data/encode.hpp"
#include "core/run/graph.hpp"

namespace lifeboat {
namespace {

constexpr Duration kObserve{4'000};

// "2 of devops-lead, cto (incident-commander, executive)".
std::string approval_in_words(const Plan& plan, const Step& step) {
  if (!step.approval) return {};
  std::vector<std::string> roles;
  for (const Identifier& role : step.approval->of) roles.push_back(role.text);
  return fmt::format("{} of {} ({})", step.approval->need, fmt::join(people_of(plan, step.approval->of), ", "),
                     fmt::join(roles, ", "));
}

JsonArray names_of(const std::vector<Identifier>& steps) {
  JsonArray out;
  for (const Identifier& step : steps) out.push_back(Json(step.text));
  return out;
}

// What would be lost if `step` were done now, and whether the plan lets it happen without a person.
Json loss_of(World& world, const Json& with, const LossEstimate& loss) {
  std::string service = text_or(with, "service");
  Duration bound = world.plan.safety.loss_without_approval.value_or(world.plan.objectives.rpo);
  bool allowed = bool_or(with, "accept_loss") || (loss.age && *loss.age <= bound);
  std::string text;
  if (loss.candidate.empty()) {
    text = fmt::format("{}: nobody there can be promoted: {}", service, loss.reason);
  } else {
    std::string bytes = loss.bytes ? fmt::format("{} bytes", *loss.bytes) : "an unknown number of bytes";
    std::string age = loss.age ? format_span(*loss.age) : "an unknown time";
    text = fmt::format("{}: promoting {} now would set aside {}, {}", service, loss.candidate, bytes, age);
    if (!allowed) {
      text += fmt::format("; it is refused, for the plan lets at most {} be set aside without a person",
                          format_duration(bound));
    }
  }
  return JsonObject{{"service", service},
                    {"text", text},
                    {"candidate", loss.candidate},
                    {"bytes", loss.bytes ? Json(*loss.bytes) : Json(nullptr)},
                    {"age_ms", loss.age ? Json(loss.age->count()) : Json(nullptr)},
                    {"bound_ms", bound.count()},
                    {"allowed", allowed && !loss.candidate.empty()}};
}

Task<JsonObject> preview_step(World& world, const Step& step, Json with, bool comes_later, Deadline deadline) {
  JsonObject out{{"id", step.id.text}, {"title", step.title},
                 {"uses", step.uses},  {"approval", approval_in_words(world.plan, step)},
                 {"if", step.if_},     {"after", names_of(step.needs.value_or(std::vector<Identifier>{}))},
                 {"known", false},     {"holds", false}};
  const ActionDescriptor* descriptor = find_action(step.uses);
  if (descriptor == nullptr) {
    out["state"] = fmt::format("this version has no action {}", step.uses);
    co_return out;
  }
  if (descriptor->make == nullptr) {
    out["known"] = true;
    out["state"] = descriptor->kind == ActionKind::wait     ? fmt::format("waits {}", text_or(with, "for"))
                   : descriptor->kind == ActionKind::manual ? "a person does it and confirms"
                                                            : "people are asked";
    co_return out;
  }
  if (descriptor->kind == ActionKind::message) {
    out["known"] = true;
    out["state"] = "tells people; nothing waits for it";
    co_return out;
  }
  if (comes_later) {
    out["known"] = true;
    out["state"] = "what it does depends on what steps before it find";
    co_return out;
  }
  auto action = descriptor->make(with);
  if (!action) {
    out["state"] = action.error().text();
    co_return out;
  }
  ActionContext context{.world = world,
                        .step = step.id.text,
                        .idempotency_key = "preview/" + step.id.text,
                        .deadline = deadline,
                        .progress = [](std::string) {}};
  auto observing = (*action)->observe(context);
  auto seen = co_await within(deadline, step.id.text, std::move(observing));
  if (!seen) {
    out["state"] = "cannot be seen now: " + seen.error().text();
    co_return out;
  }
  out["known"] = true;
  out["holds"] = seen->holds;
  out["state"] = seen->state;
  out["change"] = seen->change;
  out["data"] = seen->data;
  co_return out;
}

using Forecasts = std::map<std::string, std::optional<recovery::Forecast>>;

bool restores(const Step& step) { return step.uses == "postgres.restore" || step.uses == "postgres.restore-drill"; }

// By what was measured, for as much as the newest backup holds; as much as last time when that cannot be asked.
Task<std::optional<recovery::Forecast>> forecast_of(World& world, std::string service, Deadline deadline) {
  ActionContext context{.world = world, .deadline = deadline, .progress = [](std::string) {}};
  auto listing = backup_sets(context, service);
  auto sets = co_await std::move(listing);
  uint64_t bytes = sets && !sets->empty() ? sets->back().bytes : 0;
  co_return recovery::forecast(world.restore_times.of(service), bytes);
}

// What each action usually takes, for the critical path, where no run has measured it yet.
Duration usual(const Step& step, const Json& with, const Forecasts& forecasts) {
  if (restores(step)) {
    auto found = forecasts.find(text_or(with, "service"));
    if (found != forecasts.end() && found->second) return found->second->expected;
  }
  if (step.uses == "wait") return parse_duration(text_or(with, "for")).value_or(Duration{0});
  if (step.uses.starts_with("postgres.")) return Duration{3'000};
  if (step.uses == "traffic.ramp") {
    auto every = parse_duration(text_or(with, "every")).value_or(Duration{1'800'000});
    return 5 * every;
  }
  if (step.approval || step.uses == "approval" || step.uses == "manual") return Duration{600'000};
  return Duration{1'000};
}

// What the plan says of the phases: their titles, and when they are expected.
Json phases_of(const Plan& plan, const Scenario& scenario) {
  JsonObject out;
  for (const auto& [name, steps] : scenario.phases) {
    if (const Phase* phase = plan.phases.find(name)) out[name] = encode(*phase);
  }
  return out;
}

}  // namespace

Task<Result<Json>> preview_scenario(World& world, std::string scenario_name, std::string profile, Vars run_vars,
                                    Deadline deadline) {
  const Scenario* scenario = world.plan.scenarios.find(scenario_name);
  if (scenario == nullptr) {
    std::vector<std::string> known = world.plan.scenarios.names();
    co_return fail(ErrorKind::not_found, fmt::format("the plan has no scenario '{}'", scenario_name),
                   did_you_mean(scenario_name, known));
  }
  Vars vars = merge_vars(world.plan, scenario_name, profile, run_vars);
  JsonArray steps, losses;
  std::vector<run::ResolvedStep> resolved;
  std::vector<Duration> estimates;
  Forecasts forecasts;
  std::string earlier_phase;
  for (const auto& [phase, list] : scenario->phases) {
    bool counted = false;
    for (const Step& step : list) {
      DecodeProblems problems;
      StepData later;
      Json with = expand(step.with, vars, world.plan, problems, {}, &later);
      Deadline mine = deadline.at_most(kObserve);
      auto looking = preview_step(world, step, with, !later.left.empty(), mine);
      JsonObject seen = co_await std::move(looking);
      seen["phase"] = phase;
      if (step.uses == "postgres.failover") {
        auto loss = world.databases.loss_if_failed_over(text_or(with, "service"), text_or(with, "to"));
        if (loss) losses.push_back(loss_of(world, with, *loss));
      }
      steps.push_back(Json(std::move(seen)));
      const ActionDescriptor* descriptor = find_action(step.uses);
      run::ResolvedStep node;
      node.id = step.id.text;
      node.phase = phase;
      node.uses = step.uses;
      bool message = descriptor != nullptr && descriptor->kind == ActionKind::message;
      node.kind = message ? run::StepKind::message : run::StepKind::doing;
      if (step.needs) {
        for (const Identifier& need : *step.needs) node.needs.push_back(need.text);
      } else {
        node.after_phase = earlier_phase;
      }
      counted = counted || !message;
      resolved.push_back(std::move(node));
      if (std::string service = text_or(with, "service"); restores(step) && !forecasts.contains(service)) {
        auto forecasting = forecast_of(world, service, deadline.at_most(kObserve));
        forecasts[service] = co_await std::move(forecasting);
      }
      estimates.push_back(usual(step, with, forecasts));
    }
    if (counted) earlier_phase = phase;
  }
  CO_TRY(run::Graph graph, run::build_graph(resolved));
  run::CriticalPath path = run::critical_path(graph, [&](size_t index) { return estimates[index]; });
  JsonArray critical;
  for (size_t index : path.steps) critical.push_back(Json(graph.steps[index].id));
  Duration rto = world.plan.objectives.rto;
  JsonArray measured;
  for (const auto& [service, forecast] : forecasts) measured.push_back(forecast_in_json(service, forecast, rto));
  co_return Json(JsonObject{{"scenario", scenario_name},
                            {"phases", phases_of(world.plan, *scenario)},
                            {"steps", steps},
                            {"critical_path", critical},
                            {"estimated_ms", path.length.count()},
                            {"rto_ms", rto.count()},
                            {"restores", measured},
                            {"losses", losses}});
}

}  // namespace lifeboat
