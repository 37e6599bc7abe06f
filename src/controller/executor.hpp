// Drives runs: feeds the run machine (core/run/machine.hpp) with what happens, makes its events durable, then carries out
// its commands by actions. Holds no rules of its own.
//
// Guarantees
//   - No action is called before the event that says so is durable; nothing that a step unlocks starts before its end is.
//   - After a crash, resume_all() goes on with every unfinished run: finished steps are not run again, steps that were cut
//     off are observed first.
//   - Two runs that change the same service exclude each other, and so do two runs for the same cause.
//   - When the journal cannot be written, the run stands still (its attempts are cancelled), says so by `log`, and goes on from
//     the journal when it can be read again.
//
// One thread: that of `executor`. Destroying it stops everything at once and writes nothing more, like a crash; stop() does
// the same and waits. The store and the world must outlive it, and what the hooks refer to as well.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actions/action.hpp"
#include "core/model/variables.hpp"
#include "core/run/machine.hpp"
#include "io/task.hpp"
#include "store/store.hpp"

namespace lifeboat {

struct ExecutorOptions {
  // The action of a name; find_action() when empty.
  std::function<const ActionDescriptor*(std::string_view)> find;
  std::string plan_hash;
  std::string profile;  // of runs whose request names none
  bool drill = false;   // all runs are drills
  // Which boot of the machine this is; read from the kernel when empty.
  std::string boot;
  run::RandomSource random;  // a real one when empty
  Duration message_grace{10'000};
  // How long a call by a person waits for the journal.
  Duration patience{30'000};

  // What would be lost by starting this step now, for the question to people; empty text: nothing to say.
  std::function<std::string(const run::ResolvedStep&)> loss;
  std::function<void(const std::string& run, const run::Event&)> on_event;  // when it is durable, in order
  std::function<void(const std::string& run, const std::string& step, const std::string& line)> on_progress;
  std::function<void(const std::string& run, const run::ApprovalAsked&, bool again)> on_approval_asked;
  std::function<void(const std::string& run, const run::ManualAsked&, bool again)> on_manual_asked;
  std::function<void(const std::string& run, run::RunEnd, const std::string& reason)> on_finished;
  std::function<void(const std::string& line)> log;
  // For tests of recovery: called "before" an attempt's action is, its start being durable, and "after" it had its
  // effect, its end not being durable yet.
  std::function<Task<>(std::string step, std::string when)> crash_point;
};

struct OpenRequest {
  std::string scenario;
  run::RunMode mode = run::RunMode::real;
  std::string profile;
  Vars vars;           // of this run alone; stronger than all others
  std::string by;      // a person, or what raised the signal
  std::string reason;  // why, in their words
  std::string cause;   // decision::cause_of(); empty: opened by hand
  std::string incident;
};

struct Resumed {
  std::vector<std::string> runs;      // that go on
  std::vector<std::string> problems;  // runs whose events do not fit, in words; they stay as they are
};

class RunExecutor {
 public:
  RunExecutor(asio::any_io_executor executor, Store& store, World& world, ExecutorOptions options);
  ~RunExecutor();
  RunExecutor(const RunExecutor&) = delete;
  RunExecutor& operator=(const RunExecutor&) = delete;

  // Opens a run and starts it; its id ("R-3"). not_found: no such scenario; invalid_input: variables or parameters do not
  // fit; unsupported: an action this program does not have; conflict: another run is in the way, which is named.
  Task<Result<std::string>> open_run(OpenRequest request);
  // What open_run would journal, without opening anything: for previews and for `check`.
  Result<std::vector<run::ResolvedStep>> resolve(OpenRequest request) const;

  // Folds all runs of the journal and goes on with those that have not ended. Call once, before anything else.
  Task<Result<Resumed>> resume_all();

  // Answers and orders of people. Durable when they return. refused, with the reason, when they do not apply.
  Task<Result<void>> approve(std::string run, std::string step, std::string by);
  Task<Result<void>> decline(std::string run, std::string step, std::string by, std::string reason);
  Task<Result<void>> confirm(std::string run, std::string step, std::string by, std::string note);
  Task<Result<void>> pause(std::string run, std::string by, std::string reason);
  Task<Result<void>> resume(std::string run, std::string by);
  Task<Result<void>> abort(std::string run, std::string by, std::string reason, bool rollback);
  Task<Result<void>> skip(std::string run, std::string step, std::string by, std::string reason);
  Task<Result<void>> retry(std::string run, std::string step, std::string by);
  Task<Result<void>> cancel_step(std::string run, std::string step, std::string by, std::string reason);

  // Ids of all runs, oldest first.
  std::vector<std::string> list() const;
  // The state of a run, or null. Valid until the next suspension of the caller; may be a moment ahead of the journal.
  const run::RunState* state(std::string_view run) const;

  // The newest line a step of a run said while at work; empty if none.
  std::string progress(std::string_view run, std::string_view step) const;

  // Stops everything without writing: a later resume_all() goes on from here. Waits at most `patience`.
  Task<> stop(Duration patience);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// One attempt of a step, as the machine ordered it: its result as an input. Exceptions become Failed, and so do parameters that could not
// be made up. Cancellation of the caller becomes Failed with `cancelled`.
Task<run::Input> carry_out(const ActionDescriptor* descriptor, ActionContext context, Result<Json> with,
                           run::command::StartStep what);
// Taking back a step.
Task<run::Input> take_back(const ActionDescriptor* descriptor, ActionContext context, Result<Json> with,
                           run::command::UndoStep what);

// Steps of a scenario as they would run, from the plan alone (variables expanded, parameters checked).
Result<std::vector<run::ResolvedStep>> resolve_scenario(
    const Plan& plan, const OpenRequest& request, const Vars& vars,
    const std::function<const ActionDescriptor*(std::string_view)>& find);

}  // namespace lifeboat
