#include "postgres_link.hpp"

#include <poll.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace example {
namespace {

using namespace std::chrono_literals;

// Between two questions whether a connection is still wanted.
constexpr auto kSlice = 20ms;

bool wait_for(PGconn* connection, short what, Until until) {
  pollfd watched{PQsocket(connection), what, 0};
  return poll(&watched, 1, left_ms(until)) > 0;
}

bool wait_while(const std::function<bool()>& is_wanted, PGconn* connection, short what, Until until) {
  while (is_wanted() && Clock::now() < until) {
    if (wait_for(connection, what, std::min<Until>(until, Clock::now() + kSlice))) return true;
  }
  return false;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= list.size();) {
    size_t comma = std::min(list.find(',', begin), list.size());
    out.push_back(list.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return out;
}

// The connection is gone or its server no longer takes writes (class 57P: it is being stopped; 25006: it is a standby).
bool means_lost(PGconn* connection, std::string_view state) {
  return PQstatus(connection) != CONNECTION_OK || state.empty() || state.starts_with("08") ||
         state.starts_with("57P") || state == "25006";
}

// Sends what is left and reads to the end of the answer.
Ended finish(PGconn* connection, Until until, std::vector<PGresult*>& results) {
  for (int left = PQflush(connection); left != 0; left = PQflush(connection)) {
    if (left < 0) return Ended::lost;
    if (!wait_for(connection, POLLOUT, until)) return Ended::late;
  }
  while (true) {
    while (PQisBusy(connection) != 0) {
      if (!wait_for(connection, POLLIN, until)) return Ended::late;
      if (PQconsumeInput(connection) == 0) return Ended::lost;
    }
    PGresult* result = PQgetResult(connection);
    if (result == nullptr) return Ended::well;
    results.push_back(result);
  }
}

}  // namespace

int left_ms(Until until) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, 60'000));
}

std::vector<Server> servers_of(const std::string& url) {
  char* problem = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &problem);
  if (options == nullptr) {
    std::string text = problem == nullptr ? "the database's address cannot be read" : problem;
    PQfreemem(problem);
    throw std::runtime_error(text);
  }
  Server common;
  std::vector<std::string> hosts, ports;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    std::string_view name = option->keyword;
    if (name == "host") hosts = split(option->val);
    if (name == "port") ports = split(option->val);
    bool own = name == "host" || name == "port" || name == "target_session_attrs" || name == "connect_timeout";
    if (!own) common.emplace_back(option->keyword, option->val);
  }
  PQconninfoFree(options);
  // Looking for a ticket server takes time, and a peer that is silent for a second is as good as gone.
  common.emplace_back("gssencmode", "disable");
  common.emplace_back("tcp_user_timeout", "1000");
  std::vector<Server> out;
  for (size_t index = 0; index < hosts.size(); ++index) {
    Server server = common;
    server.emplace_back("host", hosts[index]);
    if (!ports.empty())
      server.emplace_back("port", ports.size() == 1 ? ports[0] : ports[std::min(index, ports.size() - 1)]);
    out.push_back(std::move(server));
  }
  if (out.empty()) throw std::runtime_error("the database's address names no server");
  return out;
}

Connection begin_connection(const Server& server) {
  std::vector<const char*> names, values;
  for (const auto& [name, value] : server) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  return Connection(PQconnectStartParams(names.data(), values.data(), 0));
}

Connection connect(const Server& server, Until until, const std::function<bool()>& is_wanted) {
  Connection connection = begin_connection(server);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (connection && PQstatus(connection.get()) != CONNECTION_BAD && next != PGRES_POLLING_FAILED) {
    if (next == PGRES_POLLING_OK) {
      const char* standby = PQparameterStatus(connection.get(), "in_hot_standby");
      if (standby != nullptr && std::string_view(standby) == "on") return nullptr;
      PQsetnonblocking(connection.get(), 1);
      return connection;
    }
    short what = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_while(is_wanted, connection.get(), what, until)) return nullptr;
    next = PQconnectPoll(connection.get());
  }
  return nullptr;
}

Outcome carry_out(PGconn* connection, const std::string& sql, const std::vector<std::string>& params, Until until) {
  Outcome out;
  std::vector<const char*> values;
  for (const std::string& param : params) values.push_back(param.c_str());
  if (PQsendQueryParams(connection, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                        nullptr, 0) != 1) {
    out.ended = Ended::lost;
    return out;
  }
  std::vector<PGresult*> results;
  out.ended = finish(connection, until, results);
  for (PGresult* result : results) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && out.ended == Ended::well) {
      const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      out.ended = means_lost(connection, state == nullptr ? "" : state) ? Ended::lost : Ended::wrong;
      out.problem = PQresultErrorMessage(result);
    }
    for (int row = 0; status == PGRES_TUPLES_OK && row < PQntuples(result); ++row) {
      auto& cells = out.rows.rows.emplace_back();
      for (int column = 0; column < PQnfields(result); ++column) cells.emplace_back(PQgetvalue(result, row, column));
    }
    PQclear(result);
  }
  return out;
}

}  // namespace example
