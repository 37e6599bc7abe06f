// SQLite as the store needs it: one connection, prepared statements, errors as values. Not thread-safe; the store's own
// thread is its only user.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace lifeboat::sqlite {

class Database;

// One execution of a prepared statement: bind in order, then step. Resets itself at the end.
class Query {
 public:
  Query(Database& database, std::string_view sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(std::string_view text);
  Query& bind(int64_t number);
  // True: a row is there. False: there are no more.
  Result<bool> step();
  // Runs it to its end; for what gives no rows.
  Result<void> run();

  int64_t number(int column) const;
  std::string text(int column) const;

 private:
  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

class Database {
 public:
  Database() = default;
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Opens or creates the file and locks it against other processes: `conflict` when another has it.
  Result<void> open(const std::string& path);
  // Opens a file that is there, whoever has it open, and only reads it.
  Result<void> open_to_read(const std::string& path);
  Result<void> execute(const char* sql);
  Error error(std::string what) const;

 private:
  friend class Query;
  sqlite3* handle_ = nullptr;
  int lock_ = -1;
  std::string path_;
  std::map<std::string, sqlite3_stmt*, std::less<>> prepared_;

  Result<void> lock(const std::string& path);
};

}  // namespace lifeboat::sqlite
