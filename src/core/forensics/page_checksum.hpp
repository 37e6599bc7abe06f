// The checksum of a page as PostgreSQL computes it (src/include/storage/checksum_impl.h, the same since 9.3): found wrong, the
// page was changed by somebody else than the server.
#pragma once

#include <cstdint>
#include <string_view>

namespace lifeboat::forensics {

// `block`: its number in the whole relation, over all its files of 1 GB.
uint16_t page_checksum(std::string_view page, uint32_t block);

enum class PageState {
  good,
  unused,   // all zeros, as a file is when it has just grown
  damaged,  // its checksum is another than its content's, or it is cut short
};
PageState check_page(std::string_view page, uint32_t block);

}  // namespace lifeboat::forensics
