#include "io/http_server.hpp"

#include <boost/asio/as_tuple.hpp>

#include <algorithm>

#include "io/tcp_options.hpp"
#include "io/websocket_impl.hpp"

namespace lifeboat {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

std::string url_decode(std::string_view text, bool plus_is_space) {
  auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 && digit(text[at + 2]) >= 0) {
      out += static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2]));
      at += 2;
    } else {
      out += plus_is_space && text[at] == '+' ? ' ' : text[at];
    }
  }
  return out;
}

HttpIncoming incoming_of(http::request<http::string_body>& request, std::string peer) {
  HttpIncoming out;
  out.method = std::string(request.method_string());
  out.target = std::string(request.target());
  out.peer = std::move(peer);
  std::string_view target = out.target;
  size_t question = target.find('?');
  out.path = url_decode(target.substr(0, question), false);
  std::string_view rest = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  while (!rest.empty()) {
    size_t end = std::min(rest.find('&'), rest.size());
    std::string_view pair = rest.substr(0, end);
    size_t equals = std::min(pair.find('='), pair.size());
    std::string_view value = equals < pair.size() ? pair.substr(equals + 1) : std::string_view();
    if (!pair.empty()) out.query[url_decode(pair.substr(0, equals), true)] = url_decode(value, true);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  for (const auto& field : request) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    out.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  out.body = std::move(request.body());
  return out;
}

http::response<http::string_body> response_of(HttpReply reply, unsigned version, bool keep_alive, bool head) {
  http::response<http::string_body> out;
  out.version(version);
  out.result(static_cast<unsigned>(reply.status));
  out.set(http::field::server, "lifeboat");
  out.set("X-Content-Type-Options", "nosniff");
  if (!reply.type.empty()) out.set(http::field::content_type, reply.type);
  for (const auto& [name, value] : reply.headers) out.set(name, value);
  out.keep_alive(keep_alive);
  size_t length = reply.body.size();
  if (!head) out.body() = std::move(reply.body);
  out.content_length(length);
  return out;
}

int status_of(const boost::system::error_code& problem) {
  if (problem == http::error::body_limit) return 413;
  if (problem == http::error::header_limit) return 431;
  return 400;
}

bool is_parse_error(const boost::system::error_code& problem) {
  return problem != http::error::end_of_stream && problem != http::error::partial_message &&
         &problem.category() == &http::make_error_code(http::error::bad_method).category();
}

struct Connection {
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  std::string peer;
  std::string name;   // of its task
  bool busy = false;  // between the first byte of a request and the last of its answer
};

}  // namespace

// Tasks of the scope own it, so that it is there for as long as any of them runs.
struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
  State(asio::any_io_executor on, Handler h, OnFailure f, HttpLimits l)
      : executor(on),
        handler(std::move(h)),
        on_failure(std::move(f)),
        limits(l),
        scope(on, [report = on_failure](std::string_view task, std::string_view what) {
          report(fmt::format("{}: {}", task, what));
        }) {}

  asio::any_io_executor executor;
  Handler handler;
  OnFailure on_failure;
  HttpLimits limits;
  std::map<std::string, SocketHandler> sockets;
  std::vector<std::shared_ptr<tcp::acceptor>> acceptors;
  std::vector<std::string> listeners;  // names of their tasks
  std::map<std::string, Connection*> connections;
  uint64_t next = 1;
  int bound = 0;
  bool stopping = false;
  Scope scope;

  static Task<> accept_loop(std::shared_ptr<State> state, std::shared_ptr<tcp::acceptor> acceptor);
  static Task<> serve(std::shared_ptr<State> state, std::shared_ptr<Connection> connection);
  void begin(tcp::socket socket);
  void stop_listening();
  Task<bool> serve_one(std::shared_ptr<Connection> connection, bool first);
  Task<bool> answer(std::shared_ptr<Connection> connection, HttpReply reply, unsigned version, bool keep_alive,
                    bool head);
  Task<HttpReply> handle(HttpIncoming incoming);
  Task<> upgrade(std::shared_ptr<Connection> connection, http::request<http::string_body> request, SocketHandler to);
};

