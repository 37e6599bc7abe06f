// pgBackRest as a child process: what stands in a repository, verifying it, fetching log and restoring from it. Written for and
// tried with 2.45; its exit codes are the numbers of its ERROR lines, but `verify` and `info` end with 0 whatever they found.
//
// Reading only, apart from the folders named here: nothing is ever written to a repository. Secrets come in by the configuration
// file or by PGBACKREST_REPO… variables of this process, which are handed on; they never stand in arguments.
// On cancellation and at a deadline the child and all its helpers are killed; what was half written has a name of its own and
// is not taken for whole.
#pragma once

#include <string>
#include <vector>

#include "core/recovery/catalogue.hpp"
#include "io/process.hpp"

namespace lifeboat {

struct PgBackRest {
  std::string config;  // its configuration file
  std::string stanza;
  int64_t repository = 0;  // 0: as the configuration orders them
  std::string user;        // it runs as this user when this process is root; empty: as it is
  // Locks, logs and what is fetched ahead: of this use alone, or it collides with the one that production runs. Must exist and
  // belong to `user`.
  std::string scratch;
  std::string program = "pgbackrest";
};

// What an exit code and its message mean, as an error of the right kind with what to do next. `output` is what it wrote.
Error pgbackrest_error(std::string_view command, int exit_code, std::string_view output);

// Whether a backup failed only because its member was promoted a moment ago: the log is on the new timeline already, and
// pg_control, which its first checkpoint writes, is not. It passes by itself.
bool awaits_first_checkpoint(std::string_view said);

// Whether a backup in an object store is whole and only not in the index, because the key may not remove "latest". No store has that; on a
// disk it is a link.
bool lacks_index_only(std::string_view said);

// Parts of its output. Pure; errors `invalid_input` when it is not what 2.45 writes.
// `info --output=json`: one catalogue for each incarnation of the stanza in each repository, without log.
Result<std::vector<recovery::Catalogue>> parse_info(std::string_view json, const std::string& stanza);
// `repo-ls --recurse --output=json archive/STANZA`: puts the log of `catalogue.archive` into it. The texts of histories are not
// part of it; they stand there empty.
Result<> parse_archive_list(std::string_view json, recovery::Catalogue& catalogue);
// `verify --output=text --verbose`.
struct VerifyReport {
  bool damaged = false;
  std::vector<std::string> findings;  // each line that says what is wrong
  std::string text;
};
VerifyReport parse_verify(std::string_view output);
// `repo-ls --output=json PATH`: names of what stands there.
Result<std::vector<std::string>> parse_names(std::string_view json);

// Everything about the stanza in one repository: that of `repo.repository`, or the first that has a backup.
// The newest incarnation of the cluster is taken. Errors: `not_found` (no stanza, no backup, no repository), `refused`
// (rights, key), `unreachable`, `unsupported` (not installed).
Task<Result<recovery::Catalogue>> read_catalogue(PgBackRest repo, Deadline deadline);

// Reads the whole repository and recomputes every checksum. Damage is no error but a finding.
Task<Result<VerifyReport>> verify_repository(PgBackRest repo, Deadline deadline);

// Backups that stand in `repo.repository` and that its index does not know, of whichever incarnation. An expiry removes them.
struct Strays {
  std::vector<std::string> whole;       // their manifest is there
  std::vector<std::string> unfinished;  // what a backup left that was cut off
  std::string newest_known;             // last label of the index; empty: it has none
};
Task<Result<Strays>> find_strays(PgBackRest repo, Deadline deadline);

// One file of the repository as it is stored, decrypted but not decompressed (histories are stored plainly).
Task<Result<std::string>> read_repository_file(PgBackRest repo, std::string path, Deadline deadline);

// Fetches segments of log, several with one call, into `scratch`/log/archive/STANZA/in under their own names; each appears there
// whole. The names of `segments` should be in the order in which they are needed.
struct FetchedLog {
  std::vector<std::string> present;
  std::vector<std::string> absent;
  std::vector<std::string> damaged;  // "NAME: what was said of it"
};
struct FetchLog {
  std::vector<std::string> segments;
  std::string control_folder;  // a data folder of the same cluster, or what make_control_folder() made
  int processes = 1;
};
std::string fetched_log_folder(const PgBackRest& repo);
Task<Result<FetchedLog>> fetch_log(PgBackRest repo, FetchLog what, Deadline deadline);
// A folder that tells pgBackRest which cluster log is fetched for, before there is a data folder. Errors: `unsupported` (major
// version not known here): then fetch when there is one.
Result<> make_control_folder(const std::string& folder, const recovery::Catalogue& catalogue);

// Restores the files of a set into `data`. No recovery settings of its own are left to rely on: whoever calls this writes them.
struct RestoreFiles {
  std::string set;
  std::string data;
  std::string log_file;  // every file that is done is a line there; see restored_share
  bool delta = false;    // keep files whose checksum is right, delete what does not belong there
  int processes = 2;
  // Every tablespace goes below this folder: where it stood in production it may still stand.
  std::string tablespaces;
};
Task<Result<>> restore_files(PgBackRest repo, RestoreFiles what, Deadline deadline);
// The last share that a restore's log tells, 0 to 1; nothing while there is none. `tail` is the end of the log.
std::optional<double> restored_share(std::string_view tail);

}  // namespace lifeboat
