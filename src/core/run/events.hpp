// What is durable of a run. A run's state is the fold of these events (state.hpp), so they are also its timeline, its
// evidence and its resume. Bodies are JSON through describe; kinds and members are never renamed, only added.
//
// Stream "run/R-3"; journal kind = kKind; body = the members plus `boot_ns` and `wall`, given from outside.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/run/graph.hpp"

namespace lifeboat::run {

BOOST_DEFINE_ENUM_CLASS(RunMode, drill, real)
BOOST_DEFINE_ENUM_CLASS(RunEnd, done, failed, aborted, rolled_back)

// Everything the run needs, whatever happens to the plan.
struct RunOpened {
  static constexpr std::string_view kKind = "run-opened";
  std::string scenario;
  std::string title;
  std::string plan;
  std::string plan_hash;
  std::string profile;
  RunMode mode = RunMode::real;
  OrderedMap<Json> vars;
  std::string by;
  std::string reason;
  std::string cause;
  std::string incident;
  std::string boot;
  Duration message_grace{10'000};
  std::vector<ResolvedStep> steps;
};
BOOST_DESCRIBE_STRUCT(RunOpened, (),
                      (scenario, title, plan, plan_hash, profile, mode, vars, by, reason, cause, incident, boot,
                       message_grace, steps))
constexpr auto field_docs(const RunOpened*) {
  return std::to_array<FieldDoc>({{"scenario", Need::required, "name of the scenario"},
                                  {"title", Need::optional, "its title"},
                                  {"plan", Need::optional, "name of the plan"},
                                  {"plan_hash", Need::optional, "hash of the plan"},
                                  {"profile", Need::optional, "profile used; empty: none"},
                                  {"mode", Need::required, "drill or real"},
                                  {"vars", Need::optional, "values that hold"},
                                  {"by", Need::required, "who opened it: a person, or what raised the signal"},
                                  {"reason", Need::optional, "why, in their words"},
                                  {"cause", Need::optional, "signal/subject it answers; empty: opened by hand"},
                                  {"incident", Need::optional, "incident it belongs to"},
                                  {"boot", Need::optional, "boot of the machine whose monotonic clock is used"},
                                  {"message_grace", Need::optional, "time messages get after the last other step"},
                                  {"steps", Need::required, "its steps"}});
}

// The controller was started again; steps cut off are observed first.
struct RunRecovered {
  static constexpr std::string_view kKind = "run-recovered";
  std::string boot;
};
BOOST_DESCRIBE_STRUCT(RunRecovered, (), (boot))
constexpr auto field_docs(const RunRecovered*) {
  return std::to_array<FieldDoc>({{"boot", Need::optional, "boot of the machine whose monotonic clock is used"}});
}

// Durable before the action is called.
struct StepStarted {
  static constexpr std::string_view kKind = "step-started";
  std::string step;
  int attempt = 1;
  bool observe = false;
  bool cut_off = false;
};
BOOST_DESCRIBE_STRUCT(StepStarted, (), (step, attempt, observe, cut_off))
constexpr auto field_docs(const StepStarted*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"attempt", Need::required, "which attempt, from 1"},
                                  {"observe", Need::optional, "observed before it is applied"},
                                  {"cut_off", Need::optional, "the attempt before was cut off by a restart"}});
}

// The goal held already; nothing was applied in this attempt.
struct StepObserved {
  static constexpr std::string_view kKind = "step-observed";
  std::string step;
  int attempt = 1;
  std::string summary;
  Json data;
};
BOOST_DESCRIBE_STRUCT(StepObserved, (), (step, attempt, summary, data))
constexpr auto field_docs(const StepObserved*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"attempt", Need::required, "which attempt"},
                                  {"summary", Need::optional, "what was seen"},
                                  {"data", Need::optional, "for conditions, report and undo"}});
}

// The goal was brought about.
struct StepFinished {
  static constexpr std::string_view kKind = "step-finished";
  std::string step;
  int attempt = 1;
  std::string summary;
  Json data;
};
BOOST_DESCRIBE_STRUCT(StepFinished, (), (step, attempt, summary, data))
constexpr auto field_docs(const StepFinished*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"attempt", Need::required, "which attempt"},
                                  {"summary", Need::optional, "what was done"},
                                  {"data", Need::optional, "for conditions, report and undo"}});
}

// An attempt failed.
struct StepFailed {
  static constexpr std::string_view kKind = "step-failed";
  std::string step;
  int attempt = 0;
  std::string kind;
  std::string error;
  bool final_ = false;
};
BOOST_DESCRIBE_STRUCT(StepFailed, (), (step, attempt, kind, error, final_))
constexpr auto field_docs(const StepFailed*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"attempt", Need::optional, "which attempt; 0: it never started"},
                                  {"kind", Need::required, "kind of error"},
                                  {"error", Need::required, "what happened, in words"},
                                  {"final", Need::required, "no further attempt follows by itself"}});
}

