// Where a lab's messages end up: an HTTP server that accepts every POST and an SMTP server that accepts every mail, both
// writing one JSON object per message to a file. Runs until it is killed.
#pragma once

#include <string>

#include "core/base/error.hpp"

namespace lifeboat::lab {

struct SinkOptions {
  std::string http;  // address:port; empty: none
  std::string smtp;  // address:port; empty: none
  std::string out;   // JSON lines: {"at", "kind": "http" | "mail", "path" | "from" and "to", "body"}
};

// Returns only with an error.
Result<void> run_sink(const SinkOptions& options);

}  // namespace lifeboat::lab
