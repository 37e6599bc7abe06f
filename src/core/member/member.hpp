// A member's side of one database: the server, the lease it may write under, and the orders of the controller. This is
// where a server becomes writable, and the only place: by lead(), with a grant whose lease is held.
//
// It is written once and run twice: by the agent, over real servers, and by the simulator, over made-up ones. What differs
// is `Rim`:
//
//   template <class T = void> using Task       a coroutine of that world
//   struct Deadline { MonoTime at; }           what the server's calls take
//   Server                                     runs one server; PostgresServer is the real one
//   MonoTime now()
//   Task<> sleep_until(MonoTime)
//   void spawn(std::string name, Task<>)       background work, ended with the member
//   void post(std::function<void()>)           soon, and not from inside the caller
//   Task<std::optional<Result<>>> unless(Task<Result<>> work, Task<> stop)   nothing when `stop` was first
//   std::optional<MemberRecord> recall();  Result<> keep(const MemberRecord&)   durable when it returns
//
// Invariants
//   - a server that takes writes runs under a fence time that never lies after the end of the lease (less its margin);
//   - the highest term ever seen is on disk before anything is done under it, so no older order is obeyed after a restart;
//   - Release is sent only when no process of the server is left, or none that could write: its log has ended for good;
//   - an error answer to lead() means: no term is held and the server takes no writes.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/base/error.hpp"
#include "core/base/process_end.hpp"
#include "core/data/json.hpp"
#include "core/lease/lease.hpp"
#include "core/member/pulse.hpp"
#include "core/member/replay_watch.hpp"
#include "core/member/server.hpp"
#include "core/ownership/messages.hpp"

namespace lifeboat {

template <class Rim>
class MemberLogic {
 public:
  template <class T = void>
  using Task = typename Rim::template Task<T>;
  using Deadline = typename Rim::Deadline;
  using Server = typename Rim::Server;

  struct Hooks {
    // To the controller. A renewal is dropped while there is no link; a release waits for one.
    std::function<void(const wire::Renew&)> renew;
    std::function<void(const wire::Release&)> release;
    // To every other member, by whatever way leads there without a controller; not waited for.
    std::function<void(const wire::Keep&)> keep;
    std::function<void()> changed;  // a report is due now
    std::function<void(const std::string& text)> log;
  };
  using Progress = std::function<void(std::string)>;

  // `rim` and `server` outlive it.
  MemberLogic(Rim& rim, Server& server, std::string service, Hooks hooks);

  // Reads what was seen before, starts a standby that was running before, and begins to watch.
  Task<Result<>> begin();
  // Takes over other settings: at once where the server can, else with its next start.
  void reconfigure(const wire::ServerConfig& config);

  MemberReport report() const;

  Task<Result<Json>> lead(wire::Lead order, Deadline deadline, Progress progress);
  Task<Result<Json>> follow(wire::Follow order, Deadline deadline, Progress progress);
  Task<Result<Json>> step_down(wire::StepDown order, Deadline deadline);
  // Takes restored data in place of its own; see core/ownership/put_back.hpp for when.
  Task<Result<Json>> adopt(wire::Adopt order, Deadline deadline, Progress progress);
  void renewed(const wire::Renewed& answer);
  // Takes another set of standbys to wait for, at once.
  void sync_with(const wire::SyncWith& order);
  // The next report is of a look that begins now or later.
  void look_again(uint64_t mark);
  // There is a link to a controller again: what is left of a lease may be little.
  void linked();
  // Another member that takes writes hears no controller. Durable before it is answered with a promise.
  wire::Kept keep(const wire::Keep& asked);
  void kept(const wire::Kept& answer);
  // Ends the server in good order, and gives the term back.
  Task<> shut_down(Deadline deadline);

 private:
  enum class Role { none, standby, primary };
  static constexpr const char* kStepsDown = "steps down";
  static constexpr const char* kLeaves = "ends its server";