// An attempt ended without an answer: it may or may not have had its effect.
struct StepUnknown {
  static constexpr std::string_view kKind = "step-unknown";
  std::string step;
  int attempt = 1;
  std::string error;
};
BOOST_DESCRIBE_STRUCT(StepUnknown, (), (step, attempt, error))
constexpr auto field_docs(const StepUnknown*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"attempt", Need::required, "which attempt"},
                                  {"error", Need::required, "what happened, in words"}});
}

// Another attempt follows after a wait.
struct StepRetryScheduled {
  static constexpr std::string_view kKind = "step-retry-scheduled";
  std::string step;
  int attempt = 1;
  Duration after{0};
};
BOOST_DESCRIBE_STRUCT(StepRetryScheduled, (), (step, attempt, after))
constexpr auto field_docs(const StepRetryScheduled*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"attempt", Need::required, "the attempt that will follow"},
                                  {"after", Need::required, "wait, counted from this event"}});
}

// A person had a failed step tried again.
struct StepRetryAsked {
  static constexpr std::string_view kKind = "step-retry-asked";
  std::string step;
  std::string by;
};
BOOST_DESCRIBE_STRUCT(StepRetryAsked, (), (step, by))
constexpr auto field_docs(const StepRetryAsked*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"}, {"by", Need::required, "who"}});
}

// Settled without being done.
struct StepSkipped {
  static constexpr std::string_view kKind = "step-skipped";
  std::string step;
  std::string by;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(StepSkipped, (), (step, by, reason))
constexpr auto field_docs(const StepSkipped*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"by", Need::required, "a person, 'condition' or 'run'"},
                                  {"reason", Need::required, "why"}});
}

// People are asked before a step starts.
struct ApprovalAsked {
  static constexpr std::string_view kKind = "approval-asked";
  std::string step;
  int need = 1;
  std::vector<std::string> roles;
  std::vector<std::string> people;
  Duration expires{0};
  std::string text;
  std::string loss;
  std::string plan_hash;
};
BOOST_DESCRIBE_STRUCT(ApprovalAsked, (), (step, need, roles, people, expires, text, loss, plan_hash))
constexpr auto field_docs(const ApprovalAsked*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"need", Need::required, "how many distinct people"},
                                  {"roles", Need::optional, "roles whose people may approve"},
                                  {"people", Need::required, "contacts who may approve"},
                                  {"expires", Need::required, "how long the question stands, counted from this event"},
                                  {"text", Need::optional, "the question"},
                                  {"loss", Need::optional, "what would be lost by going on at this moment"},
                                  {"plan_hash", Need::optional, "hash of the plan that is approved"}});
}

// One person agreed.
struct ApprovalGiven {
  static constexpr std::string_view kKind = "approval-given";
  std::string step;
  std::string by;
};
BOOST_DESCRIBE_STRUCT(ApprovalGiven, (), (step, by))
constexpr auto field_docs(const ApprovalGiven*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"}, {"by", Need::required, "who"}});
}

// One person said no, which ends the question.
struct ApprovalDeclined {
  static constexpr std::string_view kKind = "approval-declined";
  std::string step;
  std::string by;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(ApprovalDeclined, (), (step, by, reason))
constexpr auto field_docs(const ApprovalDeclined*) {
  return std::to_array<FieldDoc>(
      {{"step", Need::required, "the step"}, {"by", Need::required, "who"}, {"reason", Need::optional, "why"}});
}

// Nobody answered in time.
struct ApprovalExpired {
  static constexpr std::string_view kKind = "approval-expired";
  std::string step;
};
BOOST_DESCRIBE_STRUCT(ApprovalExpired, (), (step))
constexpr auto field_docs(const ApprovalExpired*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"}});
}

// A person has to do something and confirm it.
struct ManualAsked {
  static constexpr std::string_view kKind = "manual-asked";
  std::string step;
  std::string text;
  std::vector<std::string> people;
};
BOOST_DESCRIBE_STRUCT(ManualAsked, (), (step, text, people))
constexpr auto field_docs(const ManualAsked*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"text", Need::optional, "what is to be done"},
                                  {"people", Need::optional, "contacts who may confirm; none: anybody"}});
}

// A person says that it is done.
struct ManualConfirmed {
  static constexpr std::string_view kKind = "manual-confirmed";
  std::string step;
  std::string by;
  std::string note;
};
BOOST_DESCRIBE_STRUCT(ManualConfirmed, (), (step, by, note))
constexpr auto field_docs(const ManualConfirmed*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"},
                                  {"by", Need::required, "who"},
                                  {"note", Need::optional, "what they noted"}});
}

