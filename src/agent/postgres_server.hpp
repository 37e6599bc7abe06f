// One PostgreSQL server on this host: its files, its processes, its own answers. It does what it is told; when it may be
// told to take writes is the business of DatabaseMember.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/guard.hpp"
#include "agent/postgres_files.hpp"
#include "agent/server_log.hpp"
#include "core/member/cancelled_waits.hpp"
#include "core/member/server.hpp"
#include "io/postgres.hpp"

namespace lifeboat {

// The history of the server that is to be followed: its timeline, and its history file (empty on timeline 1).
struct SourceHistory {
  uint64_t timeline = 0;
  std::string text;
};

// The replication role's password, as this server has it.
struct PasswordInForce {
  bool in_force = false;               // the role has that of the configuration; sessions of another one were ended
  bool standby = false;                // the role comes with the log
  int64_t ended = 0;                   // so many sessions
  std::vector<std::string> streaming;  // by their names: who receives the log from here over a connection made since
};

// Full path of one of PostgreSQL's programs, of the newest version that is installed; empty: there is none.
std::string postgres_program(const std::string& name);

class PostgresServer {
 public:
  PostgresServer(asio::any_io_executor executor, const std::string& folder, std::string run_as,
                 wire::ServerConfig config);

  const wire::ServerConfig& config() const { return config_; }
  const ServerPaths& paths() const { return paths_; }
  // Another password of replication is in the file of passwords at once, whatever the server is doing.
  void reconfigure(wire::ServerConfig config);
  // Whom commits wait for from the next write_settings() on, instead of whom the configuration names.
  void sync_with(SyncSet set) { sync_ = std::move(set); }

  bool has_data() const;
  bool marked_standby() const;  // standby.signal is there
  // A rewind was cut off in the middle: neither the old nor the new history, good for nothing but to be replaced.
  bool spoiled() const;
  bool running() const { return guard_ != nullptr; }
  // Ends what an agent before this one left running on the data directory, and puts back what it left in the middle of a
  // replacement.
  Result<> clear_up();

  // Folders for the server and its socket, which only its own user may enter.
  Result<> make_folders() const;
  // Makes a new cluster with its replication role and database. It is left stopped.
  Task<Result<>> create(Deadline deadline);
  // Roles and database of a new cluster; the server takes writes.
  Task<Result<>> furnish(Deadline deadline);

  // Writes settings and access rules; a standby of `upstream` unless that is empty.
  Result<> write_settings(const std::string& upstream, bool standby);
  // Starts the process under a guard that fences at `fence` (kNoFence's MonoTime::max for none). Does not wait for answers.
  Result<> start(MonoTime fence, Guard::OnEnd on_end);
  void set_fence(MonoTime at);
  void reload();
  Task<Result<>> wait_until_answers(Deadline deadline);

  // Whether it still takes connections; costs it little.
  Task<Result<>> knock(Deadline deadline);
  // The processor time that the server's first process and all that it began and that have ended used so far, in clock ticks. It
  // grows whenever somebody new is served, and stands still in a server that is stopped.
  int64_t work() const;
  // On connections that are kept.
  Task<Result<ServerLook>> look(Deadline deadline);
  Task<Result<PgRows>> ask(std::string sql, Deadline deadline);
  // Commits of this server, or of the one that ran last, whose wait for a standby was cut short.
  const CancelledWaits& cancelled_waits() const { return waits_.is(); }
  // Reads what is new in its log; not from more than one place at the same time. A disk that hangs holds up nothing but this.
  Task<> count_cancelled_waits();

  // Does while users are served what a stop would do while they are not: flushes what is dirty, and fills the segment of the log that
  // the stop would fill with zeroes. Changes nothing that anybody could see, and does nothing on a full disk.
  Task<Result<>> ready_to_stop(Deadline deadline);
  // The timeline that begins is numbered `timeline` or higher.
  Task<Result<>> promote(uint64_t timeline, Deadline deadline);
  // A slot for each other member, none for itself. On a standby: none at all, they would hold WAL for nobody. What can be done is
  // done also when something cannot; a slot that is missing then is told with the handicaps until it is made.
  Task<Result<>> keep_slots(bool primary, Deadline deadline);
  // Sees to it that the replication role has the password that the configuration names: a primary gives it to the role, a standby waits
  // for it to come with the log. Then sessions that were opened with another one are ended. `look`: only says how it stands.
  // It is done without being asked, too, whenever the server is looked at.
  Task<Result<PasswordInForce>> keep_password(bool look, Deadline deadline);
  // Asks a server that takes writes to stop at once without losing anything ("fast"), and returns when nothing can be written any
  // more: its sessions are gone, and its control file says that the log has ended. What serves standbys the end of the log may still
  // be there; stop() waits for it. Killed at the deadline, which is an error: `unknown_outcome` when something could not be killed.
  Task<Result<>> end_writes(Deadline deadline);
  // Asks the server to stop in the same way, and returns when it is gone; killed at the deadline.
  Task<Result<>> stop(Deadline deadline);
  // False when something of it could not be killed.
  bool kill_now();
  // Ends a server that somebody started on the data by hand, without waiting for its last process; whether there was one. Not while
  // a server of ours runs or an order is at work here: what that starts would be taken for a stranger's.
  bool end_stranger();
  // Called by the owner when on_end was called.
  void forget_process();

