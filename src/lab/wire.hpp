// The few things the lab says over TCP and UDP itself: connect within a bound, a Redis command, an HTTP request to the
// controller or as a user, a DNS question. Small and blocking on purpose; the product's own clients are in io/.
#pragma once

#include <string>
#include <vector>

#include "lab/system.hpp"

namespace lifeboat::lab {

// A connected socket.
Result<Fd> connect_tcp(const std::string& address, int port, int64_t deadline_ns);
// A listening socket on "address:port".
Result<Fd> listen_tcp(const std::string& at);
// Splits "address:port"; port 0 when it has none.
std::pair<std::string, int> split_address(const std::string& at);

// One connection to a Redis server, authenticated when there is a password.
class Redis {
 public:
  static Result<Redis> connect(const std::string& address, int port, const std::string& password, int64_t deadline_ns);
  // The reply as text; lists are joined by newlines. An error reply is an Error.
  Result<std::string> command(const std::vector<std::string>& words);

 private:
  Result<std::string> line();
  Result<std::string> reply();
  Fd fd_;
  std::string buffer_;
  int64_t deadline_ns_ = 0;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
};
struct HttpRequest {
  std::string method = "GET";
  std::string address;
  int port = 80;
  std::string host;  // Host header; the address when empty
  std::string path = "/";
  std::string token;  // sent as bearer token when not empty
  std::string body;
};
Result<HttpAnswer> http(const HttpRequest& request, Duration within);

// The first IPv4 address of `name`, asked of one server over UDP.
Result<std::string> dns_address(const std::string& server, int port, const std::string& name, Duration within);

}  // namespace lifeboat::lab
