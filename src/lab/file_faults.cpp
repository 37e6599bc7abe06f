#include "lab/file_faults.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <map>

#include "core/base/split.hpp"
#include "lab/data_faults.hpp"
#include "lab/fault_targets.hpp"
#include "lab/server_sql.hpp"

namespace lifeboat::lab {

namespace {

namespace fs = std::filesystem;

constexpr Duration kWithin{30'000};
constexpr off_t kPage = 8192;
// Where rows and index entries are; the page's own header stays as it is.
constexpr off_t kInPage = kPage - 256;
constexpr size_t kPagesHit = 3;

std::string folder_of(pid_t postmaster) { return fmt::format("/proc/{}/cwd", postmaster); }

// Turns bytes round in the first pages of a file, as a disk that lies would. Gives the blocks that were hit.
Result<JsonArray> damage_file(const std::string& path) {
  Fd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) return std::unexpected(os_error("open " + path));
  struct stat about{};
  if (fstat(file.get(), &about) != 0) return std::unexpected(os_error("stat " + path));
  JsonArray blocks;
  for (off_t block = 0; block < about.st_size / kPage && blocks.size() < kPagesHit; ++block) {
    std::array<char, 64> bytes{};
    off_t at = block * kPage + kInPage;
    if (pread(file.get(), bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size()))
      return std::unexpected(os_error("read " + path));
    for (char& byte : bytes) byte = static_cast<char>(~byte);
    if (pwrite(file.get(), bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size()))
      return std::unexpected(os_error("write " + path));
    blocks.push_back(Json(block));
  }
  if (fsync(file.get()) != 0) return std::unexpected(os_error("sync " + path));
  if (blocks.empty()) return fail(ErrorKind::not_found, path + " has no page that could be hit");
  return blocks;
}

// As somebody on that host would. The program ends with 1 where it finds damage, and prints it all the same.
Result<Json> read_pages(const std::string& folder) {
  std::string command = fmt::format("'{}' pages '{}' --format json || [ $? = 1 ]", lifeboat_program(), folder);
  TRY(std::string said, run_program({"/bin/sh", "-c", command}, "", kWithin));
  return parse_json(said);
}

}  // namespace

Result<JsonArray> damage_table_files(pid_t postmaster, const std::string& database, const std::string& table) {
  // On the disk, and written to it by nobody soon.
  std::string sql = fmt::format(
      "CHECKPOINT;\nSELECT pg_relation_filepath('{0}');\nSELECT pg_relation_filepath(indexrelid) FROM pg_index WHERE "
      "indrelid = '{0}'::regclass ORDER BY indisprimary DESC LIMIT 1;\n",
      table);
  TRY(std::string said, run_sql(postmaster, database, sql, kWithin));
  JsonArray files;
  for (const std::string& path : lines_of(said)) {
    TRY(JsonArray blocks, damage_file(folder_of(postmaster) + "/" + path));
    files.push_back(JsonObject{{"path", path}, {"blocks", std::move(blocks)}});
  }
  return files;
}

Result<FaultDone> put_corrupt_pages(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(Server server, which_server(world, {}));
  TRY(pid_t postmaster, postmaster_of(world, server.service, server.member));
  const auto* database = service_as<PostgresService>(world.plan, server.service);
  TRY(std::string table, table_to_hit(postmaster, database->database, target));
  FaultDone done{.at_ns = boot_ns(), .target = table};
  TRY(JsonArray files, damage_table_files(postmaster, database->database, table));
  done.detail =
      JsonObject{{"service", server.service}, {"table", table}, {"member", server.member}, {"files", std::move(files)}};
  return done;
}

Result<FaultDone> put_lost_datadir(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(Server primary, which_server(world, {}));
  std::string service = target.empty() ? primary.service : target;
  const auto* database = service_as<PostgresService>(world.plan, service);
  if (database == nullptr) return fail(ErrorKind::not_found, fmt::format("no database is named '{}'", service));
  std::map<std::string, fs::path> folders;
  JsonArray members;
  for (const auto& [name, where] : database->members) {
    TRY(pid_t postmaster, postmaster_of(world, service, name));
    std::error_code problem;
    folders[name] = fs::read_symlink(folder_of(postmaster), problem);
    if (problem) return fail(ErrorKind::internal, fmt::format("where {} has its data: {}", name, problem.message()));
    members.push_back(Json(name));
  }
  FaultDone done{.at_ns = boot_ns(), .target = service};
  // A disk that goes away takes the server on it with it, also one that its agent has started anew meanwhile.
  bool left = true;
  for (int64_t end = deadline_in(kWithin); left && boot_ns() < end; pause_for(Duration{50})) {
    left = false;
    // All servers first: none is to take another one's place.
    for (const auto& [name, folder] : folders) {
      auto postmaster = postmaster_of(world, service, name);
      if (postmaster) kill(*postmaster, SIGKILL);
      left = left || postmaster || fs::exists(folder);
    }
    // Gone at once, however long it takes to clear them away.
    std::error_code problem;
    for (const auto& [name, folder] : folders) fs::rename(folder, folder.string() + ".gone", problem);
    for (const auto& [name, folder] : folders) fs::remove_all(folder.string() + ".gone", problem);
  }
  if (left) return fail(ErrorKind::timed_out, fmt::format("the data of {} could not be removed", service));
  done.detail = JsonObject{{"service", service}, {"members", std::move(members)}};
  return done;
}

Result<Json> damaged_pages(const LabWorld& world) {
  JsonObject out;
  for (const auto& [service, kind] : world.plan.services) {
    const auto* database = std::get_if<PostgresService>(&kind);
    if (database == nullptr) continue;
    JsonObject members;
    for (const auto& [name, where] : database->members) {
      auto postmaster = postmaster_of(world, service, name);
      if (!postmaster) continue;
      TRY(Json read, read_pages(folder_of(*postmaster)));
      members[name] = JsonObject{{"pages", member(read, "pages")}, {"damaged_pages", member(read, "damaged_pages")}};
    }
    out[service] = std::move(members);
  }
  return Json(std::move(out));
}

}  // namespace lifeboat::lab
