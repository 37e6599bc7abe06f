// A small HTTP/1.1 server for the example programs: one thread for each connection, GET and POST, bodies up to 64 KiB.
// It is an example's way to be a service, not more.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace example {

struct Request {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct Response {
  int status = 200;
  std::string body;
};

using Handler = std::function<Response(const Request&)>;

// Listens on address:port and serves until the process is told to end (SIGTERM). Gives the exit code.
int serve(const std::string& address, int port, const Handler& handler);

// The value of a variable of the environment, or `otherwise`.
std::string environment(const char* name, const std::string& otherwise = {});
// The value of a variable without which the program cannot work: ends it with a message when it is missing.
std::string required(const char* name);
// A text as a JSON string, quotes included.
std::string json_text(const std::string& text);
// The text member of a flat JSON object; empty when it is absent. Enough for bodies such as {"key":"a","user":"b"}.
std::string json_member(const std::string& body, const std::string& name);

}  // namespace example
