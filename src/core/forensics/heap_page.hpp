// Rows out of the bytes of a heap page or a heap record, the dead ones too: what a DROP deleted stays in its page until the
// page is cleaned. Layouts of PostgreSQL 12 to 17 on a little-endian machine (src/include/storage/bufpage.h,
// access/htup_details.h, catalog/pg_class.h), pages of 8 kB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lifeboat::forensics {

constexpr size_t kPageSize = 8192;

struct PageRow {
  uint16_t offset = 0;  // its line pointer, from 1
  uint32_t xmin = 0;
  uint32_t xmax = 0;
  std::string_view data;  // its columns
};

// All rows of a page that have storage. Empty for a page that is none (zeroes, damaged header).
std::vector<PageRow> rows_of_page(std::string_view page);

// What a catalogue says of a table, an index …, as far as names need it.
struct ClassRow {
  uint32_t oid = 0;
  std::string name;
  uint32_t schema = 0;
  uint32_t node = 0;  // 0: its file is in the map (pg_class itself and a few more)
  uint32_t tablespace = 0;
  double rows = -1;  // as last estimated; -1: never
  uint32_t toast = 0;
  char persistence = 'p';
  char kind = 0;  // r table, i index, t toast, S sequence, m materialized view, p partitioned …
};
std::optional<ClassRow> class_row(std::string_view data);

// The first two columns of pg_namespace and pg_database.
struct NamedRow {
  uint32_t oid = 0;
  std::string name;
};
std::optional<NamedRow> named_row(std::string_view data);

// pg_filenode.map: numbers of the files of catalogues that cannot be looked up in pg_class.
struct MappedFile {
  uint32_t oid = 0;
  uint32_t node = 0;
};
std::vector<MappedFile> read_map(std::string_view file);

}  // namespace lifeboat::forensics
