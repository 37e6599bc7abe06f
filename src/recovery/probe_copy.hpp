// A restored copy that goes forward through the log step by step, and is asked at each. It is fed exactly as much log as a
// position needs: behind that the file holds zeros, so the server stops there and waits, without a restart. Never archives,
// reaches out or promotes itself; see recovery/restore.hpp, which lays the files.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/recovery/catalogue.hpp"
#include "io/postgres.hpp"
#include "recovery/replay_server.hpp"
#include "recovery/restore.hpp"

namespace lifeboat::recovery {

struct CopyPlan {
  RestoreRequest request;       // where from and into which folder; its target is set here
  std::string tools;            // folder of PostgreSQL's programs
  std::vector<WalSegment> log;  // unbroken, from the first segment that the set needs
  uint64_t segment_bytes = 0;
  // Number of the last segment without which the set is nothing; those up to it are proved.
  uint64_t consistent_with = 0;
};

class ProbeCopy {
 public:
  explicit ProbeCopy(CopyPlan plan) : plan_(std::move(plan)) {}
  // Ends the server. The folder stays for the next restore to take up; `remove` takes it away, unless it was refused to the copy: then it
  // holds what somebody else put there.
  ~ProbeCopy();
  ProbeCopy(const ProbeCopy&) = delete;
  ProbeCopy& operator=(const ProbeCopy&) = delete;

  // The folder in which the fetched segments lie; on the disk of the copy they are taken as they are.
  void take_log_from(std::string folder) { log_folder_ = std::move(folder); }
  // Files of the set; what was there goes back to that by checksum. No log is needed for that yet.
  Task<Result<>> restore(OnProgress on_progress, Deadline deadline);
  // Replays all records that end at or before `at`, which must be where one ends (or the next begins), and waits there. `last`: where the
  // last of these records begins. The copy may stand just before that one, and what it had not replayed would be taken for replayed.
  // Errors: `refused` when the log is damaged before it.
  Task<Result<>> roll_to(Lsn at, Lsn last, Deadline deadline);
  // It takes writes and can go no further forward. For questions that a lock of an unfinished transaction keeps from being
  // answered.
  Task<Result<>> promote(Deadline deadline);
  // Asks the copy where it stands; the session is kept, since starting one may take longer than the answer. Errors: `internal` without
  // a server; those of PgConnection.
  Task<Result<PgRows>> ask(std::string database, std::string sql, Deadline deadline);
  PgParams params(const std::string& database) const;
  std::string data() const { return folder().data(); }
  void remove();

 private:
  bool owns_folder() const;
  RestoreFolder folder() const { return {plan_.request.folder, plan_.request.run_as}; }
  Result<> ready();
  Result<> lay_until(Lsn at);
  Result<> lay(const WalSegment& segment, uint64_t from, uint64_t to);
  void end_server();

  CopyPlan plan_;
  std::string log_folder_;
  std::unique_ptr<ReplayServer> server_;
  std::map<std::string, std::unique_ptr<PgConnection>> sessions_;  // by database
  std::optional<bool> was_marked_;  // the folder, when it was first asked for; empty: it was not yet
  bool restored_ = false;           // it was given
  Lsn laid_;                        // log is there up to here
};

}  // namespace lifeboat::recovery
