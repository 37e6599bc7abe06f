#include "core/run/graph.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <queue>

#include "core/base/similar.hpp"
#include "core/data/decode.hpp"

namespace lifeboat::run {
namespace {

// Keys of `with` that make a step of kind approval its own question.
Result<Approval> approval_from(const Json& with, std::string_view step) {
  JsonObject picked;
  for (std::string_view key : {"of", "need", "expires"}) {
    if (const Json& value = member(with, key); !value.is_null()) picked[key] = value;
  }
  auto read = decode<Approval>(picked);
  if (!read) return std::unexpected(to_error(read.error(), fmt::format("step '{}': whom to ask is not clear", step)));
  return *read;
}

Result<Duration> wait_from(const Json& with, std::string_view step) {
  auto span = parse_duration(text_or(with, "for"));
  if (span) return *span;
  return fail(ErrorKind::invalid_input, fmt::format("step '{}' does not say how long to wait", step),
              "with: {for: 30s}");
}

std::vector<Identifier> roles_from(const Json& with) {
  std::vector<Identifier> roles;
  const Json& of = member(with, "of");
  if (!of.is_array()) return roles;
  for (const Json& role : of.get_array()) {
    if (role.is_string()) roles.push_back({std::string(role.get_string())});
  }
  return roles;
}

std::string question_from(const Step& step) {
  for (std::string_view key : {"text", "question", "instructions"}) {
    if (std::string text = text_or(step.with, key); !text.empty()) return text;
  }
  return step.title.empty() ? step.id.text : step.title;
}

Result<ResolvedStep> resolve_one(const Step& step, const std::string& phase, const TraitsOf& traits_of,
                                 const PeopleOf& people) {
  TRY(ActionTraits traits, traits_of(step));
  ResolvedStep out;
  out.id = step.id.text;
  out.phase = phase;
  out.title = step.title;
  out.uses = step.uses;
  out.kind = traits.kind;
  out.with = step.with;
  out.if_ = step.if_;
  out.halt_if = step.halt_if;
  out.retries = step.retries.value_or(Retries{});
  out.approval = step.approval;
  out.on_failure = step.on_failure;
  out.can_undo = traits.can_undo;
  out.touches = traits.touches;
  out.text = question_from(step);
  out.timeout = step.timeout.value_or(traits.timeout);
  if (out.timeout.count() <= 0) out.timeout = traits.timeout;
  if (traits.kind == StepKind::wait) {
    TRY(out.wait, wait_from(step.with, out.id));
  }
  if (traits.kind == StepKind::approval && !out.approval) {
    TRY(out.approval, approval_from(step.with, out.id));
  }
  if (out.approval) {
    out.people = people(out.approval->of);
    if (std::cmp_less(out.people.size(), out.approval->need)) {
      return fail(ErrorKind::invalid_input, fmt::format("step '{}' needs {} people, but its roles have {}", out.id,
                                                        out.approval->need, out.people.size()));
    }
  } else if (traits.kind == StepKind::manual) {
    auto roles = roles_from(step.with);
    if (!roles.empty()) out.people = people(roles);
  }
  return out;
}

// The steps of one cycle, found by walking needs backwards among what Kahn's algorithm left over.
std::string name_a_cycle(const Graph& graph, const std::vector<size_t>& blocked_by) {
  auto needs_of = [&](size_t index) {
    std::vector<size_t> all = graph.steps[index].needs;
    if (auto phase = graph.steps[index].after_phase) {
      for (size_t other : graph.phases[*phase].steps) {
        if (graph.steps[other].kind != StepKind::message) all.push_back(other);
      }
    }
    return all;
  };
  size_t at = 0;
  while (blocked_by[at] == 0) ++at;
  std::vector<size_t> walk;
  while (std::ranges::find(walk, at) == walk.end()) {
    walk.push_back(at);
    auto needs = needs_of(at);
    at = *std::ranges::find_if(needs, [&](size_t need) { return blocked_by[need] > 0; });
  }
  std::string text;
  auto first = std::ranges::find(walk, at);
  for (auto step = first; step != walk.end(); ++step) text += graph.steps[*step].id + " → ";
  return text + graph.steps[at].id;
}

Result<void> connect(Graph& graph, std::span<const ResolvedStep> steps) {
  std::unordered_map<std::string, size_t> phase_index;
  for (size_t index = 0; index < graph.phases.size(); ++index) phase_index[graph.phases[index].name] = index;
  for (size_t index = 0; index < steps.size(); ++index) {
    for (const std::string& need : steps[index].needs) {
      auto found = graph.find(need);
      if (!found) {
        std::vector<std::string> known;
        for (const GraphStep& step : graph.steps) known.push_back(step.id);
        return fail(ErrorKind::invalid_input,
                    fmt::format("step '{}' needs '{}', which there is not", steps[index].id, need),
                    did_you_mean(need, known));
      }
      graph.steps[index].needs.push_back(*found);
      graph.steps[*found].unlocks.push_back(index);
    }
    if (steps[index].after_phase.empty()) continue;
    auto phase = phase_index.find(steps[index].after_phase);
    if (phase == phase_index.end() || graph.phases[phase->second].counted == 0) {
      return fail(ErrorKind::invalid_input, fmt::format("step '{}' comes after phase '{}', which has no steps",
                                                        steps[index].id, steps[index].after_phase));
    }
    graph.steps[index].after_phase = phase->second;
    graph.phases[phase->second].waiting_on_it.push_back(index);
  }
  return {};
}

// Kahn's algorithm; a barrier counts as one need.
Result<void> put_in_order(Graph& graph) {
  std::vector<size_t> blocked_by(graph.steps.size());
  std::vector<size_t> left(graph.phases.size());
  for (size_t index = 0; index < graph.phases.size(); ++index) left[index] = graph.phases[index].counted;
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t index = 0; index < graph.steps.size(); ++index) {
    blocked_by[index] = graph.steps[index].needs.size() + (graph.steps[index].after_phase ? 1 : 0);
    if (blocked_by[index] == 0) ready.push(index);
  }
  auto release = [&](size_t index) {
    if (--blocked_by[index] == 0) ready.push(index);
  };
  while (!ready.empty()) {
    size_t index = ready.top();
    ready.pop();
    graph.order.push_back(index);
    const GraphStep& step = graph.steps[index];
    for (size_t next : step.unlocks) release(next);
    if (step.kind == StepKind::message || --left[step.phase] > 0) continue;
    for (size_t next : graph.phases[step.phase].waiting_on_it) release(next);
  }
  if (graph.order.size() == graph.steps.size()) return {};
  return fail(ErrorKind::invalid_input, "steps wait for each other: " + name_a_cycle(graph, blocked_by),
              "take one of these needs away");
}

}  // namespace

