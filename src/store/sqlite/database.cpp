#include "store/sqlite/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lifeboat::sqlite {

Query::Query(Database& database, std::string_view sql) : database_(database) {
  auto found = database.prepared_.find(sql);
  if (found == database.prepared_.end()) {
    sqlite3_stmt* fresh = nullptr;
    sqlite3_prepare_v3(database.handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &fresh,
                       nullptr);
    if (fresh == nullptr) return;  // step() says what is wrong
    found = database.prepared_.emplace(std::string(sql), fresh).first;
  }
  statement_ = found->second;
}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Query& Query::bind(std::string_view text) {
  if (statement_ != nullptr) {
    // SQLITE_TRANSIENT (a cast of -1): SQLite copies the text.
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(),
                        reinterpret_cast<sqlite3_destructor_type>(intptr_t{-1}), SQLITE_UTF8);
  }
  return *this;
}

Query& Query::bind(int64_t number) {
  if (statement_ != nullptr) sqlite3_bind_int64(statement_, ++bound_, number);
  return *this;
}

Result<bool> Query::step() {
  if (statement_ == nullptr) return std::unexpected(database_.error("prepare"));
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(database_.error("use the journal"));
}

Result<void> Query::run() {
  while (true) {
    TRY(bool row, step());
    if (!row) return {};
  }
}

int64_t Query::number(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {bytes == nullptr ? "" : bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

Database::~Database() {
  for (auto& [sql, statement] : prepared_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
  // After SQLite: closing any descriptor of the file drops the locks that SQLite holds on it.
  if (lock_ >= 0) close(lock_);
}

Result<void> Database::open_to_read(const std::string& path) {
  path_ = path;
  if (access(path.c_str(), R_OK) != 0)
    return fail(errno == ENOENT ? ErrorKind::not_found : ErrorKind::refused,
                fmt::format("open {}: {}", path, std::strerror(errno)));
  // Not read-only: a journal that nobody has open needs its write-ahead log read in.
  if (sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK)
    return std::unexpected(error("open"));
  sqlite3_busy_timeout(handle_, 5'000);
  return execute("PRAGMA query_only=ON");
}

Result<void> Database::lock(const std::string& path) {
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) {
    ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::refused;
    return fail(kind, fmt::format("open {}: {}", path, std::strerror(errno)), "the folder must exist and be writable");
  }
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorKind::conflict, fmt::format("{} is in use by another process", path),
                "only one controller may use a journal; stop the other one or give this one its own state folder");
  }
  return {};
}

Result<void> Database::open(const std::string& path) {
  path_ = path;
  TRY_VOID(lock(path));
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &handle_, kFlags, nullptr) != SQLITE_OK) return std::unexpected(error("open"));
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, 5'000);
  // No shared memory beside the file, since nobody else may use it.
  TRY_VOID(execute("PRAGMA locking_mode=EXCLUSIVE"));
  TRY_VOID(execute("PRAGMA journal_mode=WAL"));
  TRY_VOID(execute("PRAGMA synchronous=FULL"));
  return execute("PRAGMA cell_size_check=ON");
}

Result<void> Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(error("use the journal"));
}

Error Database::error(std::string what) const {
  int code = sqlite3_errcode(handle_);
  Error out;
  out.kind = code == SQLITE_BUSY || code == SQLITE_LOCKED                            ? ErrorKind::conflict
             : code == SQLITE_FULL || code == SQLITE_READONLY || code == SQLITE_PERM ? ErrorKind::refused
                                                                                     : ErrorKind::internal;
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) out.kind = ErrorKind::invalid_input;
  out.what = fmt::format("{}: {}", what, sqlite3_errmsg(handle_));
  out.where = path_;
  return out;
}

}  // namespace lifeboat::sqlite
