// Where in the log a moment is, and the log of a span of time out of a repository.
#pragma once

#include <optional>
#include <string>

#include "io/pgbackrest.hpp"
#include "io/task.hpp"
#include "recovery/wal_folder.hpp"

namespace lifeboat {

struct WalPlace {
  size_t run = 0;               // index in WalFolder::runs
  uint64_t segment = 0;         // number
  std::optional<Moment> first;  // the first end of a transaction found from there on
};

// The last segment that begins before `at`, as far as the times of commits tell; the first of all when none does.
Task<Result<WalPlace>> segment_at(const WalFolder& log, std::string waldump, Moment at, Deadline deadline);

// A folder of log that goes with this object.
class FetchedFolder {
 public:
  FetchedFolder() = default;
  // A new empty folder that belongs to the user.
  static Result<FetchedFolder> make(const std::string& user);
  FetchedFolder(FetchedFolder&& other) noexcept;
  FetchedFolder& operator=(FetchedFolder&& other) noexcept;
  ~FetchedFolder();

  std::string scratch;  // removed at the end
  std::string log;
};

// Fetches what was archived of the newest timeline's history and can hold commits of that span.
// Errors: those of io/pgbackrest.hpp; `not_found` when the archive holds none of it; `refused` when the disk has no room.
Task<Result<FetchedFolder>> fetch_log_of(PgBackRest repository, Moment from, Moment to, Deadline deadline);

}  // namespace lifeboat
