#include "core/forensics/page_checksum.hpp"

#include <algorithm>
#include <array>

#include "core/forensics/bytes.hpp"
#include "core/forensics/heap_page.hpp"

namespace lifeboat::forensics {
namespace {

constexpr size_t kSums = 32;
constexpr size_t kChecksumAt = 8;
constexpr uint32_t kPrime = 16'777'619;

constexpr std::array<uint32_t, kSums> kBegin = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

// Products of 32 bits that overflow are meant to.
uint32_t mix(uint32_t sum, uint32_t value) {
  uint32_t mixed = sum ^ value;
  return static_cast<uint32_t>(uint64_t{mixed} * kPrime) ^ (mixed >> 17);
}

}  // namespace

uint16_t page_checksum(std::string_view page, uint32_t block) {
  std::array<uint32_t, kSums> sums = kBegin;
  for (size_t row = 0; row < kPageSize / (4 * kSums); ++row) {
    for (size_t lane = 0; lane < kSums; ++lane) {
      size_t at = 4 * (row * kSums + lane);
      auto value = number_at<uint32_t>(page, at);
      // Its own field counts as zero.
      if (at == kChecksumAt) value &= 0xffff0000u;
      sums[lane] = mix(sums[lane], value);
    }
  }
  for (int round = 0; round < 2; ++round) {
    for (uint32_t& sum : sums) sum = mix(sum, 0);
  }
  uint32_t out = 0;
  for (uint32_t sum : sums) out ^= sum;
  return static_cast<uint16_t>((out ^ block) % 65'535 + 1);
}

PageState check_page(std::string_view page, uint32_t block) {
  if (page.size() < kPageSize) return PageState::damaged;
  // The upper bound of free space is zero only in a page that was never used.
  if (number_at<uint16_t>(page, 14) == 0)
    return std::ranges::all_of(page, [](char c) { return c == 0; }) ? PageState::unused : PageState::damaged;
  return number_at<uint16_t>(page, kChecksumAt) == page_checksum(page, block) ? PageState::good : PageState::damaged;
}

}  // namespace lifeboat::forensics
