// What came of a restore, in words: the same for one on this host and for one that the controller had made.
#pragma once

#include <string>

#include "core/data/json.hpp"

namespace lifeboat::cli {

// `restored`: the `restore` object (recovery/restore.hpp); from the controller with host, name and folder, and once it is the database
// with `adopted`. `what`: the service, or what else it is called. `superuser`: who enters it.
std::string restored_in_words(const std::string& what, const Json& restored, const std::string& superuser);

// Nothing is missing in it, as far as anybody knows, and everybody follows.
bool is_all_well(const Json& restored);

// The line that enters a copy, on its host.
std::string entering(const Json& restored, const std::string& superuser);

std::string bytes_in_words(uint64_t bytes);

}  // namespace lifeboat::cli
