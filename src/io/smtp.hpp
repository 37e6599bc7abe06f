// Mail by SMTP (libcurl). What is accepted by the server is accepted, not read by a person.
#pragma once

#include <string>
#include <vector>

#include "io/http_client.hpp"

namespace lifeboat {

struct Mail {
  std::string host;  // address or name of the mail server
  int port = 25;
  bool tls = true;  // 465: TLS from the start; any other port: STARTTLS, required
  bool verify_tls = true;
  std::string ca_file;
  std::string user;
  std::string password;
  std::string from;
  std::vector<std::string> to;
  std::string subject;     // UTF-8
  std::string body;        // UTF-8, lines ended by \n
  std::string message_id;  // "R-3.tell.mail@lifeboat"; the same for a retry, so that readers see one mail
  HttpHeaders headers;     // others, such as X-Lifeboat-Drill
};

// `refused` when the server answered 5xx, `unknown_outcome` when the mail was sent and no answer came, `unreachable`
// otherwise or for 4xx (it may be tried again), `invalid_input` for a line break or control character in a header or
// address.
Task<Result<void>> send_mail(HttpClient& client, Mail mail, Deadline deadline);

// The message as it is sent, or why it cannot be.
Result<std::string> compose(const Mail& mail, WallTime at);

}  // namespace lifeboat
