// What a run does next. Pure: state, one input, the time and a source of chance in; events to make durable, commands to
// carry out afterwards, and the reason in words out. The rim must make the events durable before it carries out a command.
//
// Rules
//   - A step starts when all it needs is settled, its `if` holds and enough people agreed; its start is an event first.
//   - An attempt that fails is repeated with backoff and jitter until its attempts are used up. invalid_input, refused and
//     unsupported are final at once. After an unknown outcome one more attempt always follows. All attempts after it must observe
//     first, since what it asked for may come late.
//   - A final failure in mode `stop` keeps everything but messages from starting and waits for a person; `go_on` settles the
//     step; `rollback` takes back what was applied. A message's failure never stops anything.
//   - Pause keeps every step from starting; running ones end. halt_if pauses. Abort stops running steps, then ends.
//   - Rollback undoes done steps that had an effect, newest first, one at a time.
//   - The run is finished when all steps but messages are settled; messages get `message_grace` more.
//   - After a restart, steps that were cut off are started again as a new attempt that must observe first.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.hpp"
#include "core/run/state.hpp"

namespace lifeboat::run {

struct Now {
  MonoTime mono{};
  WallTime wall{};
};
// Uniform in [0, 1).
using RandomSource = std::function<double()>;

namespace input {

// What became of an attempt. Those of attempts that are no longer awaited are ignored.
struct Succeeded {
  std::string step;
  int attempt = 1;
  std::string summary;
  Json data;
};
struct Held {
  std::string step;
  int attempt = 1;
  std::string summary;
  Json data;
};
struct Failed {
  std::string step;
  int attempt = 1;
  Error error;
};
struct Undone {
  std::string step;
  std::string summary;
};
struct UndoFailed {
  std::string step;
  Error error;
};
// Time passed: whatever is due now happens.
struct Tick {};
// People. Refused (Decision::refused) when they may not, or when it makes no sense now.
struct Approve {
  std::string step;
  std::string by;
};
struct Decline {
  std::string step;
  std::string by;
  std::string reason;
};
struct Confirm {
  std::string step;
  std::string by;
  std::string note;
};
struct Pause {
  std::string by;
  std::string reason;
};
struct Resume {
  std::string by;
};
struct Abort {
  std::string by;
  std::string reason;
  bool rollback = false;
};
struct Skip {
  std::string step;
  std::string by;
  std::string reason;
};
struct Retry {
  std::string step;
  std::string by;
};
struct CancelStep {
  std::string step;
  std::string by;
  std::string reason;
};
// The rim was started again and has folded the journal; nothing of the run is under way any more.
struct Recovered {
  std::string boot;
};

}  // namespace input

using Input = std::variant<input::Succeeded, input::Held, input::Failed, input::Undone, input::UndoFailed, input::Tick,
                           input::Approve, input::Decline, input::Confirm, input::Pause, input::Resume, input::Abort,
                           input::Skip, input::Retry, input::CancelStep, input::Recovered>;

namespace command {

enum class Observe {
  no,     // apply at once
  first,  // observe; when that fails, apply all the same
  must,   // observe; when that fails, so does the attempt, since an earlier one may have had its effect
};
struct StartStep {
  std::string step;
  int attempt = 1;
  Observe observe = Observe::no;
  MonoTime deadline{};
};
// Stop an attempt that is under way; its result is still reported (Failed with cancelled).
struct CancelStep {
  std::string step;
  int attempt = 1;
};
struct UndoStep {
  std::string step;
  Json applied;
  MonoTime deadline{};
};
// Tell people that they are asked. `again`: after a restart.
struct AskApproval {
  ApprovalAsked question;
  bool again = false;
};
struct AskManual {
  ManualAsked question;
  bool again = false;
};
struct Finished {
  RunEnd end = RunEnd::done;
  std::string reason;
};

}  // namespace command

using Command = std::variant<command::StartStep, command::CancelStep, command::UndoStep, command::AskApproval,
                             command::AskManual, command::Finished>;

struct Decision {
  std::vector<Event> events;      // to make durable, in this order, all or none
  std::vector<Command> commands;  // to carry out after that, in this order
  std::optional<MonoTime> wake;   // when a Tick is due; nothing: only other inputs matter
  std::optional<Error> refused;   // why an input by a person changed nothing
  std::string reason;             // in words
};

// Opens a run: the state with its first events folded in, and what to do.
struct Opening {
  RunState state;
  Decision decision;
};
Result<Opening> open(std::string id, RunOpened opened, Now now, const RandomSource& random);

// Decides and folds the events into `state`, so that ten thousand steps cost no copies. If the events cannot be made
// durable, `state` is void: fold the journal again.
Decision advance(RunState& state, const Input& input, Now now, const RandomSource& random);

// The same without touching `state`.
Decision decide(const RunState& state, const Input& input, Now now, const RandomSource& random);

// When a Tick is next due.
std::optional<MonoTime> next_wake(const RunState& state);

// Wait before attempt `next` (2 …): backoff doubled each time up to `longest`, then between half and all of it.
Duration backoff_before(const Retries& retries, int next, double chance);

}  // namespace lifeboat::run
