// Logical backups by pg_dump, taken to a folder or bucket and loaded from there by pg_restore.
//
// The custom format: one file, one stream, loaded by several connections at once. (The directory format was measured to load no
// faster, and is many objects to keep whole.) The stream is hashed on its way; what is loaded was hashed again, and compared,
// before its first row: pg_restore itself takes changed text in an uncompressed dump for data. Beside each dump lies a profile of
// the database in the very snapshot that was dumped, and after a load the database must hold exactly that.
//
// Passwords go to the programs by their environment. Errors: `unsupported` when pg_dump or pg_restore is missing or too old,
// `refused` with what the program said, those of the place and of the database; `conflict` for a dump that is not what its
// checksum says. A cancelled dump leaves nothing in the place; a cancelled load leaves what was loaded so far, and no file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/logical/note.hpp"
#include "core/logical/restore_messages.hpp"
#include "core/logical/target.hpp"
#include "core/validation/judge.hpp"
#include "io/postgres.hpp"
#include "recovery/logical_place.hpp"

namespace lifeboat {

struct LogicalProgress {
  std::string stage;  // "dump", "count", "fetch", "load", "analyze", "check"
  uint64_t bytes = 0;
  uint64_t total = 0;  // 0: not known
  double seconds = 0;  // since the stage began
};
// Called on the executor of the coroutine, about once a second while bytes move.
using OnLogicalProgress = std::function<void(LogicalProgress)>;

struct DumpRequest {
  PgParams server;     // with dbname
  std::string run_as;  // the user that pg_dump becomes, when this process is root; empty: as it is
  int compress = -1;   // 0 to 9; -1: pg_dump's own
  bool profile = true;
  bool contents = false;  // the profile also sums all rows
  // Written beside it once the dump is there, with what it took; empty: nobody's but the person's who asks for it.
  std::optional<DumpNote> note;
};

struct Dumped {
  std::string path;
  std::string place;
  std::string sha256;
  uint64_t bytes = 0;
  int64_t tables = -1, rows = -1;  // of the profile; -1: none was taken
  double seconds = 0;
};
BOOST_DESCRIBE_STRUCT(Dumped, (), (path, place, sha256, bytes, tables, rows, seconds))
constexpr auto field_docs(const Dumped*) {
  return std::to_array<FieldDoc>({{"path", Need::required, "of the file, from the top of the place"},
                                  {"place", Need::required, "folder or bucket"},
                                  {"sha256", Need::required, "of the file"},
                                  {"bytes", Need::required, "of the file"},
                                  {"tables", Need::optional, "that were counted; -1: none was"},
                                  {"rows", Need::optional, "that were counted"},
                                  {"seconds", Need::optional, "from beginning to end"}});
}

// `place` must outlive the call.
Task<Result<Dumped>> take_dump(DumpRequest request, BackupPlace* place, Deadline deadline, OnLogicalProgress progress);

// Reads a backup whole and holds it against its checksum. `conflict` when it is another, `not_found` without one.
Task<Result<>> verify_dump(BackupPlace* place, LogicalBackup backup, Deadline deadline, OnLogicalProgress progress);

// With all that lies beside it. The checksum goes first: what is left when this is cut off is then not taken for a whole backup.
Task<Result<>> remove_dump(BackupPlace* place, LogicalBackup backup, Deadline deadline);

struct LoadRequest {
  PgParams server;  // with the dbname that is loaded
  std::string run_as;
  int jobs = 2;
  bool create = false;  // make the database if it does not exist
  TargetAnswer answer;
  std::string member;           // of the plan, that the server is; empty: none
  bool all_or_nothing = false;  // one transaction, so one connection
  bool no_owner = false;        // all objects belong to the user of the connection; no rights are set
  bool without_checksum = false;
  std::string scratch = "/var/tmp";  // where a file from a bucket lies while it is loaded
};

struct Loaded {
  std::string backup;
  std::string database;
  std::string sha256;
  uint64_t bytes = 0;
  int64_t tables = 0, rows = 0;  // counted afterwards
  double fetch_seconds = 0, load_seconds = 0, analyze_seconds = 0, check_seconds = 0, seconds = 0;
  std::vector<RestoreProblem> problems;  // that pg_restore told and that do not concern the data
  Checks checks;                         // against the dump's own profile
  bool proven = false;                   // there was a profile, and every check holds
};
BOOST_DESCRIBE_STRUCT(Loaded, (),
                      (backup, database, sha256, bytes, tables, rows, fetch_seconds, load_seconds, analyze_seconds,
                       check_seconds, seconds, problems, checks, proven))
constexpr auto field_docs(const Loaded*) {
  return std::to_array<FieldDoc>({{"backup", Need::required, "path of the file"},
                                  {"database", Need::required, "that was loaded"},
                                  {"sha256", Need::optional, "of the file that was loaded"},
                                  {"bytes", Need::required, "of the file"},
                                  {"tables", Need::required, "in the database afterwards"},
                                  {"rows", Need::required, "counted afterwards"},
                                  {"fetch_seconds", Need::required, "to fetch it and hold it against its checksum"},
                                  {"load_seconds", Need::required, "of pg_restore"},
                                  {"analyze_seconds", Need::required, "to collect the planner's statistics"},
                                  {"check_seconds", Need::required, "to count it"},
                                  {"seconds", Need::required, "from beginning to end"},
                                  {"problems", Need::optional, "told by pg_restore, without harm to the data"},
                                  {"checks", Need::optional, "against the profile of the dump"},
                                  {"proven", Need::required, "the database holds exactly what was dumped"}});
}

Task<Result<Loaded>> load_dump(LoadRequest request, BackupPlace* place, LogicalBackup backup, Deadline deadline,
                               OnLogicalProgress progress);

}  // namespace lifeboat
