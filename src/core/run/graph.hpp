// A scenario as a graph of steps. Order comes from `needs` alone; a step that does not say `needs` waits for all steps
// but messages of the nearest earlier phase that has such steps (a barrier), and nothing waits for a message unless it
// names it. What is resolved here is written into the journal, so a run keeps its meaning when plan or program change.
//
// Barriers are kept as "after phase N", not as edges: two phases of 5,000 steps are 10,000 entries, not 25 million.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/scalars.hpp"
#include "core/model/scenario.hpp"

namespace lifeboat::run {

// What a step is to the machine; the actions room maps its own kinds to these.
BOOST_DEFINE_ENUM_CLASS(StepKind,
                        doing,     // observe and apply
                        message,   // tells somebody something; its failure never stops a run
                        approval,  // the step is a question to people
                        manual,    // a person does it and confirms
                        wait)      // nothing but time

// The rim carries it out by an action (people and time do the others).
constexpr bool is_carried_out(StepKind kind) { return kind == StepKind::doing || kind == StepKind::message; }

// What the machine has to know of the action a step uses.
struct ActionTraits {
  StepKind kind = StepKind::doing;
  bool can_undo = false;
  Duration timeout{300'000};  // of one attempt, when the step says none
  std::string touches;        // the service it changes; empty: none
};
using TraitsOf = std::function<Result<ActionTraits>(const Step& step)>;

// People who may answer: contacts of the roles named (primary, backup, members).
using PeopleOf = std::function<std::vector<std::string>(std::span<const Identifier> roles)>;

// A step as it will run, whatever happens to the plan meanwhile.
struct ResolvedStep {
  std::string id;
  std::string phase;
  std::string title;
  std::string uses;
  StepKind kind = StepKind::doing;
  Json with;                       // variables expanded
  std::vector<std::string> later;  // JSON pointers into `with`, of texts that need what other steps find
  std::vector<std::string> needs;  // named ones
  std::string after_phase;         // all steps but messages of this phase come first; empty: no barrier
  std::string if_;
  std::string halt_if;
  Duration timeout{0};  // of one attempt; for manual: how long a person has
  Duration wait{0};     // kind wait: how long
  Retries retries;
  std::optional<Approval> approval;  // asked before it starts; kind approval: the question itself
  std::vector<std::string> people;   // contacts who may approve or confirm; empty for manual: anybody
  std::string text;                  // the question, or what is to be done by hand
  OnFailure on_failure = OnFailure::stop;
  bool can_undo = false;
  std::string touches;
};
BOOST_DESCRIBE_STRUCT(ResolvedStep, (),
                      (id, phase, title, uses, kind, with, later, needs, after_phase, if_, halt_if, timeout, wait,
                       retries, approval, people, text, on_failure, can_undo, touches))
constexpr auto field_docs(const ResolvedStep*) {
  return std::to_array<FieldDoc>({{"id", Need::required, "name of the step"},
                                  {"phase", Need::required, "phase it stands in"},
                                  {"title", Need::optional, "what it does, for people"},
                                  {"uses", Need::required, "the action"},
                                  {"kind", Need::required, "what it is to the run"},
                                  {"with", Need::optional, "parameters, variables expanded"},
                                  {"later", Need::optional, "parameters that need what other steps find"},
                                  {"needs", Need::optional, "steps that come before"},
                                  {"after_phase", Need::optional, "phase whose steps come before"},
                                  {"if", Need::optional, "condition"},
                                  {"halt_if", Need::optional, "condition that pauses the run afterwards"},
                                  {"timeout", Need::optional, "time for one attempt"},
                                  {"wait", Need::optional, "length of a wait"},
                                  {"retries", Need::optional, "attempts"},
                                  {"approval", Need::optional, "who must agree"},
                                  {"people", Need::optional, "contacts who may answer"},
                                  {"text", Need::optional, "the question or instruction"},
                                  {"on_failure", Need::optional, "what follows from its failure"},
                                  {"can_undo", Need::optional, "whether it can be taken back"},
                                  {"touches", Need::optional, "service it changes"}});
}

// One node; indices are positions in Graph::steps, which keep the order of the plan.
struct GraphStep {
  std::string id;
  size_t phase = 0;  // index in Graph::phases
  StepKind kind = StepKind::doing;
  std::vector<size_t> needs;          // named steps
  std::optional<size_t> after_phase;  // barrier
  std::vector<size_t> unlocks;        // steps that name this one
};

struct GraphPhase {
  std::string name;
  std::vector<size_t> steps;
  std::vector<size_t> waiting_on_it;  // steps whose barrier this phase is
  size_t counted = 0;                 // its steps but messages: those a barrier waits for
};

struct Graph {
  std::vector<GraphStep> steps;
  std::vector<GraphPhase> phases;
  std::vector<size_t> order;  // one order in which all needs come first; ties as in the plan
  std::unordered_map<std::string, size_t> by_id;

  std::optional<size_t> find(std::string_view id) const;
};

// Steps with their needs made explicit and their defaults filled in. `with` is taken as it is (expand it before).
// invalid_input for what an action's traits refuse, a wait without a length, or an approval without roles.
Result<std::vector<ResolvedStep>> resolve_steps(const Scenario& scenario, const TraitsOf& traits,
                                                const PeopleOf& people);

// invalid_input for a duplicate id, an unknown need, or a cycle, which is named: "a → b → a".
Result<Graph> build_graph(std::span<const ResolvedStep> steps);

struct CriticalPath {
  std::vector<size_t> steps;  // first to last
  Duration length{0};
};
// The chain that takes longest, by estimated durations; messages count only where something needs them.
CriticalPath critical_path(const Graph& graph, const std::function<Duration(size_t step)>& estimate);

}  // namespace lifeboat::run