// A person had a running step stopped.
struct StepCancelAsked {
  static constexpr std::string_view kKind = "step-cancel-asked";
  std::string step;
  std::string by;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(StepCancelAsked, (), (step, by, reason))
constexpr auto field_docs(const StepCancelAsked*) {
  return std::to_array<FieldDoc>(
      {{"step", Need::required, "the step"}, {"by", Need::required, "who"}, {"reason", Need::optional, "why"}});
}

// No further step starts.
struct RunPaused {
  static constexpr std::string_view kKind = "run-paused";
  std::string by;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(RunPaused, (), (by, reason))
constexpr auto field_docs(const RunPaused*) {
  return std::to_array<FieldDoc>({{"by", Need::required, "who"}, {"reason", Need::optional, "why"}});
}

// The journal was put back from a copy: what was done since the copy was made is not known. What was at work has failed with an
// unknown outcome, what was to be taken back is left as it is, and nothing goes on until a person resumes the run. Whatever starts
// then looks first whether it is done already.
struct RunRestored {
  static constexpr std::string_view kKind = "run-restored";
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(RunRestored, (), (reason))
constexpr auto field_docs(const RunRestored*) {
  return std::to_array<FieldDoc>({{"reason", Need::required, "what was restored from when"}});
}

// A pause or halt is over.
struct RunResumed {
  static constexpr std::string_view kKind = "run-resumed";
  std::string by;
};
BOOST_DESCRIBE_STRUCT(RunResumed, (), (by))
constexpr auto field_docs(const RunResumed*) { return std::to_array<FieldDoc>({{"by", Need::required, "who"}}); }

// A halt_if condition held, or could not be judged: the run pauses.
struct RunHalted {
  static constexpr std::string_view kKind = "run-halted";
  std::string step;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(RunHalted, (), (step, reason))
constexpr auto field_docs(const RunHalted*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step whose condition it is"},
                                  {"reason", Need::required, "the condition, in words"}});
}

// Running steps are stopped, then the run ends.
struct AbortAsked {
  static constexpr std::string_view kKind = "abort-asked";
  std::string by;
  std::string reason;
  bool rollback = false;
};
BOOST_DESCRIBE_STRUCT(AbortAsked, (), (by, reason, rollback))
constexpr auto field_docs(const AbortAsked*) {
  return std::to_array<FieldDoc>({{"by", Need::required, "who"},
                                  {"reason", Need::optional, "why"},
                                  {"rollback", Need::required, "whether what was applied is taken back"}});
}

// What was applied is taken back, newest first.
struct RollbackStarted {
  static constexpr std::string_view kKind = "rollback-started";
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(RollbackStarted, (), (reason))
constexpr auto field_docs(const RollbackStarted*) {
  return std::to_array<FieldDoc>({{"reason", Need::required, "why"}});
}

// Durable before the action is asked to undo.
struct UndoStarted {
  static constexpr std::string_view kKind = "undo-started";
  std::string step;
};
BOOST_DESCRIBE_STRUCT(UndoStarted, (), (step))
constexpr auto field_docs(const UndoStarted*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"}});
}

// A step was taken back.
struct StepUndone {
  static constexpr std::string_view kKind = "step-undone";
  std::string step;
  std::string summary;
};
BOOST_DESCRIBE_STRUCT(StepUndone, (), (step, summary))
constexpr auto field_docs(const StepUndone*) {
  return std::to_array<FieldDoc>({{"step", Need::required, "the step"}, {"summary", Need::optional, "what was done"}});
}

// A step could not be taken back; the rollback goes on with the others.
struct StepUndoFailed {
  static constexpr std::string_view kKind = "step-undo-failed";
  std::string step;
  std::string error;
};
BOOST_DESCRIBE_STRUCT(StepUndoFailed, (), (step, error))
constexpr auto field_docs(const StepUndoFailed*) {
  return std::to_array<FieldDoc>(
      {{"step", Need::required, "the step"}, {"error", Need::required, "what happened, in words"}});
}

// Nothing follows in this run.
struct RunFinished {
  static constexpr std::string_view kKind = "run-finished";
  RunEnd state = RunEnd::done;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(RunFinished, (), (state, reason))
constexpr auto field_docs(const RunFinished*) {
  return std::to_array<FieldDoc>({{"state", Need::required, "how it ended"}, {"reason", Need::optional, "why"}});
}

using EventBody =
    std::variant<RunOpened, RunRecovered, StepStarted, StepObserved, StepFinished, StepFailed, StepUnknown,
                 StepRetryScheduled, StepRetryAsked, StepSkipped, ApprovalAsked, ApprovalGiven, ApprovalDeclined,
                 ApprovalExpired, ManualAsked, ManualConfirmed, StepCancelAsked, RunPaused, RunResumed, RunHalted,
                 RunRestored, AbortAsked, RollbackStarted, UndoStarted, StepUndone, StepUndoFailed, RunFinished>;

// One event with its time. `at` is the monotonic clock of the boot named by the last run-opened or run-recovered.
struct Event {
  EventBody body;
  MonoTime at{};
  WallTime wall{};
};

// Which of the alternatives it is: "step-started".
std::string_view kind_of(const Event& event);
// The step it is about; empty for those about the run.
std::string_view step_of(const Event& event);

// The body as the journal keeps it.
Json encode_event(const Event& event);
// Reads it back; invalid_input with the path when it does not fit, or when the kind is unknown.
Result<Event> decode_event(std::string_view kind, const Json& body);

// One line for people: "promote started (attempt 2, observed first)".
std::string in_words(const Event& event);

// The kind of error by its name in StepFailed::kind; internal when unknown.
ErrorKind error_kind_of(std::string_view name);

}  // namespace lifeboat::run
