#include "database.hpp"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace example {
namespace {

using Clock = std::chrono::steady_clock;

int left_ms(Clock::time_point until) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::max<long>(0, left));
}

bool wait_for(PGconn* connection, short what, Clock::time_point until) {
  pollfd watched{PQsocket(connection), what, 0};
  return poll(&watched, 1, left_ms(until)) > 0;
}

// Reads results to the end; false when time is up or the connection is gone.
bool finish(PGconn* connection, Clock::time_point until, std::vector<PGresult*>& results) {
  while (true) {
    while (PQisBusy(connection) != 0) {
      if (!wait_for(connection, POLLIN, until) || PQconsumeInput(connection) == 0) return false;
    }
    PGresult* result = PQgetResult(connection);
    if (result == nullptr) return true;
    results.push_back(result);
  }
}

}  // namespace

Database::Database(const std::string& url) {
  // "postgresql://USER@a:1,b:2/NAME?options" becomes one address for each host.
  size_t at = url.rfind('@'), slash = url.find('/', at);
  std::string before = url.substr(0, at + 1), hosts = url.substr(at + 1, slash - at - 1), after = url.substr(slash);
  if (size_t question = after.find('?'); question != std::string::npos) after.erase(question);
  while (!hosts.empty()) {
    size_t comma = std::min(hosts.find(','), hosts.size());
    servers_.push_back(before + hosts.substr(0, comma) + after + "?target_session_attrs=read-write&gssencmode=disable&tcp_user_timeout=1000");
    hosts.erase(0, std::min(comma + 1, hosts.size()));
  }
}

Database::Connection Database::take() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  Connection connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Database::give_back(Connection connection) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < 8) idle_.push_back(std::move(connection));
}

void Database::forget_idle() {
  std::lock_guard lock(mutex_);
  idle_.clear();
}

Database::Connection Database::connect(Until until) {
  while (Clock::now() < until) {
    // All at once: a dead one that swallows packets must not cost the living one's time.
    struct Try {
      Connection connection;
      PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    };
    std::vector<Try> tries;
    for (const std::string& server : servers_) tries.push_back({Connection(PQconnectStart(server.c_str()))});
    auto round = std::min(until, Clock::now() + std::chrono::milliseconds(400));
    while (Clock::now() < round) {
      std::vector<pollfd> watched;
      for (Try& one : tries) {
        if (PQstatus(one.connection.get()) == CONNECTION_BAD) one.next = PGRES_POLLING_FAILED;
        if (one.next == PGRES_POLLING_OK) return std::move(one.connection);
        bool waits = one.next == PGRES_POLLING_READING || one.next == PGRES_POLLING_WRITING;
        if (waits) watched.push_back({PQsocket(one.connection.get()), static_cast<short>(one.next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0});
      }
      if (watched.empty()) break;
      poll(watched.data(), watched.size(), left_ms(round));
      for (Try& one : tries) {
        for (const pollfd& ready : watched) {
          bool mine = ready.revents != 0 && one.next != PGRES_POLLING_FAILED && ready.fd == PQsocket(one.connection.get());
          if (mine) {
            one.next = PQconnectPoll(one.connection.get());
            break;
          }
        }
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return nullptr;
}

std::optional<Rows> Database::query(const std::string& sql, const std::vector<std::string>& params, std::chrono::milliseconds within) {
  auto until = Clock::now() + within;
  std::vector<const char*> values;
  for (const std::string& param : params) values.push_back(param.c_str());
  while (Clock::now() < until) {
    Connection connection = take();
    if (!connection) connection = connect(until);
    if (!connection) return std::nullopt;
    // A server that is hung or cut off is given up after a second, so that the rest of the time is another one's.
    auto statement_until = std::min(until, Clock::now() + std::chrono::milliseconds(1000));
    std::vector<PGresult*> results;
    PQsetnonblocking(connection.get(), 1);
    bool whole = PQsendQueryParams(connection.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0) == 1 &&
                 PQflush(connection.get()) == 0 && finish(connection.get(), statement_until, results);
    Rows out;
    bool good = whole;
    for (PGresult* result : results) {
      ExecStatusType status = PQresultStatus(result);
      good = good && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
      for (int row = 0; status == PGRES_TUPLES_OK && row < PQntuples(result); ++row) {
        auto& cells = out.rows.emplace_back();
        for (int column = 0; column < PQnfields(result); ++column) cells.emplace_back(PQgetvalue(result, row, column));
      }
      PQclear(result);
    }
    if (good) {
      give_back(std::move(connection));
      return out;
    }
    // Gone, hung, or a standby by now: so are the others of the pool.
    forget_idle();
  }
  return std::nullopt;
}

}  // namespace example