std::optional<size_t> Graph::find(std::string_view id) const {
  auto found = by_id.find(std::string(id));
  if (found == by_id.end()) return std::nullopt;
  return found->second;
}

Result<std::vector<ResolvedStep>> resolve_steps(const Scenario& scenario, const TraitsOf& traits,
                                                const PeopleOf& people) {
  std::vector<ResolvedStep> out;
  std::string barrier;  // the nearest earlier phase with steps that are waited for
  for (const auto& [phase, steps] : scenario.phases) {
    bool counted = false;
    for (const Step& step : steps) {
      TRY(ResolvedStep resolved, resolve_one(step, phase, traits, people));
      if (step.needs) {
        for (const Identifier& need : *step.needs) resolved.needs.push_back(need.text);
      } else {
        resolved.after_phase = barrier;
      }
      counted = counted || resolved.kind != StepKind::message;
      out.push_back(std::move(resolved));
    }
    if (counted) barrier = phase;
  }
  return out;
}

Result<Graph> build_graph(std::span<const ResolvedStep> steps) {
  Graph graph;
  graph.steps.reserve(steps.size());
  std::unordered_map<std::string, size_t> phase_index;
  for (const ResolvedStep& step : steps) {
    auto [phase, is_new] = phase_index.try_emplace(step.phase, graph.phases.size());
    if (is_new) graph.phases.push_back({.name = step.phase});
    size_t index = graph.steps.size();
    if (!graph.by_id.emplace(step.id, index).second) {
      return fail(ErrorKind::invalid_input, fmt::format("two steps are named '{}'", step.id));
    }
    GraphPhase& home = graph.phases[phase->second];
    home.steps.push_back(index);
    if (step.kind != StepKind::message) ++home.counted;
    graph.steps.push_back({.id = step.id, .phase = phase->second, .kind = step.kind});
  }
  TRY_VOID(connect(graph, steps));
  TRY_VOID(put_in_order(graph));
  return graph;
}

CriticalPath critical_path(const Graph& graph, const std::function<Duration(size_t step)>& estimate) {
  struct Best {
    Duration end{0};
    std::optional<size_t> before;
  };
  std::vector<Best> best(graph.steps.size());
  std::vector<std::optional<size_t>> last_of_phase(graph.phases.size());
  std::optional<size_t> last;
  for (size_t index : graph.order) {
    const GraphStep& step = graph.steps[index];
    Best& mine = best[index];
    auto consider = [&](size_t before) {
      if (mine.before && best[before].end <= best[*mine.before].end) return;
      mine.before = before;
    };
    for (size_t need : step.needs) consider(need);
    if (step.after_phase && last_of_phase[*step.after_phase]) consider(*last_of_phase[*step.after_phase]);
    mine.end = (mine.before ? best[*mine.before].end : Duration{0}) + estimate(index);
    if (step.kind == StepKind::message) continue;
    auto& phase_last = last_of_phase[step.phase];
    if (!phase_last || best[*phase_last].end < mine.end) phase_last = index;
    if (!last || best[*last].end < mine.end) last = index;
  }
  CriticalPath out;
  if (!last) return out;
  out.length = best[*last].end;
  for (std::optional<size_t> at = last; at; at = best[*at].before) out.steps.push_back(*at);
  std::ranges::reverse(out.steps);
  return out;
}

}  // namespace lifeboat::run
