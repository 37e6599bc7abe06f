// Data directories that were set aside, as evidence: read-only, with a list of the hashes of all their files beside them. Nothing here
// ever deletes one.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/json.hpp"

namespace lifeboat {

// Those that were set aside for a data directory, oldest first.
std::vector<std::string> kept_for(const std::string& data);
inline std::string manifest_of(const std::string& kept) { return kept + ".sha256"; }
// Takes the rights to write away from everything in it and writes the list, in the format of sha256sum; it is there when it is whole.
// Blocks for as long as reading all of it takes. Does nothing when the list is there.
Result<> write_manifest(const std::string& kept);
// {kept, manifest, sha256 (of the manifest), files, bytes, done}.
Json evidence_in_json(const std::string& kept);

}  // namespace lifeboat
