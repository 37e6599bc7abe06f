#include "recovery/pg_program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

#include "io/process.hpp"

namespace lifeboat {

Result<std::string> pg_program(const std::string& name) {
  namespace fs = std::filesystem;
  std::string best;
  int newest = 0;
  std::error_code ignored;
  // Debian keeps each major version's programs apart.
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    std::string version = entry.path().filename().string();
    int major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    std::string path = fmt::format("{}/bin/{}", entry.path().string(), name);
    if (major <= newest || ::access(path.c_str(), X_OK) != 0) continue;
    newest = major;
    best = path;
  }
  if (best.empty()) best = find_program(name);
  if (best.empty())
    return fail(ErrorKind::unsupported, fmt::format("{} is not installed here", name),
                "apt install postgresql-client-15, or the version of your server");
  return best;
}

std::map<std::string, std::string> pg_environment(const PgParams& params, const std::string& options) {
  static const std::pair<std::string, std::string> kNames[] = {
      {"host", "PGHOST"},         {"port", "PGPORT"},       {"dbname", "PGDATABASE"},        {"user", "PGUSER"},
      {"password", "PGPASSWORD"}, {"sslmode", "PGSSLMODE"}, {"sslrootcert", "PGSSLROOTCERT"}};
  // Messages are read by programs, and times are written by one.
  std::map<std::string, std::string> out{{"LC_ALL", "C"}, {"TZ", "UTC"}, {"PGAPPNAME", "lifeboat"}};
  for (const auto& [key, name] : kNames) {
    auto found = params.find(key);
    if (found != params.end() && !found->second.empty()) out[name] = found->second;
  }
  if (!options.empty()) out["PGOPTIONS"] = options;
  return out;
}

}  // namespace lifeboat
