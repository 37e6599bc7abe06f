// A restore on this host: the files of a set, the log behind it, replay to an exact point, and the proof that it is that point.
//
// Into `folder`, which must be empty or one that an earlier restore marked:
//   lifeboat-restore.json  the mark and the journal
//   data/                  the data directory; everything else beside it is the restore's own
//   socket/                the only way in: a Unix socket, for the server's own user and root
//
// What holds, also when it is killed or the machine goes down at any moment:
// - the repository is only read, and nothing of the restored server ever archives or connects anywhere (archive_mode off, no
//   restore_command, no primary, no TCP, a network namespace without a route, no jobs of its own);
// - success is told only after the reached point was read back from server and log, agreed with the target, and everything is on
//   disk; until then the journal says so, and the next restore into the folder takes up what is there by checksum;
// - the server replays as a standby that is fed by nobody but this code: where the log ends or is damaged it waits, it never
//   takes that for the end of the archive and promotes itself.
// On cancellation and failure the server is ended; files stay, for being taken up again.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/recovery/choose_backup.hpp"
#include "core/recovery/log_end.hpp"
#include "io/pgbackrest.hpp"

namespace lifeboat::recovery {

struct RestoreRequest {
  std::string config;  // pgBackRest's configuration file, readable by `run_as`
  std::string stanza;
  int64_t repository = 0;  // 0: the first that has a backup
  RestoreWish wish;
  std::optional<UnfinishedSegment> unfinished;  // the log was not ended in good order
  std::string folder;
  bool promote = false;  // else it is left paused, read-only
  bool again = false;    // gives up what an earlier restore into the folder has finished
  bool files_only =
      false;  // as soon as the files are whole and know nobody; the log is laid by the caller, and nothing is proved
  std::string run_as = "postgres";
  int processes = 2;  // that copy
  std::string superuser = "postgres";
};

enum class RestoreStage { looking, copying, starting, replaying, checking, promoting };
std::string_view in_words(RestoreStage stage);

struct RestoreProgress {
  RestoreStage stage = RestoreStage::looking;
  uint64_t done_bytes = 0;   // of `total_bytes`; copied while copying, replayed while replaying
  uint64_t total_bytes = 0;  // 0: not known
  double bytes_per_second = 0;
  std::optional<Duration> left;
  std::string note;  // which set, how many segments, which position
};
using OnProgress = std::function<void(const RestoreProgress&)>;

// The point that was reached, by the server and by the log.
struct ReachedPoint {
  std::optional<Moment> time;  // of the last commit that is in
  uint64_t xid = 0;            // of that commit; 0: there is none in the log that was read
  Lsn lsn;
  uint64_t timeline = 0;
  std::optional<Moment> next_time;  // of the first commit that is not in; empty: the log that is here has none
  uint64_t next_xid = 0;
};

struct Restored {
  RecoveryTarget target;
  ReachedPoint reached;
  std::string backup;
  std::string repository_note;  // which repository and incarnation
  uint64_t timeline = 0;        // of the history it followed; after a promotion that of its own
  bool promoted = false;
  bool cut_by_gap = false;         // ends at a gap that was accepted
  uint64_t bytes = 0;              // of the database
  uint64_t log_bytes = 0;          // replayed
  size_t segments = 0;             // fetched
  uint64_t lost_transactions = 0;  // commits up to the target that are not in
  std::optional<uint64_t>
      collateral_transactions;  // commits behind the point that the archive has; empty: not counted, its log was not all here
  double seconds = 0;
  double copy_seconds = 0;
  double replay_seconds = 0;
  double check_seconds = 0;
  double promote_seconds = 0;
  std::string data;
  std::string socket;
  int port = 0;
};
// The `restore` object of reports and of `lifeboat restore --format json`.
Json to_json(const Restored& restored);

// Errors say what is damaged, missing or in the way and what can be done; kinds: `invalid_input` (the request), `not_found` (stanza,
// set), `refused` (outside of the window, damage, rights, key, disk), `conflict` (a server runs there), `unsupported` (programs),
// `timed_out`.
Task<Result<Restored>> restore(RestoreRequest request, OnProgress on_progress, Deadline deadline);

}  // namespace lifeboat::recovery
