#include "io/postgres.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <sys/un.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>

namespace lifeboat {
namespace {

using Descriptor = asio::posix::stream_descriptor;

constexpr std::string_view kSqlstate = "SQLSTATE ";

std::string first_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

// Waits until the socket may be read or written. libpq owns the descriptor, so it is lent and taken back each time: it
// may change between two steps of connecting.
Task<Result<>> wait_for(int fd, Descriptor::wait_type what, Deadline deadline) {
  Descriptor descriptor(co_await asio::this_coro::executor, fd);
  struct GiveBack {
    Descriptor& descriptor;
    ~GiveBack() { descriptor.release(); }
  } give_back{descriptor};
  using namespace asio::experimental::awaitable_operators;
  auto outcome =
      co_await (descriptor.async_wait(what, asio::as_tuple(asio::use_awaitable)) || sleep_until(deadline.at));
  if (outcome.index() == 1) co_return fail(ErrorKind::timed_out, "no answer in time");
  auto [problem] = std::get<0>(outcome);
  if (problem) co_return fail(ErrorKind::unreachable, problem.message());
  co_return Result<>{};
}

PgRows rows_of(const PGresult* result) {
  PgRows out;
  int columns = PQnfields(result);
  for (int column = 0; column < columns; ++column) out.columns.emplace_back(PQfname(result, column));
  for (int row = 0; row < PQntuples(result); ++row) {
    auto& values = out.rows.emplace_back();
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result, row, column) != 0) {
        values.emplace_back(std::nullopt);
      } else {
        values.emplace_back(
            std::string(PQgetvalue(result, row, column), static_cast<size_t>(PQgetlength(result, row, column))));
      }
    }
  }
  return out;
}

Task<Result<>> ask_for_encryption(std::string path) {
  constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
  // SSLRequest: its length, 8, and the number 80877103.
  static constexpr std::array<unsigned char, 8> kRequest{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
  asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
  auto refusal = [&](const boost::system::error_code& problem) {
    auto kind = problem == asio::error::operation_aborted ? ErrorKind::cancelled : ErrorKind::unreachable;
    return fail(kind, fmt::format("{}: {}", path, problem.message()));
  };
  auto [unconnected] = co_await socket.async_connect(asio::local::stream_protocol::endpoint(path), kAsTuple);
  if (unconnected) co_return refusal(unconnected);
  auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(kRequest), kAsTuple);
  if (unsent) co_return refusal(unsent);
  char answer = 0;
  auto [unheard, heard] = co_await asio::async_read(socket, asio::buffer(&answer, 1), kAsTuple);
  if (unheard) co_return refusal(unheard);
  co_return Result<>{};
}

}  // namespace

struct PgConnection::State {
  PGconn* connection = nullptr;
  std::string where;
  bool is_walsender = false;
  bool broken = false;

  ~State() {
    if (connection != nullptr) PQfinish(connection);
  }
};

PgConnection::PgConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
PgConnection::~PgConnection() = default;

bool PgConnection::usable() const { return !state_->broken && PQstatus(state_->connection) == CONNECTION_OK; }

int PgConnection::backend() const { return PQbackendPID(state_->connection); }

Task<Result<std::unique_ptr<PgConnection>>> PgConnection::connect(PgParams params, Deadline deadline) {
  auto state = std::make_unique<State>();
  state->where = fmt::format("{}:{}", params["host"], params["port"]);
  state->is_walsender = params.contains("replication");
  params.try_emplace("connect_timeout", "0");
  params.try_emplace("sslmode", "prefer");
  // GSS negotiation costs a round trip and asks for files we do not have.
  params.try_emplace("gssencmode", "disable");
  params.try_emplace("application_name", "lifeboat");
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : params) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  state->connection = PQconnectStartParams(keys.data(), values.data(), 0);
  if (state->connection == nullptr) co_return fail(ErrorKind::internal, "libpq has no memory");
  PostgresPollingStatusType next =
      PQstatus(state->connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED)
      co_return fail(ErrorKind::unreachable, first_line(PQerrorMessage(state->connection)), {}, state->where);
    auto what = next == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
    auto waited = co_await wait_for(PQsocket(state->connection), what, deadline);
    if (!waited) {
      Error error = std::move(waited).error();
      error.where = state->where;
      error.what = "connect: " + error.what;
      co_return std::unexpected(std::move(error));
    }
    next = PQconnectPoll(state->connection);
  }
  PQsetnonblocking(state->connection, 1);
  // Notices go to the server's own log; libpq would write them to our stderr.
  PQsetNoticeProcessor(state->connection, [](void*, const char*) {}, nullptr);
  co_return std::unique_ptr<PgConnection>(new PgConnection(std::move(state)));
}