  Rim& rim_;
  Server& server_;
  std::string service_;
  Hooks hooks_;
  Lease lease_;
  Role role_ = Role::none;
  std::string upstream_;
  std::string reason_;        // why it is stopped or parked
  std::string doing_;         // the order under way; empty: none
  bool hides_state_ = false;  // that order makes the server no candidate
  bool parked_ = false;
  uint64_t sync_number_ = 0;  // of the newest set that commits were to wait for, under this term
  std::string restored_;      // the restore whose data these are, as long as nothing else was done to them
  bool put_back_ = false;     // they may lack what was here once
  MonoTime put_back_at_{};
  bool stopping_ = false;  // its end is wanted
  bool hung_ = false;
  bool ended_ = false;           // this member is shut down
  bool newer_waits_ = false;     // a newer order came while a standby waits for its upstream
  uint64_t following_term_ = 0;  // of the order to follow that is under way
  uint64_t furnishing_ = 0;      // how often a primary was furnished; only the last of them goes on
  uint64_t refused_term_ = 0;    // the newest that was answered with a definite no since this agent began
  std::optional<ServerLook> seen_;
  ReplayWatch replay_;
  std::optional<ControlData> at_rest_;  // what is known of a stopped primary's position; it may have a little more
  MonoTime current_at_{};               // when it last had all that its upstream had; zero: not known
  std::string current_with_;            // that upstream
  Pulse pulse_;
  bool looking_ = false;
  MonoTime look_due_{};
  uint64_t links_ = 0;            // to controllers, so far
  uint64_t mark_heard_ = 0;       // over this link
  uint64_t mark_seen_ = 0;        // of the last look that ended
  MonoTime renewed_at_{};         // when a controller last granted a renewal
  MonoTime promised_until_{};     // it does not take over before
  bool promise_is_kept_ = false;  // the disk knows of it
  struct Neighbour {
    int64_t promised_ns = 0;  // the newest question that it answered with a promise
    int64_t answered_ns = 0;  // and with a yes at all
  };
  std::map<std::string, Neighbour> neighbours_;  // the other members, since this one leads
  bool alone_ = false;                           // it goes on by their promises
  MonoTime began_{};
  MonoTime told_others_{};  // when the other members were last told of its term
  struct Claim {
    uint64_t term = 0;
    MonoTime until{};
  };
  std::map<std::string, Claim> claims_;  // what others said last that they hold

  struct Busy;

  MonoTime now() const { return rim_.now(); }
  Deadline after(Duration span) const { return {now() + span}; }
  bool passed(const Deadline& deadline) const { return now() >= deadline.at; }
  // The nearer of this one and `span` from now.
  Deadline at_most(const Deadline& deadline, Duration span) const { return {std::min(deadline.at, now() + span)}; }
  Task<> sleep_for(Duration span) { return rim_.sleep_until(now() + span); }

  Result<> remember(uint64_t leads);
  void note_current(MonoTime when);
  std::string seen_upstream() const;  // the member that the server was last seen to receive from; empty: none
  void log(const std::string& text) const;
  Result<> start_server(MonoTime fence);
  void server_ended(ServerEnd how, int wait_status);
  void release(const std::string& reason, bool server_failed);
  void fence_now(const std::string& reason, bool server_failed);
  bool kill_server();
  Task<> renew_loop();
  void ask_renewal();
  void ask_to_be_kept();
  void tell_others(int64_t promise_wanted_ms);
  int64_t left_of_right() const;
  void learn_term(uint64_t term, const std::string& from);
  void note_claim(const std::string& member, uint64_t term, int64_t left_ms);
  std::string who_holds_a_newer_term(uint64_t than) const;
  bool all_neighbours_answer() const;
  std::optional<int64_t> promised_by_all() const;
  Task<> watch_loop();
  Task<> knock_loop();
  Task<> look_and_judge();
  void judge();
  void end_stranger();
  Task<> look_once();
  Result<> start_standby();
  Task<> restart_standby();
  bool standby_can_start() const;
  Task<> read_position();
  Task<> furnish_primary();
  Task<> wait_for_way();
  // Why this order is not carried out; else `next` holds its term.
  Result<> may_lead(const wire::Lead& order, Lease& next) const;
  // The answer to an order to lead under which nothing was done. A definite one closes its term here for good.
  std::unexpected<Error> no_to(const wire::Lead& order, Error error);
  // `untouched` becomes false once the server was asked to take writes.
  Task<Result<>> become_writable(const wire::Lead& order, Deadline deadline, bool& untouched);
  Task<Result<>> wait_received(Lsn at_least, Deadline deadline);
  Task<Result<>> wait_streaming(const wire::Follow& order, Duration patience, Deadline most);
  Task<Result<>> start_and_stream(const wire::Follow& order, Duration patience, Deadline most);
  Task<Result<bool>> find_damage(Deadline deadline, Progress progress);
  Task<Result<std::string>> replace_history(const wire::Follow& order, bool damaged, Deadline deadline,
                                            Progress progress);
  // Whether what it has may be replaced by the upstream's history.
  Result<> as_judged(const wire::Follow& order) const;
  // The same of what the upstream has now.
  Task<Result<>> judge_again(const wire::Follow& order, uint64_t system_id, Deadline deadline);
  Task<Result<>> may_replace(const wire::Follow& order, Deadline deadline);
  Task<> newer_wanted();
  // Gives the right back as soon as nothing here can write.
  Task<Result<Json>> end_lead(wire::StepDown order, Deadline deadline);
  // Waits for what is left of the server then; a newer order ends it at once.
  Task<> leave();
  Task<Result<>> put_in_place(const std::string& name, Deadline deadline, Progress progress);
  void no_longer_put_back(uint64_t leads);
  Task<Result<std::string>> attach(const wire::Follow& order, Deadline deadline, Progress progress);
};

}  // namespace lifeboat
