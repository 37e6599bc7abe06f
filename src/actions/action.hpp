// What a step can use. An action converges: it can say whether its goal already holds (observe), bring it about
// (apply), and perhaps take it back (undo). The executor owns order, timeouts, retries, approvals and the journal;
// an action owns only the doing.
//
// Contract, checked for every action by contract_test.cpp:
//   - observe() changes nothing and may be called at any time, also while nothing else works.
//   - apply() twice equals apply() once. After a crash in the middle, observe() tells the truth and apply() finishes.
//   - every wait is bounded by context.deadline; a cancelled action leaves the world so that observe() is right.
//   - `ErrorKind::unknown_outcome` when a request was sent and no answer came: the executor observes before a retry.
//   - ErrorKind::invalid_input, refused and unsupported are final: the executor does not retry them.
//   - no secret in any text or data that is returned.
//
// A new action is one file with a `const ActionDescriptor& NAME_action()` at its end and one line in registry.cpp.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "actions/world.hpp"
#include "core/data/decode.hpp"
#include "core/data/json.hpp"
#include "core/data/schema.hpp"
#include "io/task.hpp"

namespace lifeboat {

struct ActionContext {
  World& world;
  std::string run;              // "R-3"; empty in a preview
  std::string incident;         // "INC-2"; empty if none
  std::string step;             // id of the step
  std::string idempotency_key;  // "R-3/promote": the same for every attempt
  Deadline deadline;
  std::function<void(std::string)> progress;  // one line for people: "2 of 3 ready"
  WallTime run_opened{};                      // its number comes again when the controllers' memory is of an older day
};

struct Observation {
  bool holds = false;  // the goal already holds: nothing to apply
  std::string state;   // what is: "api.shop.test → 10.1.0.10"
  std::string change;  // what apply would do: "→ 10.2.0.10"; empty when it holds
  Json data;           // for expressions (steps.ID.data.x), for preview and for the report
};

struct Outcome {
  std::string summary;  // what was done, one line: "west-1 is primary, timeline 2"
  Json data;            // for expressions, the report and undo
};

class Action {
 public:
  virtual ~Action() = default;
  virtual Task<Result<Observation>> observe(ActionContext context) = 0;
  virtual Task<Result<Outcome>> apply(ActionContext context) = 0;
  // Takes back what apply did; `applied` is the data of its Outcome. Only called when the descriptor says can_undo.
  virtual Task<Result<Outcome>> undo(ActionContext context, Json applied);
};

// Actions that the executor itself carries out: it must know them to ask people and to wait without a thread.
enum class ActionKind {
  doing,     // observe and apply
  message,   // tells somebody something: recovery never waits for it unless a step says `needs`
  approval,  // the step is a question to people
  manual,    // a person does it and confirms
  wait,      // nothing but time
};

struct ActionDescriptor {
  std::string_view name;     // "dns.switch"
  std::string_view summary;  // one sentence
  std::string_view details;  // what it observes, what it applies, when it fails; paragraphs
  std::string_view example;  // a step in YAML
  ActionKind kind = ActionKind::doing;
  bool can_undo = false;
  Duration usual_timeout{300'000};
  // What check may want to know: the service it touches (so that two runs exclude each other), from the parameters.
  std::string (*touches)(const Json& with) = nullptr;
  Json (*schema)() = nullptr;                                                // of the parameters
  DecodeProblems (*validate)(const Json& with, const Plan& plan) = nullptr;  // shape, then references into the plan
  Result<std::unique_ptr<Action>> (*make)(const Json& with) = nullptr;       // null for approval, manual, wait
};

// All actions, sorted by name.
std::span<const ActionDescriptor* const> all_actions();
// The action of that name, or null.
const ActionDescriptor* find_action(std::string_view name);
// The names, for did-you-mean.
std::vector<std::string> action_names();

// ---- pieces for descriptors

template <class Params>
Json params_schema() {
  return schema_of<Params>();
}

// Decodes the parameters; Params may have `DecodeProblems check(const Plan&) const` for references into the plan,
// whose paths are relative to `with`.
template <class Params>
DecodeProblems validate_params(const Json& with, const Plan& plan) {
  auto params = decode<Params>(with.is_null() ? Json(JsonObject{}) : with);
  if (!params) return params.error();
  if constexpr (requires { params->check(plan); }) {
    return params->check(plan);
  } else {
    return {};
  }
}

template <class ActionType, class Params>
Result<std::unique_ptr<Action>> make_action(const Json& with) {
  auto params = decode<Params>(with.is_null() ? Json(JsonObject{}) : with);
  if (!params) return std::unexpected(to_error(params.error(), "the parameters do not fit"));
  return std::make_unique<ActionType>(std::move(*params));
}

// touches: the value of `service` in the parameters.
std::string touches_service(const Json& with);

// A problem with a reference: unknown service, region, contact …, with did-you-mean.
DecodeProblem unknown_reference(std::string path, std::string_view what, std::string_view name,
                                std::span<const std::string> known);

}  // namespace lifeboat
