// A folder with segments of the log, as pg_wal, an archive_command or pgBackRest leaves them: which there are, of which
// timelines, and a view of them that pg_waldump can read. Only reads; the view is a folder of links that goes with its object.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/orphans/lineage.hpp"
#include "core/recovery/catalogue.hpp"

namespace lifeboat {

// Segments of one timeline that follow each other without a gap.
struct WalRun {
  uint64_t timeline = 0;
  uint64_t first = 0;  // numbers of segments
  uint64_t last = 0;
  Lsn begin;  // what of them belongs to the history: from here
  Lsn end;    // up to here
};

class WalFolder {
 public:
  // Also looks into folders inside (an archive keeps one for every 256 segments). Errors: `not_found` when there is no segment,
  // `invalid_input` when they are compressed or not of one cluster.
  static Result<WalFolder> open(const std::string& folder);
  WalFolder(WalFolder&&) noexcept;
  WalFolder& operator=(WalFolder&&) noexcept;
  ~WalFolder();

  // The log of the newest timeline's history, oldest first. Where a history file is missing each timeline stands for itself.
  const std::vector<WalRun>& runs() const { return runs_; }
  // "segments A to B are missing: …"
  const std::vector<std::string>& gaps() const { return gaps_; }
  uint64_t segment_bytes() const { return segment_bytes_; }
  int version() const { return version_; }  // PostgreSQL's major version, as its log says
  // The folder for pg_waldump -p.
  const std::string& view() const { return view_; }
  std::string segment(uint64_t timeline, uint64_t number) const;

  // The bytes of one record; shorter than `total` when the log ends before.
  std::string record(uint64_t timeline, Lsn lsn, uint32_t total) const;

 private:
  struct Handle;
  WalFolder();
  Result<> scan(const std::string& folder);
  Result<> read_header(const std::string& path, std::string_view name);
  void find_runs();
  void add_runs(uint64_t timeline, Lsn begin, Lsn end);

  std::map<std::pair<uint64_t, uint64_t>, std::string> files_;  // (timeline, number)
  std::map<uint64_t, std::string> histories_;
  std::vector<WalRun> runs_;
  std::vector<std::string> gaps_;
  std::string view_;
  uint64_t segment_bytes_ = 0;
  uint64_t system_ = 0;
  int version_ = 0;
  size_t compressed_ = 0;
  mutable std::unique_ptr<Handle> open_;  // the file read last
};

}  // namespace lifeboat
