// What was kept as evidence, looked at from outside by sha256sum, as somebody would who does not trust Lifeboat.
#pragma once

#include <string>

#include "core/base/error.hpp"
#include "core/data/json.hpp"

namespace lifeboat::lab {

// {files, checked, writable, problem}: files in the folder, how many of the list have the hash that stands there, and paths that somebody
// may write to. `problem` is empty when all files have their hash, none is without one, nothing may be written, and the list itself has
// the hash that was reported of it, if any was.
Json look_at_evidence(const std::string& kept, const std::string& manifest, const std::string& reported_sha256);

}  // namespace lifeboat::lab