Task<> HttpServer::State::accept_loop(std::shared_ptr<State> state, std::shared_ptr<tcp::acceptor> acceptor) {
  while (!state->stopping) {
    auto [problem, socket] = co_await acceptor->async_accept(asio::as_tuple(asio::use_awaitable));
    if (state->stopping) co_return;
    if (problem) {
      // Too many open files, most likely: those that are being served will make room.
      state->on_failure(fmt::format("accept a connection: {}", problem.message()));
      co_await sleep_for(Duration{50});
      continue;
    }
    // One too many: the socket closes, and the other side sees it at once.
    if (state->connections.size() < state->limits.connections) state->begin(std::move(socket));
  }
}

void HttpServer::State::stop_listening() {
  stopping = true;
  for (auto& acceptor : acceptors) {
    boost::system::error_code ignored;
    acceptor->close(ignored);
  }
  for (const std::string& name : listeners) scope.cancel(name);
}

void HttpServer::State::begin(tcp::socket socket) {
  boost::system::error_code problem;
  auto end = socket.remote_endpoint(problem);
  if (problem) return;  // gone again already
  set_tcp_options(socket.native_handle());
  auto connection = std::make_shared<Connection>(beast::tcp_stream(std::move(socket)),
                                                 beast::flat_buffer(limits.largest_headers + 64 * 1024));
  connection->peer = end.address().to_string();
  connection->name = fmt::format("connection {} from {}", next++, connection->peer);
  connections[connection->name] = connection.get();
  scope.spawn(connection->name, serve(shared_from_this(), connection));
}

Task<> HttpServer::State::serve(std::shared_ptr<State> state, std::shared_ptr<Connection> connection) {
  struct Listed {
    std::shared_ptr<State> state;
    std::string name;
    ~Listed() { state->connections.erase(name); }
  } listed{state, connection->name};
  bool first = true;
  while (!state->stopping) {
    bool again = co_await state->serve_one(connection, first);
    if (!again) break;
    first = false;
  }
  boost::system::error_code ignored;  // the other side may have closed first
  connection->stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
  connection->stream.close();
}

// One request and its answer. False: the connection ends.
Task<bool> HttpServer::State::serve_one(std::shared_ptr<Connection> connection, bool first) {
  auto& stream = connection->stream;
  connection->busy = false;
  if (connection->buffer.size() == 0) {
    stream.expires_after(first ? limits.request : limits.idle);
    auto space = connection->buffer.prepare(4096);
    auto [problem, bytes] = co_await stream.async_read_some(space, asio::as_tuple(asio::use_awaitable));
    if (problem || stopping) co_return false;
    connection->buffer.commit(bytes);
  }
  connection->busy = true;
  stream.expires_after(limits.request);
  http::request_parser<http::string_body> parser;
  parser.header_limit(static_cast<uint32_t>(limits.largest_headers));
  parser.body_limit(limits.largest_body);
  auto [problem, header_bytes] =
      co_await http::async_read_header(stream, connection->buffer, parser, asio::as_tuple(asio::use_awaitable));
  if (!problem && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    bool sent = co_await answer(connection, HttpReply{100, "", "", {}}, 11, true, true);
    if (!sent) co_return false;
  }
  if (!problem && !parser.is_done()) {
    auto [body_problem, body_bytes] =
        co_await http::async_read(stream, connection->buffer, parser, asio::as_tuple(asio::use_awaitable));
    problem = body_problem;
  }
  if (problem) {
    if (is_parse_error(problem))
      co_await answer(connection, json_reply(status_of(problem), R"({"error":"the request cannot be read"})"), 11,
                      false, false);
    co_return false;
  }
  auto request = parser.release();
  if (beast::websocket::is_upgrade(request)) {
    auto incoming = incoming_of(request, connection->peer);
    auto found = sockets.find(incoming.path);
    if (found != sockets.end()) {
      co_await upgrade(connection, std::move(request), found->second);
      co_return false;
    }
  }
  bool keep_alive = request.keep_alive(), head = request.method() == http::verb::head;
  unsigned version = request.version();
  stream.expires_never();
  HttpIncoming incoming = incoming_of(request, connection->peer);
  HttpReply reply = co_await handle(std::move(incoming));
  keep_alive = keep_alive && !stopping;
  bool sent = co_await answer(connection, std::move(reply), version, keep_alive, head);
  co_return sent&& keep_alive;
}

