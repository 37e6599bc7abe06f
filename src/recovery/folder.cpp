#include "recovery/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "io/file.hpp"
#include "io/process.hpp"
#include "recovery/end_server.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

std::optional<FileOwner> owner_of(const RestoreFolder& folder) {
  const passwd* account = geteuid() == 0 && !folder.user.empty() ? getpwnam(folder.user.c_str()) : nullptr;
  if (account == nullptr) return std::nullopt;
  return FileOwner{account->pw_uid, account->pw_gid};
}

Result<> make(const RestoreFolder& folder, const std::string& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", path, problem.message()));
  auto owner = owner_of(folder);
  bool fine = !owner || lchown(path.c_str(), owner->user, owner->group) == 0;
  if (!fine || chmod(path.c_str(), 0700) != 0)
    return fail(ErrorKind::refused, fmt::format("{}: {}", path, std::strerror(errno)));
  return {};
}

Result<std::optional<FolderJournal>> read_journal(const RestoreFolder& folder) {
  auto text = read_file(folder.journal());
  if (!text) {
    if (text.error().kind == ErrorKind::not_found) return std::optional<FolderJournal>();
    return std::unexpected(std::move(text).error());
  }
  TRY(Json json, parse_json(*text));
  auto journal = decode<FolderJournal>(json);
  if (!journal) return std::unexpected(to_error(journal.error(), folder.journal()));
  return std::optional(std::move(*journal));
}

Result<> fsync_path(const fs::path& path, int flags) {
  int fd = open(path.c_str(), flags | O_CLOEXEC);
  // What has gone meanwhile needs no syncing.
  if (fd < 0 && errno == ENOENT) return {};
  bool fine = fd >= 0 && fsync(fd) == 0;
  int problem = errno;
  if (fd >= 0) close(fd);
  if (!fine)
    return fail(ErrorKind::refused, fmt::format("{} cannot be synced: {}", path.string(), std::strerror(problem)));
  return {};
}

}  // namespace

Result<Claim> claim_folder(const RestoreFolder& folder, const std::string& postgres, const std::string& system_id,
                           bool again) {
  std::error_code problem;
  bool there = fs::exists(folder.path, problem);
  if (there && !fs::is_directory(folder.path, problem))
    return fail(ErrorKind::invalid_input, folder.path + " is no folder");
  TRY(std::optional<FolderJournal> earlier, read_journal(folder));
  Claim claim;
  if (!earlier) {
    if (there && !fs::is_empty(folder.path, problem))
      return fail(ErrorKind::refused, fmt::format("{} is not empty, and no earlier restore has marked it", folder.path),
                  "name an empty folder; nothing was changed");
  } else {
    if (earlier->system_id != system_id)
      return fail(ErrorKind::refused,
                  fmt::format("{} holds a restore of another cluster ({})", folder.path, earlier->system_id),
                  "name an empty folder; nothing was changed");
    bool runs = !processes_at(folder.data(), postgres).empty();
    if (earlier->state == FolderState::done && !again) {
      return fail(ErrorKind::conflict,
                  fmt::format("{} holds a finished restore to {}{}", folder.path, earlier->target,
                              runs ? ", and its server runs" : ""),
                  "name another folder, or give that one up with --again");
    }
    // What a try that was cut off, or one that is given up, left running.
    if (runs && !end_server_at(folder.data(), postgres))
      return fail(ErrorKind::conflict, "the server of an earlier restore cannot be ended", "look at its processes");
    bool delta =
        fs::exists(folder.data() + "/PG_VERSION", problem) || fs::exists(folder.data() + "/backup.manifest", problem);
    claim.take_up = delta;
    // Files that nothing says the origin of are copied anew, those of tablespaces as well.
    if (!delta) {
      for (const std::string& path : {folder.data(), folder.tablespaces()}) fs::remove_all(path, problem);
    }
    fs::remove(folder.data() + "/postmaster.pid", problem);
  }
  TRY_VOID(make(folder, folder.path));
  // Marked first: what follows is recognised as its own, whenever it is cut off.
  FolderJournal mark{.state = FolderState::copying, .system_id = system_id};
  TRY_VOID(write_journal(folder, mark));
  for (const std::string& path : {folder.data(), folder.socket(), folder.scratch(), folder.tablespaces()})
    TRY_VOID(make(folder, path));
  for (const std::string& path : {folder.copy_log(), folder.server_log()}) fs::remove(path, problem);
  return claim;
}

Result<> write_journal(const RestoreFolder& folder, const FolderJournal& journal) {
  return write_file_atomic(folder.journal(), to_pretty_text(encode(journal)), 0600, owner_of(folder));
}

Result<> write_for_server(const RestoreFolder& folder, const std::string& path, const std::string& text) {
  return write_file_atomic(path, text, 0600, owner_of(folder));
}

Result<uint64_t> free_bytes(const std::string& path) {
  fs::path at = path;
  while (!at.empty() && !fs::exists(at)) at = at.parent_path();
  struct statvfs space{};
  if (statvfs(at.c_str(), &space) != 0)
    return fail(ErrorKind::refused, fmt::format("{}: {}", path, std::strerror(errno)));
  uint64_t blocks = geteuid() == 0 ? space.f_bfree : space.f_bavail;
  return uint64_t{blocks} * space.f_frsize;
}

uint64_t used_bytes(const std::string& path) {
  constexpr uint64_t kBlock = 512;  // of st_blocks, whatever the file system's own is: stat(2)
  uint64_t used = 0;
  std::error_code problem;
  for (auto walk = fs::recursive_directory_iterator(path, problem); walk != fs::end(walk); walk.increment(problem)) {
    struct stat file{};
    if (lstat(walk->path().c_str(), &file) == 0) used += static_cast<uint64_t>(file.st_blocks) * kBlock;
  }
  return used;
}

Result<> sync_all(const std::string& path) {
  std::error_code problem;
  for (auto walk = fs::recursive_directory_iterator(path, fs::directory_options::follow_directory_symlink, problem);
       walk != fs::end(walk); walk.increment(problem)) {
    std::error_code ignored;
    if (walk->is_directory(ignored)) {
      TRY_VOID(fsync_path(walk->path(), O_RDONLY | O_DIRECTORY));
    } else if (walk->is_regular_file(ignored)) {
      TRY_VOID(fsync_path(walk->path(), O_RDONLY));
    }
  }
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", path, problem.message()));
  return fsync_path(path, O_RDONLY | O_DIRECTORY);
}

}  // namespace lifeboat::recovery
