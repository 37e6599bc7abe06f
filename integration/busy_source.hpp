// A PostgreSQL cluster that was busy, what it says of each of its commits, and repositories of pgBackRest with its backup and its log. Made once
// for all tests of a program.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/postgres.hpp"
#include "io/process.hpp"
#include "recovery/restore.hpp"

namespace lifeboat::recovery {

inline constexpr Duration kLong{120'000};
inline const std::string kBin = "/usr/lib/postgresql/15/bin";

struct Commit {
  int64_t id = 0;
  uint64_t xid = 0;
  Moment time{};
};

// How a repository stores what it is given.
enum class Stored { compressed, plain, encrypted };
std::string name_of(Stored stored);

std::string text_of(const std::string& path);

class BusySource {
 public:
  std::string top;
  std::vector<Commit> ledger;  // in the order of commit times
  std::string problem;         // why there is none; empty: it is there
  Moment earliest{};  // from here on each moment can be restored; when a backup ended is known in whole seconds
  Lsn middle;         // a position taken while it was busy
  int64_t middle_count = 0;

  explicit BusySource(std::vector<Stored> repositories);
  ~BusySource();
  BusySource(const BusySource&) = delete;

  std::string repository(Stored stored = Stored::compressed) const { return top + "/repo-" + name_of(stored); }
  // A configuration for a repository, which may be a copy of one of the source's. `key`: of an encrypted one.
  std::string config_for(const std::string& repository, Stored stored = Stored::compressed,
                         const std::string& key = "the right key") const;
  std::string copy_of_repository(const std::string& name, Stored stored = Stored::compressed) const;
  // The file of a segment in the middle of the busy time.
  std::string middle_segment(const std::string& repository) const;

  static ProcessResult run(std::vector<std::string> argv, bool as_root = false);
  static PgRows ask(const std::string& socket, const std::string& sql);

  // Ids of the ledger in a restored copy, in order.
  static std::vector<int64_t> ids(const std::string& folder);
  static Result<Restored> restore(RestoreRequest request);
  // Ends what runs in a folder that was restored into, and removes it.
  static void clear(const std::string& folder);

 private:
  std::vector<Stored> repositories_;
  std::string build();
};

}  // namespace lifeboat::recovery
