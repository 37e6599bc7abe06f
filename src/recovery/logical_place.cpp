#include "recovery/logical_place.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "io/crypto.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartial = ".partial";
constexpr size_t kPiece = 1 << 20;
constexpr size_t kSmall = 64 * 1024 * 1024;  // profiles of very many tables

std::unexpected<Error> failed(std::string_view verb, const std::string& path, int problem) {
  ErrorKind kind = problem == ENOENT ? ErrorKind::not_found : ErrorKind::refused;
  return fail(kind, fmt::format("{} {}: {}", verb, path, std::system_category().message(problem)),
              problem == ENOSPC ? "make room there, or name another place" : "");
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

Result<> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return failed("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return {};
}

Result<> sync_folder(const std::string& path) {
  std::string folder = fs::path(path).parent_path().string();
  Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failed("sync", folder, errno);
  return {};
}

Result<std::vector<PlacedFile>> list_folder(const std::string& folder) {
  std::error_code problem;
  std::vector<PlacedFile> out;
  auto options = fs::directory_options::skip_permission_denied;
  fs::recursive_directory_iterator walk(folder, options, problem), end;
  for (; !problem && walk != end; walk.increment(problem)) {
    std::string path = walk->path().lexically_relative(folder).string();
    std::error_code gone;  // between being seen and being asked
    if (!walk->is_regular_file(gone) || path.ends_with(kPartial)) continue;
    uintmax_t bytes = walk->file_size(gone);
    if (!gone) out.push_back({path, bytes});
  }
  if (problem) return failed("list", folder, problem.value());
  return out;
}

Result<> read_pieces(const std::string& path, const BackupPlace::Sink& sink, Deadline deadline) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return failed("open", path, errno);
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::string piece(kPiece, '\0');
  while (true) {
    if (deadline.passed()) return fail(ErrorKind::timed_out, fmt::format("read {}: not read whole in time", path));
    ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", path, errno);
    if (got == 0) return {};
    TRY_VOID(sink(std::string_view(piece).substr(0, static_cast<size_t>(got))));
  }
}

// A file that is being written. Unless it is put in its place, nothing of it is left.
class Partial {
 public:
  explicit Partial(std::string path)
      : path_(std::move(path)), beside_(fmt::format("{}.{}{}", path_, random_hex(4), kPartial)) {}
  ~Partial() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(beside_.c_str());
  }
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;

  Result<> open() {
    std::error_code problem;
    fs::create_directories(fs::path(path_).parent_path(), problem);
    if (problem) return failed("create the folder of", path_, problem.value());
    if (fs::exists(path_, problem))
      return fail(ErrorKind::conflict, fmt::format("{} is there already", path_), "backups are never written over");
    fd_ = ::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) return failed("create", beside_, errno);
    return {};
  }
  Result<> add(std::string_view bytes) { return write_all(fd_, bytes, beside_); }
  Result<> put_in_place() {
    if (::fsync(fd_) != 0) return failed("sync", beside_, errno);
    // A second name, not a renaming: that would replace what came there meanwhile.
    if (::link(beside_.c_str(), path_.c_str()) != 0) return failed("name", path_, errno);
    return sync_folder(path_);
  }

 private:
  std::string path_, beside_;
  int fd_ = -1;
};

class Folder : public BackupPlace {
 public:
  explicit Folder(std::string folder) : folder_(std::move(folder)) {}

  std::string name() const override { return folder_; }
  std::optional<std::string> local_file(const std::string& path) const override { return at(path); }

  Task<Result<std::vector<PlacedFile>>> list(Deadline) override {
    auto listing = blocking([folder = folder_] { return list_folder(folder); });
    co_return co_await std::move(listing);
  }
  Task<Result<std::string>> read_small(std::string path, Deadline) override {
    auto reading = blocking([file = at(path)] { return read_file(file, kSmall); });
    co_return co_await std::move(reading);
  }
  Task<Result<>> read(std::string path, Sink sink, Deadline deadline) override {
    auto reading = blocking([file = at(path), sink, deadline] { return read_pieces(file, sink, deadline); });
    co_return co_await std::move(reading);
  }
  Task<Result<uint64_t>> write(std::string path, Source source, Deadline deadline) override {
    auto partial = std::make_shared<Partial>(at(path));
    CO_TRY_VOID(partial->open());
    uint64_t bytes = 0;
    while (true) {
      if (deadline.passed())
        co_return fail(ErrorKind::timed_out, fmt::format("write {}: not written in time", at(path)));
      auto making = source(kPiece);
      CO_TRY(std::string piece, co_await std::move(making));
      if (piece.empty()) break;
      bytes += piece.size();
      auto adding = blocking([partial, piece = std::move(piece)] { return partial->add(piece); });
      CO_TRY_VOID(co_await std::move(adding));
    }
    auto placing = blocking([partial] { return partial->put_in_place(); });
    CO_TRY_VOID(co_await std::move(placing));
    co_return bytes;
  }
  Task<Result<>> write_small(std::string path, std::string text, Deadline) override {
    auto writing = blocking([file = at(path), text]() -> Result<> {
      Partial partial(file);
      TRY_VOID(partial.open());
      TRY_VOID(partial.add(text));
      return partial.put_in_place();
    });
    co_return co_await std::move(writing);
  }
  Task<Result<>> remove(std::string path, Deadline) override {
    auto removing = blocking([file = at(path)]() -> Result<> {
      if (::unlink(file.c_str()) != 0 && errno != ENOENT) return failed("remove", file, errno);
      return sync_folder(file);
    });
    co_return co_await std::move(removing);
  }

