// Whether a segment of the log that was fetched is what was archived.
#pragma once

#include <string>

#include "core/recovery/catalogue.hpp"

namespace lifeboat::recovery {

// What is wrong with the file, by its size and by the checksum that the archive has in the segment's name; empty when nothing is. Reads
// all of it.
std::string fault_of(const std::string& path, const WalSegment& segment, uint64_t segment_bytes);

}  // namespace lifeboat::recovery
