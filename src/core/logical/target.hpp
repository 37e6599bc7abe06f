// May a backup be loaded into that database? Loading replaces; the wrong server is how data are lost for good.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat {

struct TargetFacts {
  std::string database;
  std::string host;    // as the person named it
  bool exists = true;  // the database
  bool in_recovery = false;
  int64_t tables = 0;    // of users
  int64_t rows = 0;      // estimated by the server
  int64_t sessions = 0;  // of others, connected now
  std::string member;    // of the plan, that this server is; empty: none
};

struct TargetAnswer {
  bool replace = false;
  std::string confirmed;  // what the person typed
};

// What must be typed before data in use are replaced: "shop@db-east-1".
std::string confirmation_of(const TargetFacts& facts);

// An empty database may be loaded. One with tables only with `replace`; a server of the plan, or one that others are connected
// to, only with the confirmation too. A standby never.
Result<void> may_load(const TargetFacts& facts, const TargetAnswer& answer);

}  // namespace lifeboat