 private:
  std::string at(const std::string& path) const { return fmt::format("{}/{}", folder_, path); }

  std::string folder_;
};

class Bucket : public BackupPlace {
 public:
  Bucket(S3Store store, std::string prefix) : store_(std::move(store)), prefix_(std::move(prefix)) {}

  std::string name() const override { return store_.name_of(prefix_); }
  std::optional<std::string> local_file(const std::string&) const override { return std::nullopt; }

  Task<Result<std::vector<PlacedFile>>> list(Deadline deadline) override {
    auto listing = store_.list(prefix_, deadline);
    CO_TRY(std::vector<S3Object> objects, co_await std::move(listing));
    std::vector<PlacedFile> out;
    for (const S3Object& object : objects) {
      if (object.key.starts_with(prefix_)) out.push_back({object.key.substr(prefix_.size()), object.bytes});
    }
    co_return out;
  }
  Task<Result<std::string>> read_small(std::string path, Deadline deadline) override {
    auto reading = store_.get_small(prefix_ + path, deadline, kSmall);
    co_return co_await std::move(reading);
  }
  Task<Result<>> read(std::string path, Sink sink, Deadline deadline) override {
    auto looking = store_.head(prefix_ + path, deadline);
    CO_TRY(S3Object object, co_await std::move(looking));
    auto reading = store_.get(std::move(object), std::move(sink), deadline);
    co_return co_await std::move(reading);
  }
  Task<Result<uint64_t>> write(std::string path, Source source, Deadline deadline) override {
    std::string key = prefix_ + path;
    auto checking = is_free(key, deadline);
    CO_TRY_VOID(co_await std::move(checking));
    auto writing = store_.put(key, std::move(source), deadline);
    CO_TRY(uint64_t bytes, co_await std::move(writing));
    auto looking = store_.head(key, deadline);
    CO_TRY(S3Object object, co_await std::move(looking));
    if (object.bytes != bytes)
      co_return fail(ErrorKind::conflict,
                     fmt::format("{} has {} bytes, {} were written", store_.name_of(key), object.bytes, bytes));
    co_return bytes;
  }
  Task<Result<>> write_small(std::string path, std::string text, Deadline deadline) override {
    std::string key = prefix_ + path;
    auto checking = is_free(key, deadline);
    CO_TRY_VOID(co_await std::move(checking));
    auto writing = store_.put_small(key, std::move(text), deadline);
    co_return co_await std::move(writing);
  }
  Task<Result<>> remove(std::string path, Deadline deadline) override {
    auto removing = store_.remove(prefix_ + path, deadline);
    co_return co_await std::move(removing);
  }

 private:
  Task<Result<>> is_free(std::string key, Deadline deadline) {
    auto looking = store_.head(key, deadline);
    auto there = co_await std::move(looking);
    if (there)
      co_return fail(ErrorKind::conflict, fmt::format("{} is there already", store_.name_of(key)),
                     "backups are never written over");
    // Keys that may write but not read are told "no" either way; the write itself will say what it may.
    ErrorKind kind = there.error().kind;
    if (kind == ErrorKind::not_found || kind == ErrorKind::refused) co_return Result<>{};
    co_return std::unexpected(std::move(there).error());
  }

  S3Store store_;
  std::string prefix_;
};

}  // namespace

std::unique_ptr<BackupPlace> open_folder(std::string folder) { return std::make_unique<Folder>(std::move(folder)); }
std::unique_ptr<BackupPlace> open_bucket(S3Store store, std::string prefix) {
  return std::make_unique<Bucket>(std::move(store), std::move(prefix));
}

}  // namespace lifeboat
