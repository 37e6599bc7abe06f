#include "core/forensics/wal_record.hpp"

#include <algorithm>

#include "core/forensics/bytes.hpp"
#include "core/forensics/heap_page.hpp"

namespace lifeboat::forensics {
namespace {

constexpr size_t kHeader = 24;
constexpr uint8_t kHasImage = 0x10, kSameFile = 0x80, kForkMask = 0x0f;
constexpr uint8_t kLastBlock = 32, kTopXid = 252, kOrigin = 253, kLongData = 254, kShortData = 255;

enum class Packing { none, pglz, unknown };

struct BlockHead {
  size_t data = 0;
  size_t image = 0;
  uint16_t hole_at = 0;
  uint16_t hole = 0;
  Packing packing = Packing::none;
};

Packing packing_of(uint8_t info, int version) {
  if (version < 15) return (info & 0x02) != 0 ? Packing::pglz : Packing::none;
  if ((info & 0x04) != 0) return Packing::pglz;
  return (info & 0x18) != 0 ? Packing::unknown : Packing::none;
}

void read_image_head(ByteReader& in, BlockHead& head, int version) {
  constexpr uint8_t kHasHole = 0x01;
  head.image = in.take<uint16_t>();
  head.hole_at = in.take<uint16_t>();
  auto info = in.take<uint8_t>();
  head.packing = packing_of(info, version);
  if ((info & kHasHole) == 0) return;
  head.hole = head.packing == Packing::none ? static_cast<uint16_t>(kPageSize - std::min(head.image, kPageSize))
                                            : in.take<uint16_t>();
}

// The page as it stood: unpacked, its unused middle put back.
std::string whole_page(std::string_view stored, const BlockHead& head) {
  if (head.packing == Packing::unknown || head.hole_at > kPageSize || head.hole > kPageSize) return {};
  std::string page(stored);
  if (head.packing == Packing::pglz) {
    auto expanded = expand_pglz(stored, kPageSize - head.hole);
    if (!expanded) return {};
    page = std::move(*expanded);
  }
  if (head.hole_at > page.size()) return {};
  page.insert(head.hole_at, head.hole, '\0');
  return page.size() == kPageSize ? page : std::string();
}

// Of a heap record's block: infomasks and the length of a row's header, then what follows the fixed part of that.
constexpr size_t kFixedHeader = 23;

std::string_view columns(std::string_view after_fixed, uint8_t header) {
  size_t skip = header < kFixedHeader ? 0 : header - kFixedHeader;
  return skip > after_fixed.size() ? std::string_view() : after_fixed.substr(skip);
}

void read_insert(const RawRecord& record, const RawBlock& block, std::vector<PlacedRow>& out) {
  ByteReader in(block.data);
  in.take<uint32_t>();
  auto header = in.take<uint8_t>();
  if (in.good())
    out.push_back(
        {block.file, block.block, number_at<uint16_t>(record.main, 0), std::string(columns(in.rest(), header))});
}

void read_multi_insert(const RawRecord& record, const RawBlock& block, std::vector<PlacedRow>& out) {
  constexpr uint8_t kInit = 0x80;
  constexpr size_t kHead = 7;
  auto count = number_at<uint16_t>(record.main, 2);
  std::string_view data = block.data;
  size_t at = 0;
  for (uint16_t index = 0; index < count; ++index) {
    at += at % 2;
    if (at + kHead > data.size()) return;
    auto length = number_at<uint16_t>(data, at);
    auto header = number_at<uint8_t>(data, at + 6);
    at += kHead;
    if (at + length > data.size()) return;
    auto offset = (record.info & kInit) != 0 ? static_cast<uint16_t>(index + 1)
                                             : number_at<uint16_t>(record.main, 4 + 2 * size_t{index});
    out.push_back({block.file, block.block, offset, std::string(columns(data.substr(at, length), header))});
    at += length;
  }
}

void read_update(const RawRecord& record, const RawBlock& block, std::vector<PlacedRow>& out) {
  constexpr uint8_t kPrefix = 0x20, kSuffix = 0x40;
  PlacedRow row{block.file, block.block, number_at<uint16_t>(record.main, 12), {}};
  row.old_offset = number_at<uint16_t>(record.main, 4);
  auto flags = number_at<uint8_t>(record.main, 7);
  ByteReader in(block.data);
  if ((flags & kPrefix) != 0) row.prefix = in.take<uint16_t>();
  if ((flags & kSuffix) != 0) row.suffix = in.take<uint16_t>();
  in.take<uint32_t>();
  auto header = in.take<uint8_t>();
  if (!in.good()) return;
  row.data = columns(in.rest(), header);
  out.push_back(std::move(row));
}

}  // namespace

Lsn record_end(Lsn lsn, uint32_t total, uint64_t segment_size) {
  constexpr uint64_t kPage = kPageSize, kShort = 24, kLong = 40, kAligned = 8;
  uint64_t at = lsn.value;
  for (uint64_t left = total; left > 0;) {
    uint64_t in_page = at % kPage;
    if (in_page == 0) in_page = at % segment_size == 0 ? kLong : kShort;
    uint64_t piece = std::min(kPage - in_page, left);
    at = at - at % kPage + in_page + piece;
    left -= piece;
  }
  return Lsn{(at + kAligned - 1) / kAligned * kAligned};
}

std::optional<std::string> expand_pglz(std::string_view packed, size_t size) {
  std::string out;
  out.reserve(size);
  size_t at = 0;
  while (at < packed.size() && out.size() < size) {
    auto control = static_cast<uint8_t>(packed[at++]);
    for (int bit = 0; bit < 8 && at < packed.size() && out.size() < size; ++bit, control >>= 1) {
      if ((control & 1) == 0) {
        out += packed[at++];
        continue;
      }
      if (at + 2 > packed.size()) return std::nullopt;
      auto first = static_cast<uint8_t>(packed[at]), second = static_cast<uint8_t>(packed[at + 1]);
      at += 2;
      size_t length = (first & 0x0fu) + 3, back = (first & 0xf0u) << 4 | second;
      if (length == 18) {
        if (at >= packed.size()) return std::nullopt;
        length += static_cast<uint8_t>(packed[at++]);
      }
      if (back == 0 || back > out.size()) return std::nullopt;
      for (size_t copied = 0; copied < length && out.size() < size; ++copied) out += out[out.size() - back];
    }
  }
  if (out.size() != size) return std::nullopt;
  return out;
}

std::optional<RawRecord> decode_record(std::string_view bytes, int version) {
  auto total = number_at<uint32_t>(bytes, 0);
  if (total < kHeader || bytes.size() < total) return std::nullopt;
  RawRecord out;
  out.xid = number_at<uint32_t>(bytes, 4);
  out.info = number_at<uint8_t>(bytes, 16);
  out.manager = number_at<uint8_t>(bytes, 17);
  ByteReader in(bytes.substr(kHeader, total - kHeader));
  std::vector<BlockHead> heads;
  size_t payload = 0, main = 0;
  FileRef file;
  while (in.good() && in.left() > payload) {
    auto id = in.take<uint8_t>();
    if (id == kShortData || id == kLongData) {
      main = id == kShortData ? in.take<uint8_t>() : in.take<uint32_t>();
      payload += main;
      break;
    }
    if (id == kOrigin) {
      in.take<uint16_t>();
    } else if (id == kTopXid) {
      in.take<uint32_t>();
    } else if (id <= kLastBlock) {
      BlockHead head;
      RawBlock block;
      auto flags = in.take<uint8_t>();
      block.fork = flags & kForkMask;
      head.data = in.take<uint16_t>();
      block.has_image = (flags & kHasImage) != 0;
      if (block.has_image) read_image_head(in, head, version);
      if ((flags & kSameFile) == 0) {
        file.tablespace = in.take<uint32_t>();
        file.database = in.take<uint32_t>();
        file.node = in.take<uint32_t>();
      }
      block.file = file;
      block.block = in.take<uint32_t>();
      payload += head.data + head.image;
      heads.push_back(head);
      out.blocks.push_back(std::move(block));
    } else {
      return std::nullopt;
    }
  }
  if (!in.good() || in.left() != payload) return std::nullopt;
  for (size_t index = 0; index < heads.size(); ++index) {
    std::string_view stored = in.take_bytes(heads[index].image);
    if (out.blocks[index].has_image) out.blocks[index].image = whole_page(stored, heads[index]);
    out.blocks[index].data = in.take_bytes(heads[index].data);
  }
  out.main = in.take_bytes(main);
  return out;
}

std::vector<PlacedRow> placed_rows(const RawRecord& record) {
  constexpr uint8_t kHeap2 = 9, kHeap = 10, kOperation = 0x70;
  std::vector<PlacedRow> out;
  for (size_t index = 0; index < record.blocks.size(); ++index) {
    const RawBlock& block = record.blocks[index];
    if (block.fork != 0) continue;
    std::vector<PageRow> rows = rows_of_page(block.image);
    // Versions of one row stand in any order; the older go first.
    std::ranges::sort(rows, [](const PageRow& one, const PageRow& other) {
      return one.xmin == other.xmin ? one.offset < other.offset : static_cast<int32_t>(one.xmin - other.xmin) < 0;
    });
    for (const PageRow& row : rows) out.push_back({block.file, block.block, row.offset, std::string(row.data)});
    // With the whole page there the row itself is in it, unless the log is also read by subscribers.
    if (index != 0 || block.data.empty()) continue;
    uint8_t operation = record.info & kOperation;
    if (record.manager == kHeap2 && operation == 0x50) read_multi_insert(record, block, out);
    if (record.manager != kHeap) continue;
    if (operation == 0x00) read_insert(record, block, out);
    if (operation == 0x20 || operation == 0x40) read_update(record, block, out);
    if (operation == 0x70) out.push_back({block.file, block.block, number_at<uint16_t>(record.main, 0), block.data});
  }
  return out;
}

}  // namespace lifeboat::forensics
