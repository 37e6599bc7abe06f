// PostgreSQL for the example programs: a pool of connections to whichever server of a list takes writes. After a failover
// it finds the new one within some tens of milliseconds: all servers are tried at once, and again until the time is up.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace example {

struct Rows {
  std::vector<std::vector<std::string>> rows;
};

class Database {
 public:
  // `url` names several hosts, as libpq takes them: postgresql://user:password@one:5432,two:5432/name
  explicit Database(const std::string& url);

  // One statement with parameters. Nothing when it could not be carried out in `within`, or nobody knows whether it was.
  // Statements must bear being carried out twice.
  std::optional<Rows> query(const std::string& sql, const std::vector<std::string>& params, std::chrono::milliseconds within);

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  using Connection = std::unique_ptr<PGconn, Close>;
  using Until = std::chrono::steady_clock::time_point;

  std::vector<std::string> servers_;  // one conninfo each
  std::mutex mutex_;
  std::vector<Connection> idle_;

  Connection take();
  void give_back(Connection connection);
  void forget_idle();
  Connection connect(Until until);
};

}  // namespace example
