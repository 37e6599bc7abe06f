// The ownership machine: inputs are what agents say and what runs ask; outputs are commands for the rim. It reads no
// clock and does no I/O, so the same code runs in the controller and in the simulator.
#pragma once

#include <variant>

#include "core/ownership/candidates.hpp"
#include "core/ownership/messages.hpp"
#include "core/ownership/state.hpp"

namespace lifeboat::ownership {

// ---- inputs

struct Tick {};
struct AgentConnected {
  std::string member;
};
struct AgentLost {
  std::string member;
};
struct Reported {
  int64_t agent_clock_ns = 0;
  MemberReport report;
};
struct RenewAsked {
  std::string member;
  uint64_t term = 0;
  int64_t sent_ns = 0;
};
struct Released {
  std::string member;
  uint64_t term = 0;
  std::string reason;
  bool server_failed = false;  // its server died or hung; not: it fenced itself or was told to stop
};
struct GrantMade {  // the store's answer to MakeGrant
  uint64_t term = 0;
  std::string holder;
};
struct GrantFailed {
  std::string reason;
};
struct CommandDone {  // an agent's answer to Lead, Follow, StepDown or Adopt
  enum class What { lead, follow, step_down, adopt } what = What::lead;
  std::string member;
  uint64_t term = 0;
  bool ok = false;
  bool unknown = false;  // the link was lost before the answer
  std::string error;
  Json result;
};
struct SyncRecorded {  // the store's answer to RecordSync
  uint64_t term = 0;
  std::vector<SyncSet> sets;
};
struct SyncNotRecorded {};
struct TransferAsked {
  Transfer transfer;
};
struct TransferGivenUp {  // whoever waited no longer does
  uint64_t id = 0;
};

struct Acknowledged {};  // people have looked at what was done by itself; it does not count any more

using Input = std::variant<Tick, AgentConnected, AgentLost, Reported, RenewAsked, Released, GrantMade, GrantFailed,
                           CommandDone, SyncRecorded, SyncNotRecorded, TransferAsked, TransferGivenUp, Acknowledged>;

// ---- commands

struct AnswerRenew {
  std::string member;
  uint64_t term = 0;
  int64_t sent_ns = 0;
  bool granted = false;
};
struct MakeGrant {  // make the next term durable, then come back with GrantMade
  uint64_t expected_term = 0;
  std::string holder;
  std::string reason;
  uint64_t floor = 0;         // the term is above this one too
  bool automatic = false;     // nobody asked for it: counted, also by the controllers that come after
  std::vector<SyncSet> sync;  // durable with it
  bool goes_on =
      false;  // it led under the term before, and nobody can have since: kept for the controllers that come after
};
struct RecordSync {  // make these durable, if the term is still this one, then come back with SyncRecorded
  uint64_t expected_term = 0;
  std::vector<SyncSet> sets;
};
struct SendSync {  // whom commits are to wait for from now on
  std::string member;
  uint64_t term = 0;
  SyncSet set;
};
struct AskLook {  // look at your server again, and say so with this mark
  std::string member;
  uint64_t mark = 0;
};
struct SendLead {
  std::string member;
  uint64_t term = 0;
  int64_t as_of_ns = 0;
  Lsn at_least;
  bool goes_on = false;
  SyncSet sync;
  uint64_t after = 0;    // the term before
  bool patient = false;  // it has all the time that its server needs to recover: nobody else can or may take over
};
struct SendFollow {
  wire::Follow order;
};
struct SendStepDown {
  std::string member;
  uint64_t term = 0;
};
struct SendAdopt {
  std::string member;
  std::string restored;
  uint64_t term = 0;
};
struct FinishTransfer {
  uint64_t id = 0;
  std::optional<Error> error;
  Json result;
};
struct Note {  // for the journal and the timeline
  std::string kind;
  std::string text;
  Json data;
};

using Command = std::variant<AnswerRenew, MakeGrant, RecordSync, SendLead, SendFollow, SendStepDown, SendAdopt,
                             SendSync, AskLook, FinishTransfer, Note>;

// Takes one input at `now`, changes the state and says what is to be done, in this order.
std::vector<Command> step(State& state, const Input& input, MonoTime now);

}  // namespace lifeboat::ownership
