// A dump's way from its place to pg_restore: held against its checksum before a row of it is loaded.
#pragma once

#include "recovery/logical.hpp"

namespace lifeboat {

// A file of this machine that pg_restore may read. One that was fetched is removed with this object.
class FetchedDump {
 public:
  FetchedDump() = default;
  FetchedDump(std::string path, bool own) : path_(std::move(path)), own_(own) {}
  ~FetchedDump();
  FetchedDump(FetchedDump&& other) noexcept
      : sha256(std::move(other.sha256)), path_(std::move(other.path_)), own_(std::exchange(other.own_, false)) {}
  FetchedDump& operator=(FetchedDump&& other) noexcept {
    std::swap(sha256, other.sha256);
    std::swap(path_, other.path_);
    std::swap(own_, other.own_);
    return *this;
  }
  const std::string& path() const { return path_; }

  std::string sha256;

 private:
  std::string path_;
  bool own_ = false;
};

struct FetchWish {
  std::string scratch;  // a folder
  std::string run_as;   // who must be able to read it
  bool without_checksum = false;
};

// In place when it is a file of this machine that `run_as` needs no copy of, else as a copy in the scratch folder. Errors:
// `refused` without a checksum or without room, `conflict` when it is not what its checksum says.
Task<Result<FetchedDump>> fetch_dump(BackupPlace* place, LogicalBackup backup, FetchWish wish, Deadline deadline,
                                     OnLogicalProgress progress);

// The checksum that lies beside it; `not_found` when none does.
Task<Result<std::string>> checksum_of(BackupPlace* place, LogicalBackup backup, Deadline deadline);

}  // namespace lifeboat
