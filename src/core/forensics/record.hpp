// One line of `pg_waldump`, read into what forensics needs of it: who changed how many rows of which file, and how that
// transaction ended. Formats of PostgreSQL 15 (src/backend/access/rmgrdesc), and those of 16 and 17 where they differ.
//
// What the log cannot tell: the text of a statement, who sent it, and anything of unlogged or temporary tables.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ownership/report.hpp"
#include "core/recovery/moment.hpp"

namespace lifeboat::forensics {

// A relation's file: tablespace, database and number. Not a table: a rewritten or truncated table gets another one.
struct FileRef {
  uint32_t tablespace = 0;
  uint32_t database = 0;
  uint32_t node = 0;
  auto operator<=>(const FileRef&) const = default;
};
// "1663/16384/16386", as pg_waldump writes it.
std::string to_string(const FileRef& file);
// "base/5/1259", "global/1262", "pg_tblspc/16455/PG_15_202209061/16435/16460". Nothing for files of temporary tables.
std::optional<FileRef> parse_path(std::string_view path);

// A thing of a database's catalogue, which keeps its number for life.
struct ObjectRef {
  uint32_t database = 0;
  uint32_t oid = 0;
  auto operator<=>(const ObjectRef&) const = default;
};

enum class What {
  other,
  inserted,
  updated,
  deleted,
  taken_back,  // an insertion that ON CONFLICT gave up again
  truncated,   // objects (only with wal_level = logical)
  page_image,  // a whole page, as rewriting a table or making an index writes them
  inplace,     // a row overwritten where it stands: the catalogue's statistics
  file_created,
  file_cut,          // to `rows` blocks
  locked,            // exclusively, as before dropping, truncating or rewriting: object
  database_dropped,  // its folder is gone with this record, before the transaction commits
  map_changed,       // the file numbers of a database's own catalogues
  committed,
  aborted,
  prepared,
  running,  // a list of who was at work; `oldest` is the first of them
  named_point,
};

struct Record {
  What what = What::other;
  uint32_t xid = 0;  // of the subtransaction, where there is one; of a prepared transaction at its end
  Lsn lsn;           // where it begins
  Lsn prev;          // where the one before it begins
  uint32_t bytes = 0;
  std::optional<FileRef> file;  // of the first block it touches, or the file it is about
  uint32_t block = 0;
  bool image = false;  // holds the whole page of `block`
  bool main_fork = true;
  uint64_t rows = 0;  // rows, or blocks
  uint32_t oldest = 0;
  std::optional<Moment> at;
  std::vector<uint32_t> children;  // subtransactions that end with it
  std::vector<FileRef> files;      // gone with a commit
  std::vector<ObjectRef> objects;  // dropped, truncated (database 0: of the same one as its locks), locked
  std::string name;
};

// Nothing for lines that are no record (empty, a remark of pg_waldump).
std::optional<Record> parse_line(std::string_view line);

}  // namespace lifeboat::forensics