Task<Result<PgRows>> PgConnection::query(std::string sql, std::vector<std::string> params, Deadline deadline) {
  State& state = *state_;
  if (!usable()) co_return fail(ErrorKind::unreachable, "the connection is closed", {}, state.where);
  if (deadline.passed()) co_return fail(ErrorKind::timed_out, "no time left to ask", {}, state.where);
  std::vector<const char*> values;
  for (const std::string& param : params) values.push_back(param.c_str());
  // Until the last result has been read the connection is in the middle of something, and of no use to another query.
  struct Guard {
    State& state;
    bool whole = false;
    ~Guard() { state.broken = state.broken || !whole; }
  } guard{state};
  // One that serves replication knows the simple protocol only (protocol manual, "Streaming Replication Protocol").
  bool simple = state.is_walsender && values.empty();
  int sent = simple ? PQsendQuery(state.connection, sql.c_str())
                    : PQsendQueryParams(state.connection, sql.c_str(), static_cast<int>(values.size()), nullptr,
                                        values.data(), nullptr, nullptr, 0);
  if (sent == 0) co_return fail(ErrorKind::unreachable, first_line(PQerrorMessage(state.connection)), {}, state.where);
  auto lost = [&](std::string why) {
    return fail(ErrorKind::unknown_outcome, std::move(why), "the statement may have been carried out", state.where);
  };
  while (true) {
    int left = PQflush(state.connection);
    if (left == 0) break;
    if (left < 0) co_return lost(first_line(PQerrorMessage(state.connection)));
    auto waited = co_await wait_for(PQsocket(state.connection), Descriptor::wait_write, deadline);
    if (!waited) co_return lost(waited.error().what);
  }
  PgRows rows;
  std::optional<Error> refused;
  while (true) {
    while (PQisBusy(state.connection) != 0) {
      auto waited = co_await wait_for(PQsocket(state.connection), Descriptor::wait_read, deadline);
      if (!waited) co_return lost(waited.error().what);
      if (PQconsumeInput(state.connection) == 0) co_return lost(first_line(PQerrorMessage(state.connection)));
    }
    PGresult* result = PQgetResult(state.connection);
    if (result == nullptr) break;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK) {
      rows = rows_of(result);
    } else if (status != PGRES_COMMAND_OK) {
      const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      Error error;
      error.kind = code == nullptr ? ErrorKind::unknown_outcome : ErrorKind::refused;
      error.what = first_line(PQresultErrorMessage(result));
      error.where = state.where;
      if (code != nullptr) error.context.push_back(fmt::format("{}{}", kSqlstate, code));
      refused = std::move(error);
    }
    PQclear(result);
  }
  guard.whole = PQstatus(state.connection) == CONNECTION_OK;
  if (refused) co_return std::unexpected(std::move(*refused));
  co_return rows;
}

Task<Result<PgRows>> pg_query_once(PgParams params, std::string sql, std::vector<std::string> values,
                                   Deadline deadline) {
  auto connecting = PgConnection::connect(std::move(params), deadline);
  CO_TRY(std::unique_ptr<PgConnection> connection, co_await std::move(connecting));
  auto asking = connection->query(std::move(sql), std::move(values), deadline);
  co_return co_await std::move(asking);
}

Task<Result<>> pg_knock(std::string folder, int port, Deadline deadline) {
  std::string path = fmt::format("{}/.s.PGSQL.{}", folder, port);
  // Longer than an address of a socket can be.
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    co_return fail(ErrorKind::invalid_input, fmt::format("{}: the path of the socket is too long", path));
  std::string what = "knock at " + path;
  co_return co_await within(deadline, std::move(what), ask_for_encryption(std::move(path)));
}

std::string PgRows::text(size_t row, std::string_view column) const {
  auto found = std::ranges::find(columns, column);
  if (row >= rows.size() || found == columns.end()) return {};
  return rows[row][static_cast<size_t>(found - columns.begin())].value_or("");
}

bool PgRows::is_null(size_t row, std::string_view column) const {
  auto found = std::ranges::find(columns, column);
  return row >= rows.size() || found == columns.end() || !rows[row][static_cast<size_t>(found - columns.begin())];
}

std::string sql_identifier(std::string_view name) {
  std::string out = "\"";
  for (char c : name) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string sqlstate_of(const Error& error) {
  for (const std::string& line : error.context) {
    if (line.starts_with(kSqlstate)) return line.substr(kSqlstate.size());
  }
  // Error::text() puts it before what the server said.
  constexpr size_t kLength = 5;
  size_t at = error.what.find(kSqlstate);
  bool there = at != std::string::npos && error.what.substr(at + kSqlstate.size()).find(':') == kLength;
  return there ? error.what.substr(at + kSqlstate.size(), kLength) : std::string();
}

bool is_lock_timeout(const Error& error) { return sqlstate_of(error) == "55P03"; }

}  // namespace lifeboat
