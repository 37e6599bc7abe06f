// Where logical backups lie, as people write it: /var/backups/database or s3://bucket/database/.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.hpp"

namespace lifeboat {

struct LogicalPlace {
  std::string folder;  // absolute; empty: a bucket
  std::string bucket;
  std::string prefix;  // ends in '/' when it is not empty

  bool in_store() const { return folder.empty(); }
};

Result<LogicalPlace> parse_place(std::string_view text);
std::string in_words(const LogicalPlace& place);

}  // namespace lifeboat
