// SQL given to a lab's PostgreSQL server as its own user would, on its own host.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/base/error.hpp"

namespace lifeboat::lab {

// Runs `sql` by psql over the Unix socket of this server (postmaster.pid names folder and port) and gives the rows it printed: columns
// parted by '|', a row a line. Ends with the first statement that fails. Errors: `unsupported` when psql is not installed, `refused` with
// what the server said, `timed_out`.
Result<std::string> run_sql(pid_t postmaster, const std::string& database, const std::string& sql, Duration within);

}  // namespace lifeboat::lab
