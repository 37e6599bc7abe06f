#include "core/forensics/heap_page.hpp"

#include "core/forensics/bytes.hpp"

namespace lifeboat::forensics {
namespace {

constexpr size_t kPageHeader = 24;
constexpr size_t kTupleHeader = 23;
constexpr size_t kNameLength = 64;

bool is_name(std::string_view name) {
  if (name.empty()) return false;
  for (char c : name) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
  }
  return true;
}

std::string name_at(std::string_view data, size_t offset) {
  std::string_view field = data.substr(offset, kNameLength);
  return std::string(field.substr(0, field.find('\0')));
}

}  // namespace

std::vector<PageRow> rows_of_page(std::string_view page) {
  std::vector<PageRow> out;
  if (page.size() < kPageSize) return out;
  auto lower = number_at<uint16_t>(page, 12), upper = number_at<uint16_t>(page, 14);
  auto special = number_at<uint16_t>(page, 16);
  if (lower < kPageHeader || lower > upper || upper > special || special > kPageSize) return out;
  for (size_t at = kPageHeader; at + 4 <= lower; at += 4) {
    auto pointer = number_at<uint32_t>(page, at);
    // lp_off 15 bits, lp_flags 2 bits, lp_len 15 bits; only "normal" ones have storage.
    uint32_t offset = pointer & 0x7fff, flags = pointer >> 15 & 3, length = pointer >> 17;
    if (flags != 1 || offset < upper || offset + length > special || length < kTupleHeader) continue;
    std::string_view tuple = page.substr(offset, length);
    size_t header = number_at<uint8_t>(tuple, 22);
    if (header < kTupleHeader || header > length) continue;
    out.push_back({static_cast<uint16_t>((at - kPageHeader) / 4 + 1), number_at<uint32_t>(tuple, 0),
                   number_at<uint32_t>(tuple, 4), tuple.substr(header)});
  }
  return out;
}

std::optional<ClassRow> class_row(std::string_view data) {
  constexpr size_t kNeeded = 116;
  if (data.size() < kNeeded) return std::nullopt;
  ClassRow out;
  out.oid = number_at<uint32_t>(data, 0);
  out.name = name_at(data, 4);
  out.schema = number_at<uint32_t>(data, 68);
  out.node = number_at<uint32_t>(data, 88);
  out.tablespace = number_at<uint32_t>(data, 92);
  out.rows = number_at<float>(data, 100);
  out.toast = number_at<uint32_t>(data, 108);
  out.persistence = data[114];
  out.kind = data[115];
  constexpr std::string_view kKinds = "riSvmtcfpI";
  if (out.oid == 0 || !is_name(out.name) || kKinds.find(out.kind) == kKinds.npos) return std::nullopt;
  return out;
}

std::optional<NamedRow> named_row(std::string_view data) {
  if (data.size() < 4 + kNameLength) return std::nullopt;
  NamedRow out{number_at<uint32_t>(data, 0), name_at(data, 4)};
  if (out.oid == 0 || !is_name(out.name)) return std::nullopt;
  return out;
}

std::vector<MappedFile> read_map(std::string_view file) {
  constexpr uint32_t kMagic = 0x592717;
  constexpr uint32_t kMost = 64;
  std::vector<MappedFile> out;
  ByteReader in(file);
  if (in.take<uint32_t>() != kMagic) return out;
  auto count = in.take<uint32_t>();
  if (count > kMost) return out;
  for (uint32_t index = 0; index < count; ++index) {
    MappedFile one;
    one.oid = in.take<uint32_t>();
    one.node = in.take<uint32_t>();
    if (in.good()) out.push_back(one);
  }
  return out;
}

}  // namespace lifeboat::forensics
