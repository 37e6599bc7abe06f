// Scenarios and their steps, as the plan writes them. core/run turns one into a graph and runs it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

struct Approval {
  std::vector<Identifier> of;
  int need = 1;
  Duration expires{900'000};
};
BOOST_DESCRIBE_STRUCT(Approval, (), (of, need, expires))
constexpr auto field_docs(const Approval*) {
  return std::to_array<FieldDoc>({
      {"of", Need::required, "roles whose people may approve"},
      {"need", Need::optional, "how many distinct people (1)"},
      {"expires", Need::optional, "how long the question stands (15m); then the step fails"},
  });
}

struct Retries {
  int attempts = 1;
  Duration backoff{1'000};
  Duration longest{60'000};
};
BOOST_DESCRIBE_STRUCT(Retries, (), (attempts, backoff, longest))
constexpr auto field_docs(const Retries*) {
  return std::to_array<FieldDoc>({
      {"attempts", Need::required, "how often it is tried in all, 1 to 100"},
      {"backoff", Need::optional, "wait before the second attempt; doubles each time, with jitter (1s)"},
      {"longest", Need::optional, "longest wait between two attempts (1m)"},
  });
}

BOOST_DEFINE_ENUM_CLASS(OnFailure, stop, go_on, rollback)

struct Step {
  Identifier id;
  std::string title;
  std::string uses;
  Json with;
  std::optional<std::vector<Identifier>> needs;
  std::string if_;
  std::optional<Duration> timeout;
  std::optional<Retries> retries;
  std::optional<Approval> approval;
  OnFailure on_failure = OnFailure::stop;
  std::string halt_if;
  std::vector<std::string> instead_of;
};
BOOST_DESCRIBE_STRUCT(Step, (),
                      (id, title, uses, with, needs, if_, timeout, retries, approval, on_failure, halt_if, instead_of))
constexpr auto field_docs(const Step*) {
  return std::to_array<FieldDoc>({
      {"id", Need::required, "its name, unique in the scenario"},
      {"title", Need::optional, "what it does, for people"},
      {"uses", Need::required, "the action; `lifeboat explain` lists them"},
      {"with", Need::optional, "parameters of the action"},
      {"needs", Need::optional,
       "steps that must be done before; left out: all of the phase before but messages; []: starts at once"},
      {"if", Need::optional, "condition; the step is skipped when it does not hold"},
      {"timeout", Need::optional, "time for one attempt (5m)"},
      {"retries", Need::optional, "how often it is tried"},
      {"approval", Need::optional, "people who must agree before it starts"},
      {"on_failure", Need::optional,
       "stop (default): the run halts and asks; go-on: others go on; rollback: what was applied is undone"},
      {"halt_if", Need::optional, "condition after the step; the run pauses when it holds"},
      {"instead_of", Need::optional,
       "commands of the written document that this step stands in for, as they stand there; never run"},
  });
}

struct Scenario {
  std::string title;
  std::string impact;
  std::string method;
  std::optional<DurationRange> estimated_rto;
  std::vector<std::string> applies_to;
  OrderedMap<Json> vars;
  OrderedMap<std::vector<Step>> phases;
  std::optional<Identifier> failback;
};
BOOST_DESCRIBE_STRUCT(Scenario, (), (title, impact, method, estimated_rto, applies_to, vars, phases, failback))
constexpr auto field_docs(const Scenario*) {
  return std::to_array<FieldDoc>({
      {"title", Need::required, "what happened, for people"},
      {"impact", Need::optional, "what users lose"},
      {"method", Need::optional, "how it is recovered, in a sentence"},
      {"estimated_rto", Need::optional, "how long recovery is expected to take"},
      {"applies_to", Need::optional,
       "subjects of a signal (regions, services) for which it may start by itself; left out: all"},
      {"vars", Need::optional, "values for ${name} in its steps"},
      {"phases", Need::required, "its steps, by phase, in order"},
      {"failback", Need::optional, "the scenario that returns to the way it was"},
  });
}

}  // namespace lifeboat
