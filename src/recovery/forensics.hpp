// Which transaction did it: reads the log of a span of time and of the hour before it, and says what stands out, by name.
// Only reads. What it cannot read or name is in the report's notes, so a report without notes is complete.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/forensics/report.hpp"
#include "io/pgbackrest.hpp"
#include "io/task.hpp"

namespace lifeboat {

struct ForensicsRequest {
  std::string wal;  // folder with segments; or
  std::optional<PgBackRest> repository;
  std::vector<std::string>
      catalogs;  // connections ("host=… port=…") or data folders; the first that knows a name counts
  Moment from{};
  Moment to{};
  Duration usual{3'600'000};  // how long the time before is, which tells what is usual
  size_t most = 20;           // findings
  bool marks = false;         // also list every commit (for the search of the last clean moment)
};

// Errors: `not_found` (no log of that time), `invalid_input`, `unsupported` (pg_waldump is missing), `timed_out`.
Task<Result<forensics::Report>> read_log(ForensicsRequest request, Deadline deadline);

}  // namespace lifeboat
