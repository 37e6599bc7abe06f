// The state of a run: nothing but the fold of its events. Live, after a restart, in the report and on a screen it is the
// same function of the same journal.
//
// Invariants (kept by apply, tried by the simulation): a step is started only when what it needs is settled; a settled
// step never becomes unsettled; after run-finished no event follows.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/run/events.hpp"
#include "core/run/graph.hpp"

namespace lifeboat::run {

BOOST_DEFINE_ENUM_CLASS(StepStatus,
                        waiting,   // for what it needs, or for the run to go on
                        asking,    // people are asked to approve, or to do it and confirm
                        running,   // an attempt is under way
                        retrying,  // waits for its next attempt
                        done,      // its goal holds
                        failed,    // no further attempt follows by itself
                        skipped, undoing, undone, undo_failed)

BOOST_DEFINE_ENUM_CLASS(RunStatus, running,
                        asking,    // every way on waits for people's answers
                        waiting,   // a step failed: a person retries it, skips it or aborts
                        paused,    // by a person or by halt_if
                        aborting,  // running steps are being stopped
                        rolling_back, done, failed, aborted, rolled_back)

struct StepState {
  StepStatus status = StepStatus::waiting;
  int attempt = 0;       // the newest that started
  int budget_from = 0;   // attempts before this one do not count: a person asked for a fresh start
  int cut_offs = 0;      // attempts since then that do not count: a restart cut them off
  bool unknown = false;  // some attempt ended without an answer, or was told to stop: what it asked for may come yet
  bool had_unknown = false;  // one did since then: one attempt more than the plan says
  bool touched = false;      // some attempt may have had an effect
  bool held_before = false;  // the goal held before anything was applied: nothing to undo
  bool approved = false;     // enough people agreed to what is asked now
  std::set<std::string> approvals;
  std::optional<ApprovalAsked> question;
  MonoTime question_expires{};
  MonoTime retry_at{};
  MonoTime attempt_started{};
  size_t unsettled_needs = 0;  // named steps that are not settled
  std::string summary;
  std::string error_kind;
  std::string error;
  std::string settled_by;  // for skipped: who
  Json data;
  // For people and reports; wall times of the boundaries.
  std::optional<WallTime> first_started;
  std::optional<WallTime> ended;
  MonoTime first_started_at{};
  MonoTime ended_at{};
};

struct RunState {
  std::string id;  // "R-3"
  std::shared_ptr<const RunOpened> opened;
  std::shared_ptr<const Graph> graph;
  std::vector<StepState> steps;      // as graph->steps
  std::vector<size_t> phase_left;    // per phase: counted steps that are not settled
  std::set<size_t> startable;        // needs settled, not started yet
  std::set<size_t> active;           // asking, running, retrying or undoing
  std::set<size_t> blocking;         // failed in a way that stops the run
  std::vector<size_t> finish_order;  // done steps, oldest first
  size_t counted_left = 0;           // steps but messages that are not settled
  MonoTime settled_at{};             // when the last of those settled

  bool paused = false;
  std::string paused_why;
  bool aborting = false;  // by a person
  bool rollback_wanted = false;
  bool rolling_back = false;
  std::string ending_why;
  std::optional<RunEnd> end;
  std::string end_reason;

  MonoTime opened_at{};
  WallTime opened_wall{};
  MonoTime last_at{};
  WallTime last_wall{};
  std::string boot;
  std::optional<WallTime> ended_wall;
  MonoTime ended_at{};
  uint64_t events = 0;

  bool finished() const { return end.has_value(); }
  // The step, or null.
  const StepState* step(std::string_view step_id) const;
};

// A run from its first event (run-opened). invalid_input when its steps make no graph.
Result<RunState> open_state(std::string id, const Event& opened);

// Folds one more event. invalid_input, naming what was expected and found, when it cannot follow what came before: a
// journal that does not fit is loud.
Result<void> apply(RunState& state, const Event& event);

// All of them at once.
Result<RunState> fold(std::string id, std::span<const Event> events);

// Whether nothing waits for this step any more: done, skipped, or failed where that stops nothing.
bool is_settled(const RunState& state, size_t step);
RunStatus status_of(const RunState& state);
// Of a step that is `asking`: whether a person is to do it and confirm (else: to approve).
bool asks_confirmation(const RunState& state, size_t step);

// The services that its steps but messages change, sorted.
std::vector<std::string> touched_services(std::span<const ResolvedStep> steps);

struct OtherRun {
  std::string id;
  std::string scenario;
  std::vector<std::string> services;
};
struct Clash {
  std::string run;
  std::string scenario;
  std::string service;
};
// The first active run that changes a service which `services` names too.
std::optional<Clash> clash_with(std::span<const std::string> services, std::span<const OtherRun> active);

// All that is known, for APIs and pages: {id, scenario, title, mode, profile, status, by, cause, incident, opened, ended,
// reason, waiting_for: [...], steps: [{id, phase, title, uses, kind, status, attempts, started_after_s, seconds, summary,
// error, approvals, asked: {need, people, text, loss, expires_in_s}}]}. `now` only for what is left of questions.
Json describe_state(const RunState& state, MonoTime now);
// All of it that decides, as text: equal histories give equal text. For tests and replay checks.
std::string fingerprint(const RunState& state);

}  // namespace lifeboat::run
