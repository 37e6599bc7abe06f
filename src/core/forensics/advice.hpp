// What a report on the log comes down to: one line, and the point to restore to. Pure.
#pragma once

#include <string>

#include "core/data/json.hpp"

namespace lifeboat::forensics {

// The target of what stands in a report as `restore_to`: just before a transaction, or else before a position. Empty: neither is known.
std::string target_before(const Json& restore_to);

struct Advice {
  std::string summary;
  std::string target;  // as postgres.restore takes it; empty: nothing stands out
};

// `report` as to_json of report.hpp writes it. The target is the point just before the transaction that is most unusual, else before the
// first of those that are so many. A flood of small changes has no transaction that stands out, and is named with its own point.
Advice advise(const Json& report);

}  // namespace lifeboat::forensics
