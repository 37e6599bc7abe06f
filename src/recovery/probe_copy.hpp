// A restored copy that goes forward through the log step by step, and is asked at each. It is fed exactly as much log as a
// position needs: behind that the file holds zeros, so the server stops there and waits, without a restart. Never archives,
// reaches out or promotes itself; see recovery/restore.hpp, which lays the files.
#pragma once

#include <memory>
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
  std::string log_folder;       // where they lie
  uint64_t segment_bytes = 0;
};

class ProbeCopy {
 public:
  explicit ProbeCopy(CopyPlan plan) : plan_(std::move(plan)) {}
  // Ends the server. The folder stays for the next restore to take up; `remove` takes it away.
  ~ProbeCopy();
  ProbeCopy(const ProbeCopy&) = delete;
  ProbeCopy& operator=(const ProbeCopy&) = delete;

  // Files of the set, consistent; what was there goes back to that by checksum. Gives the bytes of the database.
  Task<Result<uint64_t>> restore(OnProgress on_progress, Deadline deadline);
  // Replays all records that end at or before `at`, which must be where one ends (or the next begins), and waits there. `last`: where the
  // last of these records begins. The copy may stand just before that one, and what it had not replayed would be taken for replayed.
  // Errors: `refused` when the log is damaged before it.
  Task<Result<>> roll_to(Lsn at, Lsn last, Deadline deadline);
  // It takes writes and can go no further forward. For questions that a lock of an unfinished transaction keeps from being
  // answered.
  Task<Result<>> promote(Deadline deadline);
  PgParams params(const std::string& database) const;
  std::string data() const { return folder().data(); }
  void remove();

 private:
  RestoreFolder folder() const { return {plan_.request.folder, plan_.request.run_as}; }
  Result<> ready();
  Result<> lay_until(Lsn at);
  Result<> lay(const WalSegment& segment, uint64_t bytes);
  void end_server();

  CopyPlan plan_;
  std::unique_ptr<ReplayServer> server_;
  Lsn laid_;  // log is there up to here
};

}  // namespace lifeboat::recovery
