// A small HTTP/1.1 server with WebSocket upgrade, for the controller, the status page and sinks in tests. One
// connection is one coroutine on the given executor (single-threaded or a strand). What a stranger sends is bounded:
// size of
// headers and body, time for each request, number of connections. A handler that throws answers 500 and is reported.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/base/error.hpp"
#include "io/http_client.hpp"
#include "io/task.hpp"
#include "io/websocket.hpp"

namespace lifeboat {

struct HttpIncoming {
  std::string method;                        // "GET"
  std::string target;                        // as sent: "/api/runs?after=3"
  std::string path;                          // decoded: "/api/runs"
  std::map<std::string, std::string> query;  // decoded; the last of equal names counts
  HttpHeaders headers;                       // names in lower case
  std::string body;
  std::string peer;  // address of the other side, without its port
  // The value of the first header of that (lower case) name, or empty.
  std::string header(std::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string type = "application/json";
  HttpHeaders headers;  // others
};

struct HttpLimits {
  size_t largest_body = 256 * 1024;
  size_t largest_headers = 16 * 1024;
  size_t connections = 1024;
  Duration request{10'000};  // to receive one request whole
  Duration reply{30'000};    // to hand the answer to the network
  Duration idle{60'000};     // between two requests of a connection
};

class HttpServer {
 public:
  // Handlers own their parameters. A long poll is a handler that waits; it is cancelled when the server stops.
  using Handler = std::function<Task<HttpReply>(HttpIncoming)>;
  using SocketHandler = std::function<Task<>(WebSocket, HttpIncoming)>;
  using OnFailure = std::function<void(std::string_view what)>;

  HttpServer(asio::any_io_executor executor, Handler handler, OnFailure on_failure, HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Requests to upgrade on exactly this path become WebSockets for `handler`; others are answered by the Handler.
  void on_websocket(std::string path, SocketHandler handler);

  // Binds now, serves from now on. `address` is an IP address; port 0 takes a free one. Errors: `conflict` when the
  // port is
  // taken, `invalid_input` for an address that is none of this machine. May be called several times.
  Result<void> listen(std::string address, int port);
  // The port of the last listen().
  int port() const;

  // Stops listening, lets answers under way finish for at most `patience`, then closes everything.
  Task<> stop(Duration patience);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A JSON body with that status.
HttpReply json_reply(int status, const std::string& body);

}  // namespace lifeboat
