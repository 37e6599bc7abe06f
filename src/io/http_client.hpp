// HTTP requests, by one thread with a curl multi handle: connections are kept and thousands of requests may be under
// way. Results come back on the executor of the coroutine that asked. Redirects are not followed, proxies of the
// environment not used, bodies above the cap are an error.
//
// Errors: `unreachable` (name, connection, TLS), `timed_out` (the deadline passed before the request was sent whole),
// `unknown_outcome` (sent, no whole answer came), `invalid_input` (address, header), `refused` (answer above the cap).
// Any answer with a status is a value, 500 too.
// A cancelled caller stops waiting at once; the request is dropped soon after. The caller's executor runs on one
// thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "io/task.hpp"

namespace lifeboat {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http:// or https://
  HttpHeaders headers;
  std::string body;
  std::string bearer;      // sent as Authorization: Bearer; never part of an error's text
  std::string connect_to;  // address[:port] connected to in place of the URL's; Host and SNI stay those of the URL
  bool fresh_connection = false;  // for probes: a new connection each time, closed afterwards
  bool verify_tls = true;
  std::string ca_file;  // trusted in place of the system's authorities
  size_t largest_body = 1024 * 1024;
  // Sending it twice does no harm, so a kept connection may be used for it though the method changes something.
  bool repeatable = false;
  // Takes the body in pieces as they come, which then is not in the response; false ends the request with an error. Called
  // on the client's thread, perhaps a moment longer than the caller waits: it owns what it uses.
  std::function<bool(std::string_view piece)> on_piece;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;
  Duration took{};
  // The value of the first header of that (lower case) name, or empty.
  std::string header(std::string_view name) const;
};

// One mail, for io/smtp.hpp, which checks and composes it.
struct MailTransfer {
  std::string url;
  std::string user;
  std::string password;
  bool require_tls = true;
  bool verify_tls = true;
  std::string ca_file;
  std::string from;             // bare address
  std::vector<std::string> to;  // bare addresses
  std::string message;          // RFC 5322, lines ended by CRLF
};

class HttpClient {
 public:
  HttpClient();
  // Ends the thread; requests under way end as cancelled.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  Task<Result<HttpResponse>> send(HttpRequest request, Deadline deadline);
  // The mail server's last reply code is the status. Use send_mail (io/smtp.hpp).
  Task<Result<HttpResponse>> transfer(MailTransfer mail, Deadline deadline);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// What a person may see of a URL: scheme and host, since path and query may hold a credential.
std::string url_for_people(std::string_view url);
// RFC 3986 percent encoding of everything but letters, digits and -._~
std::string percent_encode(std::string_view text);

}  // namespace lifeboat
