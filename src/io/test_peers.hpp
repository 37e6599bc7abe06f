// For tests: the other side of a connection, doing exactly what a test wants, also things no real server does.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <functional>
#include <memory>
#include <string>

#include "io/task.hpp"

namespace lifeboat {

using asio::ip::tcp;

// A server that does to each connection what the test says, and reads or writes nothing by itself.
class RawServer {
 public:
  using Behaviour = std::function<Task<>(tcp::socket&)>;
  RawServer(asio::io_context& context, Behaviour behaviour) : state_(std::make_shared<State>(context)) {
    state_->scope.spawn("serve", serve(state_, std::move(behaviour)));
  }
  ~RawServer() { state_->acceptor.close(); }
  int port() const { return state_->acceptor.local_endpoint().port(); }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/", port()); }
  int connections() const { return state_->connections; }

 private:
  struct State {
    explicit State(asio::io_context& context)
        : acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
          scope(context.get_executor(), [](std::string_view, std::string_view) {}) {}
    tcp::acceptor acceptor;
    Scope scope;
    int connections = 0;
  };
  static Task<> serve(std::shared_ptr<State> state, Behaviour behaviour) {
    while (true) {
      tcp::socket socket = co_await state->acceptor.async_accept(asio::use_awaitable);
      ++state->connections;
      state->scope.spawn("one", one(std::move(socket), behaviour));
    }
  }
  static Task<> one(tcp::socket socket, Behaviour behaviour) { co_await behaviour(socket); }
  std::shared_ptr<State> state_;
};

inline Task<std::string> read_request(tcp::socket& socket) {
  std::string text;
  while (text.find("\r\n\r\n") == std::string::npos) {
    char piece[4096];
    auto [problem, bytes] = co_await socket.async_read_some(asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
    if (problem) break;
    text.append(piece, bytes);
  }
  co_return text;
}

inline Task<> say(tcp::socket& socket, std::string text) {
  co_await asio::async_write(socket, asio::buffer(text), asio::as_tuple(asio::use_awaitable));
}

// As much of SMTP as a sender needs; what it was told stands in `heard`.
inline Task<> smtp_session(tcp::socket& socket, std::string* heard, std::string final_answer) {
  co_await say(socket, "220 test ESMTP\r\n");
  std::string buffer;
  bool data = false;
  while (true) {
    size_t end = buffer.find("\r\n");
    if (end == std::string::npos) {
      char piece[4096];
      auto [problem, bytes] = co_await socket.async_read_some(asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
      if (problem) co_return;
      buffer.append(piece, bytes);
      continue;
    }
    std::string line = buffer.substr(0, end);
    buffer.erase(0, end + 2);
    *heard += line + "\n";
    if (data) {
      if (line != ".") continue;
      data = false;
      if (final_answer.empty()) co_return;
      co_await say(socket, final_answer + "\r\n");
    } else if (line == "DATA") {
      data = true;
      co_await say(socket, "354 go on\r\n");
    } else {
      co_await say(socket, line.starts_with("QUIT") ? "221 bye\r\n" : "250 fine\r\n");
    }
  }
}

}  // namespace lifeboat
