#include "recovery/logical_fetch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "io/crypto.hpp"
#include "io/sha256.hpp"

namespace lifeboat {
namespace {

using namespace asio::experimental::awaitable_operators;
namespace fs = std::filesystem;

// Where the bytes go and what is known of them. Used by one thread at a time; only `bytes` is looked at by another.
struct Taken {
  Sha256 hash;
  std::atomic<uint64_t> bytes{0};
  int copy = -1;
  std::string path;
  ~Taken() {
    if (copy >= 0) ::close(copy);
  }

  Result<> take(std::string_view piece) {
    hash.add(piece);
    bytes += piece.size();
    while (copy >= 0 && !piece.empty()) {
      ssize_t wrote = ::write(copy, piece.data(), piece.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0)
        return fail(ErrorKind::refused, fmt::format("write {}: {}", path, std::strerror(errno)),
                    errno == ENOSPC ? "make room there, or name another folder with --scratch" : "");
      piece.remove_prefix(static_cast<size_t>(wrote));
    }
    return {};
  }
};

Task<> tell(std::shared_ptr<Taken> taken, uint64_t total, OnLogicalProgress progress) {
  MonoTime begun = boot_now();
  while (true) {
    co_await sleep_for(Duration{1'000});
    if (progress) progress({"fetch", taken->bytes, total, to_seconds(boot_now() - begun)});
  }
}

Task<Result<std::string>> read_all(BackupPlace* place, LogicalBackup backup, std::shared_ptr<Taken> taken,
                                   Deadline deadline, OnLogicalProgress progress) {
  auto reading = place->read(backup.path, [taken](std::string_view piece) { return taken->take(piece); }, deadline);
  auto telling = tell(taken, backup.bytes, std::move(progress));
  auto outcome = co_await (end_of(std::move(reading)) || std::move(telling));
  auto ended = std::get<0>(std::move(outcome));
  if (ended.problem) std::rethrow_exception(ended.problem);
  CO_TRY_VOID(*std::move(ended.value));
  co_return taken->hash.finish();
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Error not_what_it_was(const LogicalBackup& backup) {
  return fail(ErrorKind::conflict,
              fmt::format("{} is not what its checksum says: it was changed or damaged", backup.path),
              "load another backup; keep this one as it is, as evidence")
      .error();
}

// A file that only `run_as` (and root) can read, in a folder with room for it.
Result<int> make_copy(const std::string& path, const std::string& scratch, const std::string& run_as, uint64_t bytes) {
  std::error_code problem;
  fs::space_info space = fs::space(scratch, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", scratch, problem.message()));
  if (space.available < bytes)
    return fail(ErrorKind::refused,
                fmt::format("{} has room for {} MB, the backup has {} MB", scratch, space.available >> 20, bytes >> 20),
                "name a folder with more room: --scratch");
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(ErrorKind::refused, fmt::format("create {}: {}", path, std::strerror(errno)));
  if (run_as.empty() || ::geteuid() != 0) return fd;
  const passwd* account = ::getpwnam(run_as.c_str());
  if (account == nullptr || ::fchown(fd, account->pw_uid, account->pw_gid) != 0) {
    ::close(fd);
    ::unlink(path.c_str());
    return fail(ErrorKind::refused, fmt::format("{} cannot be given to '{}'", path, run_as));
  }
  return fd;
}

}  // namespace

FetchedDump::~FetchedDump() {
  if (own_) ::unlink(path_.c_str());
}

Task<Result<std::string>> checksum_of(BackupPlace* place, LogicalBackup backup, Deadline deadline) {
  if (!backup.checksum)
    co_return fail(ErrorKind::not_found, fmt::format("{} has no checksum beside it", backup.path),
                   "it was not written whole, or by another program");
  auto reading = place->read_small(checksum_path(backup.path), deadline);
  CO_TRY(std::string text, co_await std::move(reading));
  co_return parse_checksum(text, file_name(backup.path));
}

Task<Result<FetchedDump>> fetch_dump(BackupPlace* place, LogicalBackup backup, FetchWish wish, Deadline deadline,
                                     OnLogicalProgress progress) {
  std::string expected;
  if (!wish.without_checksum) {
    auto asking = checksum_of(place, backup, deadline);
    auto sum = co_await std::move(asking);
    if (!sum) {
      Error error = std::move(sum).error();
      if (error.kind == ErrorKind::not_found) {
        error.kind = ErrorKind::refused;
        error.hint += "; give --without-checksum to load it all the same, unproven";
      }
      co_return std::unexpected(std::move(error));
    }
    expected = std::move(*sum);
  }
  auto taken = std::make_shared<Taken>();
  auto local = place->local_file(backup.path);
  bool copy = !local || (!wish.run_as.empty() && ::geteuid() == 0);
  FetchedDump out;
  if (copy) {
    taken->path = fmt::format("{}/lifeboat-{}.backup", wish.scratch, random_hex(8));
    CO_TRY(taken->copy, make_copy(taken->path, wish.scratch, wish.run_as, backup.bytes));
    out = FetchedDump(taken->path, true);
  } else {
    out = FetchedDump(*local, false);
  }
  auto reading = read_all(place, backup, taken, deadline, std::move(progress));
  CO_TRY(out.sha256, co_await std::move(reading));
  if (!expected.empty() && out.sha256 != expected) co_return std::unexpected(not_what_it_was(backup));
  co_return out;
}

Task<Result<>> verify_dump(BackupPlace* place, LogicalBackup backup, Deadline deadline, OnLogicalProgress progress) {
  auto asking = checksum_of(place, backup, deadline);
  CO_TRY(std::string expected, co_await std::move(asking));
  auto taken = std::make_shared<Taken>();
  auto reading = read_all(place, backup, taken, deadline, std::move(progress));
  CO_TRY(std::string found, co_await std::move(reading));
  if (found != expected) co_return std::unexpected(not_what_it_was(backup));
  co_return Result<>{};
}

}  // namespace lifeboat
