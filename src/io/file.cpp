#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace lifeboat {
namespace {

std::string reason(int error) { return std::system_category().message(error); }

std::unexpected<Error> failed(std::string_view verb, const std::string& path, int error) {
  ErrorKind kind = error == ENOENT ? ErrorKind::not_found : ErrorKind::refused;
  return fail(kind, fmt::format("{} {}: {}", verb, path, reason(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t wrote = ::write(fd, content.data(), content.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return failed("write", path, errno);
    content.remove_prefix(static_cast<size_t>(wrote));
  }
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t largest) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return failed("open", path, errno);
  std::string content;
  char piece[16 * 1024];
  while (true) {
    ssize_t got = ::read(file.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", path, errno);
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > largest)
      return fail(ErrorKind::refused, fmt::format("read {}: larger than {} bytes", path, largest));
    content.append(piece, static_cast<size_t>(got));
  }
}

Result<void> write_file_atomic(const std::string& path, std::string_view content, mode_t mode,
                               std::optional<FileOwner> owner) {
  static std::atomic<unsigned> serial{0};
  std::string beside = fmt::format("{}.{}.{}.tmp", path, ::getpid(), serial++);
  auto write = [&]() -> Result<void> {
    Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return failed("create", beside, errno);
    TRY_VOID(write_all(file.get(), content, beside));
    if (::fchmod(file.get(), mode) != 0) return failed("set the mode of", beside, errno);
    if (owner && ::fchown(file.get(), owner->user, owner->group) != 0) return failed("give away", beside, errno);
    if (::fsync(file.get()) != 0) return failed("sync", beside, errno);
    if (::rename(beside.c_str(), path.c_str()) != 0) return failed("replace", path, errno);
    return {};
  };
  if (auto written = write(); !written) {
    ::unlink(beside.c_str());
    return written;
  }
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return failed("open", folder, errno);
  if (::fsync(directory.get()) != 0) return failed("sync", folder, errno);
  return {};
}

}  // namespace lifeboat
