// A record of the log as bytes: which blocks it touches, with which rows. pg_waldump prints what a record does but not the
// rows it holds, and the rows of a catalogue are where names come from. Layouts of PostgreSQL 12 to 17 (src/include/access/
// xlogrecord.h, heapam_xlog.h); whole pages may be compressed by pglz (lz4 and zstd are not read).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/forensics/record.hpp"

namespace lifeboat::forensics {

struct RawBlock {
  FileRef file;
  uint32_t block = 0;
  uint8_t fork = 0;
  bool has_image = false;
  std::string image;  // the whole page; empty when its compression is not read
  std::string data;
};

struct RawRecord {
  uint32_t xid = 0;
  uint8_t manager = 0;
  uint8_t info = 0;
  std::vector<RawBlock> blocks;
  std::string main;
};

// `version`: PostgreSQL's major version. Nothing for bytes that are no whole record.
std::optional<RawRecord> decode_record(std::string_view bytes, int version);

// The record's bytes out of segments: the log is cut into pages, each with a header. `read(position, count)` gives the
// bytes of the log from there (headers included), fewer at its end.
template <class Read>
std::string record_bytes(Lsn lsn, uint32_t total, uint64_t segment_size, Read read) {
  constexpr uint64_t kPage = 8192, kShort = 24, kLong = 40;
  std::string out;
  for (uint64_t at = lsn.value; out.size() < total;) {
    uint64_t in_page = at % kPage;
    if (in_page == 0) in_page = at % segment_size == 0 ? kLong : kShort;
    at = at - at % kPage + in_page;
    std::string piece = read(Lsn{at}, std::min<uint64_t>(kPage - in_page, total - out.size()));
    if (piece.empty()) break;
    out += piece;
    at += piece.size();
  }
  return out;
}

// Where a record of that length ends: the position that a server reports which has replayed it and nothing later.
Lsn record_end(Lsn lsn, uint32_t total, uint64_t segment_size);

// PostgreSQL's own compression. Nothing when the bytes are damaged.
std::optional<std::string> expand_pglz(std::string_view packed, size_t size);

// A row that a record puts at a place, or knows to stand there.
struct PlacedRow {
  FileRef file;
  uint32_t block = 0;
  uint16_t offset = 0;
  std::string data;     // its columns; those that equal the row before it are left out when `prefix`, `suffix` > 0
  uint16_t prefix = 0;  // bytes to be taken from the row at `old_offset` of the same block
  uint16_t suffix = 0;
  uint16_t old_offset = 0;
};
// Rows of INSERT, MULTI_INSERT, UPDATE, INPLACE and of whole pages. Empty for all else.
std::vector<PlacedRow> placed_rows(const RawRecord& record);

}  // namespace lifeboat::forensics
