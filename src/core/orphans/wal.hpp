// What pg_waldump prints: which transactions were committed, and which tables they touched.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ownership/report.hpp"

namespace lifeboat::orphans {

struct CommitRecord {
  uint64_t xid = 0;
  Lsn at;
  std::string time;
  std::vector<uint64_t> parts;  // subtransactions; rows written in one carry its number
};
// A line about a commit (a prepared one too); nothing for other lines.
std::optional<CommitRecord> parse_commit(std::string_view line);

struct HeapRecord {
  uint64_t xid = 0;
  uint64_t database = 0;  // its oid; 0: shared
  uint64_t file = 0;      // relfilenode
  std::string what;       // INSERT, DELETE, UPDATE, HOT_UPDATE …
};
// A line about rows that were written or a table that was emptied (its oid is `file` then); nothing for other lines and for upkeep (PRUNE, VISIBLE, LOCK …).
std::optional<HeapRecord> parse_heap(std::string_view line);

// How a pg_waldump that ended with an error ended: at the end of the log, which is no fault, or because log is missing.
enum class LogEnd { reached, missing, unknown };
LogEnd log_end_of(std::string_view said);

}  // namespace lifeboat::orphans
