// libpq without endless waits: the addresses of a list of servers, one connection to one of them, one statement, each
// within a time.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace example {

using Clock = std::chrono::steady_clock;
using Until = Clock::time_point;

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;

// What libpq needs to reach one server.
using Server = std::vector<std::pair<std::string, std::string>>;

// Every server that a URL names: postgresql://user:password@one:5432,two:5432/name. Throws std::runtime_error when
// libpq cannot read it.
std::vector<Server> servers_of(const std::string& url);

// Begins a connection; the caller drives it by PQconnectPoll.
Connection begin_connection(const Server& server);
// Nothing when no connection came about in time, or the server is a standby. Given up soon when it is not wanted any more.
Connection connect(const Server& server, Until until, const std::function<bool()>& is_wanted);

struct Rows {
  std::vector<std::vector<std::string>> rows;
};

enum class Ended { well, wrong, lost, late };  // wrong: the server did not like the statement; late: no answer in time
struct Outcome {
  Ended ended = Ended::well;
  Rows rows;
  std::string problem;
};
// One statement with text parameters. After `lost` and `late` the connection is of no more use.
Outcome carry_out(PGconn* connection, const std::string& sql, const std::vector<std::string>& params, Until until);

// Milliseconds from now, never negative: for poll().
int left_ms(Until until);

}  // namespace example