  Task<Result<ControlData>> control_data(Deadline deadline);
  // Whether `source` answers, takes writes and is of the same cluster as `system_id` (0: any). Makes a checkpoint there, which
  // a rewind from it needs.
  Task<Result<>> prepare_source(const std::string& source, uint64_t system_id, Deadline deadline);
  // On which timeline the source that was prepared last writes.
  uint64_t source_timeline() const { return source_history_.timeline; }
  // Reads every page of its data and looks whether its checksum is that of its content; the server may run. Takes as long as the disk
  // does.
  Task<Result<>> read_pages(Deadline deadline);
  // What was found then, in words; empty: nothing. Damaged data are kept aside as evidence when a copy takes their place.
  const std::string& damage() const { return damage_; }
  // Turns this stopped server's data into a standby's of `source`, which was prepared: pg_rewind; `copy` takes a fresh one
  // beside the old, which is deleted only when the new is whole. Both ask first whether the data may be given up.
  Task<Result<>> rewind(const std::string& source, Deadline deadline);
  Task<Result<>> copy(const std::string& source, Deadline deadline);

  // Restored data in place of these (recovery/take_over.hpp makes them fit). Under which name the present ones were restored, as they
  // say themselves until forgotten; empty: they are nobody's restore.
  std::string restored_name() const;
  void forget_restored_name() const;
  // Where the data are that were here before those.
  std::string kept_aside() const;
  // Ends the restored server and settles its data; nothing of this server is touched.
  Task<Result<>> prepare_put_back(std::string name, Deadline deadline);
  // The server is stopped. Its data are set aside as evidence, never deleted, and the restored ones get their place. After a crash
  // in between clear_up() puts its own back.
  Task<Result<>> put_in_place(std::string name, Deadline deadline);

  // What is done before the data here are given up for those of a source. Gives where they are to be kept (empty: nowhere), or
  // an error, and then they stay as they are.
  using BeforeGivingUp = std::function<Task<Result<std::string>>(SourceHistory source, Deadline deadline)>;
  void before_giving_up(BeforeGivingUp what) { before_giving_up_ = std::move(what); }

  // Starts it cut off from everybody but the agent, to read what it holds: no TCP, a socket of its own, no archiving, no
  // background work that reaches out. It must be stopped, and it must be given up afterwards: its history goes on by a few
  // records.
  Result<std::unique_ptr<Guard>> start_isolated(Guard::OnEnd on_end);
  PgParams isolated_params(const std::string& database) const;
  PgParams socket_params(const std::string& database) const;
  // Runs one of PostgreSQL's programs as the server's user; gives its output, or appends it to `output_file`.
  Task<Result<std::string>> run_tool(std::vector<std::string> argv, Deadline deadline, std::string output_file = {},
                                     bool behind_others = false);

 private:
  asio::any_io_executor executor_;
  std::string run_as_;
  wire::ServerConfig config_;
  ServerPaths paths_;
  std::unique_ptr<Guard> guard_;
  std::optional<SyncSet> sync_;
  std::vector<std::unique_ptr<PgConnection>> kept_;  // idle ones
  std::vector<std::string> handicaps_;
  MonoTime looked_for_handicaps_{};
  std::string slot_trouble_;  // which slots are missing and why; empty: none
  struct KeptPassword {
    bool in_force = false;
    bool old_sessions = false;  // some may have been opened with another one
    std::string since;          // by the server's clock: what was opened before is ended; empty: nothing was
    MonoTime late_until{};      // until then somebody may come through who began to log in before
    MonoTime next{};            // when to look after it again
    int64_t ended = 0;
  };
  KeptPassword password_;
  bool keeps_password_ = false;  // somebody is in set_password()
  WaitCount waits_;
  LogPlace log_place_;
  uint64_t starts_ = 0;
  BeforeGivingUp before_giving_up_;
  SourceHistory source_history_;  // of the source that was prepared last
  std::string damage_;
  std::optional<std::string> keep_as_;  // they may be given up for that source; empty: and need not be kept

  std::string standby_marker() const { return paths_.data + "/standby.signal"; }
  std::string spoiled_file() const { return paths_.folder + "/spoiled"; }
  std::string swap_file() const { return paths_.folder + "/swap.json"; }
  std::string restored_file() const { return paths_.data + "/lifeboat.restored"; }
  std::string restore_at(const std::string& name) const;
  // Where its data are kept when something else takes their place: never there before.
  std::string aside(const std::string& why) const;
  Result<> clear_up_swap() const;
  std::string isolated_folder() const { return paths_.folder + "/isolated"; }
  std::string tool(const std::string& name) const;
  Task<> look_for_handicaps(Deadline deadline);
  Task<> ask_whether_waits_are_told(Deadline deadline);
  void count_waits_anew();
  Task<Result<>> set_password(Deadline deadline);
  Task<> look_after_password(Deadline deadline);
  Task<Result<>> end_old_sessions(Deadline deadline);
  Task<Result<>> checkpoint(Deadline deadline);
  Task<Result<>> fill_segment(Deadline deadline);
  // No room is left for its files.
  bool is_full() const;
  Task<Result<std::string>> may_give_up(Deadline deadline);
  std::string history_file(uint64_t timeline) const;
  Result<> claim_timelines(uint64_t own, uint64_t next) const;
  void forget_claims() const;
  Result<> write_archive_settings(bool on) const;
  // A fresh connection and one question: it serves.
  Task<Result<>> ping(Deadline deadline);
  // Again and again, if need be.
  void ask_to_stop();
  bool log_has_ended() const;
  void end_archiving() const;
  Result<> write_owned(const std::string& path, const std::string& text) const;
  void give_to_server(const std::string& path) const;
};

}  // namespace lifeboat
