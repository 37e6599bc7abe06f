// How Lifeboat writes values into etcd: with the version of its format and a checksum that covers the key too, so that what
// is damaged, moved or not ours shows, and what a newer Lifeboat wrote is never read wrongly or overwritten.
#pragma once

#include <string>
#include <string_view>

#include "core/data/json.hpp"

namespace lifeboat::etcd {

constexpr int64_t kFormat = 1;

std::string pack(std::string_view key, const Json& data);
// `unsupported`: written by a newer version. `invalid_input`: damaged, or not written by Lifeboat.
Result<Json> unpack(std::string_view key, std::string_view value);

}  // namespace lifeboat::etcd