Task<bool> HttpServer::State::answer(std::shared_ptr<Connection> connection, HttpReply reply, unsigned version,
                                     bool keep_alive, bool head) {
  auto response = response_of(std::move(reply), version, keep_alive, head);
  if (response.result_int() < 200) response.erase(http::field::content_length);
  http::response_serializer<http::string_body> serializer(response);
  connection->stream.expires_after(limits.reply);
  if (head) {
    auto [problem, bytes] =
        co_await http::async_write_header(connection->stream, serializer, asio::as_tuple(asio::use_awaitable));
    co_return !problem;
  }
  auto [problem, bytes] =
      co_await http::async_write(connection->stream, serializer, asio::as_tuple(asio::use_awaitable));
  co_return !problem;
}

Task<HttpReply> HttpServer::State::handle(HttpIncoming incoming) {
  std::string what = fmt::format("{} {}", incoming.method, incoming.path);
  std::string problem;
  try {
    co_return co_await handler(std::move(incoming));
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    problem = error.what();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  on_failure(fmt::format("{}: {}", Decoder::printable(what), problem));
  co_return json_reply(500, R"({"error":"a defect of Lifeboat; its log says more"})");
}

Task<> HttpServer::State::upgrade(std::shared_ptr<Connection> connection, http::request<http::string_body> request,
                                  SocketHandler to) {
  HttpIncoming incoming = incoming_of(request, connection->peer);
  BeastSocket stream(std::move(connection->stream));
  prepare_websocket(stream);
  auto [problem] = co_await stream.async_accept(request, asio::as_tuple(asio::use_awaitable));
  if (problem) co_return;
  connection->busy = false;  // it may go on for days; a stop does not wait for it
  WebSocket socket = make_websocket(std::move(stream));
  co_await to(std::move(socket), std::move(incoming));
}

HttpServer::HttpServer(asio::any_io_executor executor, Handler handler, OnFailure on_failure, HttpLimits limits)
    : state_(std::make_shared<State>(std::move(executor), std::move(handler), std::move(on_failure), limits)) {}

HttpServer::~HttpServer() {
  state_->stop_listening();
  std::vector<std::string> left;
  for (auto& [name, connection] : state_->connections) left.push_back(name);
  for (const std::string& name : left) state_->scope.cancel(name);
}

void HttpServer::on_websocket(std::string path, SocketHandler handler) {
  state_->sockets[std::move(path)] = std::move(handler);
}

Result<void> HttpServer::listen(std::string address, int port) {
  auto failed = [&](const boost::system::error_code& problem) {
    bool taken = problem == asio::error::address_in_use;
    return fail(taken ? ErrorKind::conflict : ErrorKind::invalid_input,
                fmt::format("listen on {}:{}: {}", address, port, problem.message()),
                taken ? "another program has this port" : "");
  };
  boost::system::error_code problem;
  auto ip = asio::ip::make_address(address, problem);
  if (problem) return failed(problem);
  if (port < 0 || port > 65'535) return failed(make_error_code(boost::system::errc::invalid_argument));
  tcp::endpoint end(ip, static_cast<uint16_t>(port));
  auto acceptor = std::make_shared<tcp::acceptor>(state_->executor);
  if (acceptor->open(end.protocol(), problem); problem) return failed(problem);
  if (acceptor->set_option(tcp::acceptor::reuse_address(true), problem); problem) return failed(problem);
  if (acceptor->bind(end, problem); problem) return failed(problem);
  if (acceptor->listen(1024, problem); problem) return failed(problem);
  state_->bound = acceptor->local_endpoint().port();
  state_->acceptors.push_back(acceptor);
  state_->listeners.push_back(fmt::format("listen {}:{}", address, state_->bound));
  state_->scope.spawn(state_->listeners.back(), State::accept_loop(state_, acceptor));
  return {};
}

int HttpServer::port() const { return state_->bound; }

Task<> HttpServer::stop(Duration patience) {
  auto state = state_;
  Deadline deadline = Deadline::after(patience);
  state->stop_listening();
  std::vector<std::string> quiet;
  for (auto& [name, connection] : state->connections) {
    if (!connection->busy) quiet.push_back(name);
  }
  for (const std::string& name : quiet) state->scope.cancel(name);
  auto busy = [&] { return std::ranges::any_of(state->connections, [](auto& c) { return c.second->busy; }); };
  while (busy() && !deadline.passed()) co_await sleep_for(Duration{5});
  co_await state->scope.stop(Duration{1'000});
}

std::string HttpIncoming::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

HttpReply json_reply(int status, const std::string& body) { return {status, body, "application/json", {}}; }

}  // namespace lifeboat
