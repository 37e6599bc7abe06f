#include "agent/repository_guard.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFolderMode = 01770;
constexpr mode_t kFileMode = 0640;

bool is_index(std::string_view name) { return name.find(".info") != std::string_view::npos; }
bool is_unfinished(std::string_view name) { return name.ends_with(".tmp") || name.ends_with(".lock"); }

int64_t changed_ns(const struct stat& about) { return about.st_mtim.tv_sec * 1'000'000'000 + about.st_mtim.tv_nsec; }

class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error failed(const std::string& what, const std::string& path) {
  return Error{.kind = ErrorKind::refused, .what = fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

}  // namespace

RepositoryGuard::RepositoryGuard(std::string repository, std::string stanza, std::string keep, std::string user)
    : repository_(std::move(repository)), stanza_(std::move(stanza)), keep_(std::move(keep)), user_(std::move(user)) {
  while (repository_.size() > 1 && repository_.ends_with('/')) repository_.pop_back();
  const passwd* account = getpwnam(user_.c_str());
  root_ = geteuid() == 0 && account != nullptr && account->pw_uid != 0;
  if (account != nullptr) uid_ = account->pw_uid, gid_ = account->pw_gid;
}

std::string RepositoryGuard::in_words() const {
  return root_ ? fmt::format("finished files belong to root, in folders where {} cannot remove them", user_)
               : "nothing prevents deletion: the agent does not run as root";
}

Result<> RepositoryGuard::prepare() {
  std::error_code problem;
  fs::create_directories(repository_, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", repository_, problem.message()));
  fs::create_directories(keep_, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", keep_, problem.message()));
  chmod(keep_.c_str(), 0700);
  if (!root_) return {};
  // One that is the user's own already becomes a guarded one.
  std::lock_guard hold(mutex_);
  int count = 0;
  if (chown(repository_.c_str(), 0, gid_) != 0 || chmod(repository_.c_str(), kFolderMode) != 0)
    return std::unexpected(failed("guard", repository_));
  return protect_folder(repository_, count);
}

Result<int> RepositoryGuard::protect() {
  std::lock_guard hold(mutex_);
  int count = 0;
  if (root_) TRY_VOID(protect_folder(repository_, count));
  return count;
}

Result<> RepositoryGuard::protect_folder(const std::string& path, int& count) {
  OpenFile folder(path, O_RDONLY | O_DIRECTORY);
  struct stat about{};
  if (folder.get() < 0 || fstat(folder.get(), &about) != 0) {
    if (errno == ENOENT) return {};
    return std::unexpected(failed("look into", path));
  }
  // A backup that is not whole yet is still pgBackRest's to change and to clear away.
  bool is_backup = fs::path(path).parent_path() == fs::path(repository_) / "backup" / stanza_ &&
                   fs::path(path).filename() != "backup.history";
  if (is_backup && access((path + "/backup.manifest").c_str(), F_OK) != 0) return {};
  Folder& known = seen_[path];
  if (known.changed_ns == changed_ns(about)) {
    for (const std::string& below : std::vector<std::string>(known.folders)) TRY_VOID(protect_folder(below, count));
    return {};
  }
  if (about.st_uid == uid_ && fchown(folder.get(), 0, gid_) != 0) return std::unexpected(failed("guard", path));
  if ((about.st_mode & 07777) != kFolderMode && fchmod(folder.get(), kFolderMode) != 0)
    return std::unexpected(failed("guard", path));
  bool all = true;
  std::vector<std::string> below;
  std::error_code problem;
  for (fs::directory_iterator entry(path, problem), end; !problem && entry != end; entry.increment(problem)) {
    std::string at = entry->path().string(), name = entry->path().filename().string();
    struct stat file{};
    if (lstat(at.c_str(), &file) != 0) continue;
    if (S_ISDIR(file.st_mode)) {
      below.push_back(at);
    } else if (is_unfinished(name)) {
      all = false;
    } else if (S_ISREG(file.st_mode) && file.st_uid == uid_ && !is_index(name)) {
      OpenFile open_file(at, O_RDONLY);
      struct stat now{};
      // A second name of the file would be a way round its folder.
      if (open_file.get() < 0 || fstat(open_file.get(), &now) != 0 || now.st_uid != uid_ || now.st_nlink != 1) {
        all = false;
        continue;
      }
      if (fchown(open_file.get(), 0, gid_) != 0 || fchmod(open_file.get(), kFileMode) != 0)
        return std::unexpected(failed("guard", at));
      ++count;
    }
  }
  if (problem) return fail(ErrorKind::refused, fmt::format("look into {}: {}", path, problem.message()));
  for (const std::string& one : below) TRY_VOID(protect_folder(one, count));
  // What came while it was looked at changes the folder's time once more, unless that came within one tick of the disk's clock.
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  bool settled = now.tv_sec - about.st_mtim.tv_sec > 1;
  seen_[path] = {all && settled ? changed_ns(about) : 0, std::move(below)};
  return {};
}

std::vector<std::string> RepositoryGuard::index_files() const {
  std::vector<std::string> out;
  for (const char* kind : {"archive", "backup"}) {
    std::string file = fmt::format("{}/{}/{}/{}.info", repository_, kind, stanza_, kind);
    out.push_back(file);
    out.push_back(file + ".copy");
  }
  return out;
}

Result<> RepositoryGuard::remember() {
  if (!root_) return {};
  for (const std::string& file : index_files()) {
    OpenFile now(file, O_RDONLY);
    struct stat about{};
    if (now.get() < 0 || fstat(now.get(), &about) != 0 || !S_ISREG(about.st_mode)) continue;
    auto text = read_file(file, 256u << 20);
    if (!text) return std::unexpected(std::move(text).error());
    std::string copy = keep_ + "/" + fs::path(file).filename().string();
    if (auto before = read_file(copy, 256u << 20); before && *before == *text) continue;
    // The one before stays, in case this one was remembered wrongly.
    rename(copy.c_str(), (copy + ".before").c_str());
    TRY_VOID(write_file_atomic(copy, *text, 0600));
  }
  return {};
}

Result<> RepositoryGuard::give_back() {
  if (!root_) return {};
  for (const std::string& file : index_files()) {
    OpenFile now(file, O_RDONLY);
    struct stat about{};
    if (now.get() < 0 || fstat(now.get(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_nlink != 1) continue;
    if (about.st_uid != uid_ && fchown(now.get(), uid_, gid_) != 0) return std::unexpected(failed("give back", file));
  }
  return {};
}

Result<std::vector<std::string>> RepositoryGuard::put_back(bool all) {
  std::vector<std::string> out;
  if (!root_) return out;
  for (const std::string& file : index_files()) {
    auto copy = read_file(keep_ + "/" + fs::path(file).filename().string(), 256u << 20);
    if (!copy) continue;
    struct stat about{};
    bool there = lstat(file.c_str(), &about) == 0;
    bool same = there && S_ISREG(about.st_mode) && static_cast<size_t>(about.st_size) == copy->size();
    if (same && all) {
      auto now = read_file(file, 256u << 20);
      same = now && *now == *copy;
    }
    if (there && (same || !all)) continue;
    // Replaced, never written into: what stands there may be a link to somewhere else.
    TRY_VOID(write_file_atomic(file, *copy, kFileMode, FileOwner{uid_, gid_}));
    out.push_back(fs::path(file).filename().string());
  }
  return out;
}

bool RepositoryGuard::lacks_an_index() const {
  return root_ && std::ranges::any_of(index_files(), [this](const std::string& file) {
           struct stat about{};
           bool there = lstat(file.c_str(), &about) == 0;
           return !there && access((keep_ + "/" + fs::path(file).filename().string()).c_str(), F_OK) == 0;
         });
}

std::set<std::string> RepositoryGuard::whole_backups() const {
  std::set<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fmt::format("{}/backup/{}", repository_, stanza_), ignored)) {
    if (entry.is_symlink() || !entry.is_directory()) continue;
    if (access((entry.path() / "backup.manifest").c_str(), F_OK) == 0) out.insert(entry.path().filename().string());
  }
  return out;
}

}  // namespace lifeboat
