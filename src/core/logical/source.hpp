// Which server a logical backup is read from. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/ownership/report.hpp"

namespace lifeboat {

struct DumpServer {
  std::string member;
  bool connected = false;  // its agent is
  MemberReport report;
};

// The members to read from, in the order in which they are tried: the standby that is least behind, so that the primary is left
// alone, and then the primary. A standby that lags on purpose, or stands still, is none: its data are of another moment.
std::vector<std::string> dump_order(const std::vector<DumpServer>& servers, const std::string& holder);

}  // namespace lifeboat
