// The public status page: one page and one JSON document for everybody, updates for those who can sign them.
//
//   GET  /               the page
//   GET  /api/v1/status  the same as JSON
//   POST /api/v1/updates {id, state, title, text, drill}, signed: X-Lifeboat-Timestamp (Unix seconds, at most 5 minutes
//                        off) and X-Lifeboat-Signature: v1=hex HMAC-SHA256(key, timestamp "." body)
//
// An id is taken once; sent again it answers 200 and changes nothing. Without a key only updates from addresses of this
// machine are taken. An update is on disk before it is acknowledged.
#pragma once

#include <string>

#include "io/http_server.hpp"
#include "io/secrets.hpp"
#include "statuspage/board.hpp"

namespace lifeboat {

struct StatuspageOptions {
  std::string listen = "127.0.0.1";
  int port = 8090;
  std::string data_file;  // where updates are kept
  std::string secrets_folder;
  std::string key;  // name of the secret that signs updates; empty: only from this machine
  std::string title = "Status";
};

class Statuspage {
 public:
  Statuspage(StatuspageOptions options, statuspage::Board board);
  Task<HttpReply> handle(HttpIncoming incoming);

 private:
  StatuspageOptions options_;
  Secrets secrets_;
  statuspage::Board board_;

  Result<void> may_post(const HttpIncoming& incoming, WallTime now);
  HttpReply post(const HttpIncoming& incoming);
};

// Serves until SIGTERM or SIGINT, or until it is cancelled. The exit code: 0, or 1 when it could not start (said on
// standard error).
Task<int> run_statuspage(StatuspageOptions options);

}  // namespace lifeboat
