#include "lab/server_sql.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "lab/system.hpp"

namespace lifeboat::lab {

Result<std::string> run_sql(pid_t postmaster, const std::string& database, const std::string& sql, Duration within) {
  std::string folder = fmt::format("/proc/{}/cwd", postmaster);
  TRY(std::string lock, read_file(folder + "/postmaster.pid"));
  std::stringstream lines(lock);
  std::string line, port, socket;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (number == 4) port = line;
    if (number == 5) socket = line;
  }
  struct stat owner{};
  if (stat((folder + "/.").c_str(), &owner) != 0) return std::unexpected(os_error("stat"));
  std::string psql = find_program("psql");
  if (psql.empty()) return fail(ErrorKind::unsupported, "psql is not installed", "apt install postgresql-client");
  auto drop_rights = [&owner] {
    if (geteuid() != 0) return;
    if (setgroups(0, nullptr) != 0 || setgid(owner.st_gid) != 0 || setuid(owner.st_uid) != 0) _exit(126);
  };
  return run_program({psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socket, "-p", port, "-U", "postgres",
                      "-d", database},
                     sql, within, drop_rights);
}

}  // namespace lifeboat::lab
