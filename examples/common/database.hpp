// PostgreSQL for the example programs: a small pool of connections to whichever server of a list takes writes. After a
// failover it is at the new one some tens of milliseconds after its promotion; requests that wait for one get it in
// turn instead of all connecting at once.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "scouts.hpp"

namespace example {

class Database {
 public:
  // `url` names one or more servers, as libpq takes them: postgresql://user:password@one:5432,two:5432/name
  // Throws std::runtime_error when it cannot be read.
  explicit Database(const std::string& url);

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
  int open_ = 0;  // connections of this generation, idle or in use
  int connecting_ = 0;
  Scouts scouts_;  // last: it calls back

  void heard(size_t server, bool takes_writes);
  void lost_writable();
  std::optional<Lease> take(Until until);
  void give_back(Lease lease);
  void drop(Lease lease, bool server_is_lost);
};

}  // namespace example
