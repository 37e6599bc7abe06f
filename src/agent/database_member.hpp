// The agent's side of one database: the server, the lease it may write under, and the orders of the controller. This is
// where a server becomes writable, and the only place: by lead(), with a grant whose lease is held.
//
// Invariants
//   - a server that takes writes runs under a fence time that never lies after the end of the lease (less its margin);
//   - the highest term ever seen is on disk before anything is done under it, so no older order is obeyed after a restart;
//   - Release is sent only when no process of the server is left;
//   - an error answer to lead() means: no term is held and the server takes no writes.
#pragma once

#include <functional>
#include <string>

#include "agent/orphan_guard.hpp"
#include "core/lease/lease.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat {

class DatabaseMember {
 public:
  struct Hooks {
    std::function<void(Json message)> send;  // to the controller; dropped while the link is down
    std::function<void()> changed;           // a report is due now
    std::function<void(const std::string& text)> log;
  };
  using Progress = std::function<void(std::string)>;

  DatabaseMember(asio::any_io_executor executor, Scope& scope, std::string service, wire::ServerConfig config,
                 std::string folder, std::string run_as, Hooks hooks);

  // Reads what was seen before, starts a standby that was running before, and begins to watch.
  Task<Result<>> begin();
  // Takes over other settings: at once where the server can, else with its next start.
  void reconfigure(const wire::ServerConfig& config);

  MemberReport report() const;

  Task<Result<Json>> lead(wire::Lead order, Deadline deadline, Progress progress);
  Task<Result<Json>> follow(wire::Follow order, Deadline deadline, Progress progress);
  Task<Result<Json>> step_down(wire::StepDown order, Deadline deadline);
  void renewed(const wire::Renewed& answer);
  OrphanGuard& orphans() { return orphans_; }
  // Ends the server in good order, and gives the term back.
  Task<> shut_down(Deadline deadline);

 private:
  enum class Role { none, standby, primary };

  asio::any_io_executor executor_;
  Scope& scope_;
  std::string service_;
  PostgresServer server_;
  OrphanGuard orphans_;
  Hooks hooks_;
  Lease lease_;
  Role role_ = Role::none;
  std::string upstream_;
  std::string reason_;        // why it is stopped or parked
  std::string doing_;         // the order under way; empty: none
  bool hides_state_ = false;  // that order makes the server no candidate
  bool parked_ = false;
  bool stopping_ = false;  // its end is wanted
  bool hung_ = false;
  bool ended_ = false;       // this member is shut down
  bool lead_waits_ = false;  // an order to lead came while a standby waits for its upstream
  std::optional<ServerLook> seen_;
  std::optional<MonoTime> silent_since_;

  struct Busy;

  std::string state_file() const { return server_.paths().folder + "/member.json"; }
  Result<> remember(uint64_t leads);
  void log(const std::string& text) const;
  Result<> start_server(MonoTime fence);
  void server_ended(Guard::Ended how);
  void release(const std::string& reason, bool server_failed);
  void fence_now(const std::string& reason, bool server_failed);
  bool kill_server();
  Task<> renew_loop();
  Task<> watch_loop();
  void judge();
  Task<> look_once();
  Task<> restart_standby();
  Task<> furnish_primary();
  Task<Result<>> become_writable(const wire::Lead& order, Deadline deadline);
  Task<Result<>> wait_received(Lsn at_least, Deadline deadline);
  Task<Result<>> wait_streaming(const std::string& upstream, Deadline deadline);
  Task<Result<>> start_and_stream(const std::string& upstream, Duration patience);
  Task<Result<std::string>> replace_history(const std::string& upstream, Deadline deadline, Progress progress);
  Task<> lead_wanted();
  Task<Result<std::string>> attach(const std::string& upstream, Deadline deadline, Progress progress);
};

}  // namespace lifeboat
