// Files, blocking: call through `blocking` from a coroutine when they may be large or the disk slow.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.hpp"

namespace lifeboat {

// The whole file. Errors: `not_found`, `refused` (rights, or larger than `largest` bytes).
Result<std::string> read_file(const std::string& path, size_t largest = 16 * 1024 * 1024);

// Writes beside the target, fsyncs, renames over it and fsyncs the folder: a reader sees the old or the new content,
// also after a crash. The file gets exactly `mode`, and `owner`, if one is given, before it has its name.
struct FileOwner {
  uid_t user;
  gid_t group;
};
Result<void> write_file_atomic(const std::string& path, std::string_view content, mode_t mode = 0644,
                               std::optional<FileOwner> owner = {});

}  // namespace lifeboat
