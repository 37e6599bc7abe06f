// On which host a copy is restored when nobody names one. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat::recovery {

// A host that can restore a database's copies because a member of it runs there.
struct RestorePlace {
  std::string member;
  std::string host;
  std::string region;
  bool connected = false;  // its agent is
  bool candidate = true;   // the plan lets it be promoted
  bool holder = false;     // it takes writes, or did last
  bool streams = false;    // a standby that has what the primary has
};

// `where`: a member or a host; empty: wherever the restored data can take the primary's place best. A standby is better than the primary,
// which goes on meanwhile and loses no time to the restore; one near the primary better than one far away; and one that lacks something
// better than one that has everything, which is worth more as a standby. Errors: `not_found`, `unreachable`.
Result<RestorePlace> choose_place(const std::vector<RestorePlace>& places, const std::string& where, bool to_lead);

}  // namespace lifeboat::recovery
