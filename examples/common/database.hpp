// PostgreSQL for the example programs: a small pool of connections to whichever server of a list takes writes. After a
// failover it is at the new one some tens of milliseconds after its promotion; requests that wait for one get it in
// turn instead of all connecting at once. A connection that is being made outlives the request that wants it: a server that has
// much to do would never see the end of one otherwise.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "scouts.hpp"

namespace example {

class Database {
 public:
  // `url` names one or more servers, as libpq takes them: postgresql://user:password@one:5432,two:5432/name
  // Throws std::runtime_error when it cannot be read.
  explicit Database(const std::string& url);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One statement with parameters. Nothing when it could not be carried out in `within`, or nobody knows whether it
  // was. It is sent again after a lost connection, so it must bear being carried out twice.
  std::optional<Rows> query(const std::string& sql, const std::vector<std::string>& params,
                            std::chrono::milliseconds within);

 private:
  struct Lease {
    Connection connection;
    uint64_t generation = 0;
  };

  std::vector<Server> servers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<size_t> writable_;  // index of the server that takes writes
  uint64_t generation_ = 0;         // grows each time that server is lost: older connections are not used again
  std::vector<Connection> idle_;
  int open_ = 0;  // connections of this generation, idle, in use or being made
  int connecting_ = 0;
  int waiting_ = 0;   // requests without a connection
  int failures_ = 0;  // of this generation to connect, in a row
  bool ending_ = false;
  Scouts scouts_;  // behind what it calls back to
  std::vector<std::thread> openers_;

  void heard(size_t server, bool takes_writes);
  void lost_writable();
  void open_connections();
  bool wants_connection() const;
  std::optional<Lease> take(Until until);
  void give_back(Lease lease);
  void drop(Lease lease, bool server_is_lost);
};

}  // namespace example
