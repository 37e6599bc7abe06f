// PostgreSQL through libpq without blocking: connect and query are coroutines with a deadline. A connection whose query
// was cut short by deadline or cancellation is closed: the server may still carry the statement out, so the outcome of a
// statement that changes something is then unknown.
//
// Errors: `unreachable` (no connection), `refused` (the server said no: SQLSTATE in `sqlstate_of`), `timed_out` before
// anything was sent, `unknown_outcome` after.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "io/task.hpp"

namespace lifeboat {

// libpq's own names: host (an address, or a folder with a Unix socket), port, dbname, user, password, options …
using PgParams = std::map<std::string, std::string>;

struct PgRows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;

  bool empty() const { return rows.empty(); }
  // The value of a column of one row; empty for NULL, an unknown column or row.
  std::string text(size_t row, std::string_view column) const;
  bool is_null(size_t row, std::string_view column) const;
};

class PgConnection {
 public:
  // Connects to exactly one host; numeric addresses and socket folders never ask a resolver.
  static Task<Result<std::unique_ptr<PgConnection>>> connect(PgParams params, Deadline deadline);
  ~PgConnection();

  // One statement with text parameters ($1 …). A connection with `replication=database` takes none.
  Task<Result<PgRows>> query(std::string sql, std::vector<std::string> params, Deadline deadline);
  // False after an error of the connection; every later query fails.
  bool usable() const;
  // The number of the server's process that serves it, where the server runs; 0 when it is not connected.
  int backend() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  explicit PgConnection(std::unique_ptr<State> state);
};

// Connects, asks once, closes.
Task<Result<PgRows>> pg_query_once(PgParams params, std::string sql, std::vector<std::string> values,
                                   Deadline deadline);

// Whether the server that listens on the socket in `folder` takes connections: asks it for encryption, which its new process answers
// with one letter before it has done anything else (protocol manual, "SSL Session Encryption"), and hangs up. A fraction of what a
// session costs; says nothing of whether questions are answered. Errors: `unreachable`, `timed_out`.
Task<Result<>> pg_knock(std::string folder, int port, Deadline deadline);

// A name as SQL takes it, in double quotes.
std::string sql_identifier(std::string_view name);
// The SQLSTATE of an error of this adapter, also of one that came over the wire as text; else empty.
std::string sqlstate_of(const Error& error);
// True for one that gave up waiting for a lock (lock_not_available).
bool is_lock_timeout(const Error& error);

}  // namespace lifeboat
