// HAProxy's runtime API over TCP: one connection per command, the answer ends with the connection. A command that sets
// something answers with nothing when it worked and with a sentence when it did not; there is no status code, so every
// setter here also reads back what it set.
//
// The port has no authentication of its own: it must be reachable only from where Lifeboat runs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/task.hpp"

namespace lifeboat {

// One server of one backend: state from `show servers state`, counters from `show stat`.
struct HaproxyServer {
  std::string backend;
  std::string name;
  std::string status;    // "UP", "DOWN", "UP 1/3", "no check", "MAINT", "DRAIN" …
  bool up = false;       // would take traffic if its weight is not 0: checks say so and it is not in maintenance
  bool drained = false;  // by an operator (or by Lifeboat)
  bool maintenance = false;
  int weight = 0;          // 0 to 256, as set now
  int initial_weight = 0;  // as configured
  int64_t sessions = 0;    // now (scur)
  int64_t responses = 0;   // HTTP responses since the start of HAProxy
  int64_t responses_5xx = 0;
  int64_t failed_connections = 0;  // attempts to connect that failed, and answers that broke off (econ + eresp)
  // Mean over the last 1024 requests, from the queue to the response's headers. HAProxy keeps no percentiles.
  int64_t mean_ms = 0;
};

// Pure parts, for tests: columns are found by their names, which differ between versions in number and order.
Result<std::vector<HaproxyServer>> parse_haproxy_servers(std::string_view servers_state, std::string_view stat_csv);

class Haproxy {
 public:
  Haproxy(std::string address, int runtime_port) : address_(std::move(address)), port_(runtime_port) {}

  // One line, as is; several commands may be joined by ';'. `unknown_outcome` when it was sent and no answer came.
  Task<Result<std::string>> ask(std::string line, Deadline deadline);

  // The servers of a backend, in the order of HAProxy. `not_found` when there is no such backend.
  Task<Result<std::vector<HaproxyServer>>> servers(std::string backend, Deadline deadline);

  struct Weight {
    std::string server;
    int weight = 0;
  };
  // Sets absolute weights in one go and verifies them. `refused` with HAProxy's own words when it declines.
  Task<Result<void>> set_weights(std::string backend, std::vector<Weight> weights, Deadline deadline);

  // `state`: ready, drain or maint. Verified.
  Task<Result<void>> set_state(std::string backend, std::string server, std::string state, Deadline deadline);
  // Ends what is still connected to a server.
  Task<Result<void>> shutdown_sessions(std::string backend, std::string server, Deadline deadline);

  std::string where() const;

 private:
  Task<Result<void>> tell(std::string line, std::string what, Deadline deadline);

  std::string address_;
  int port_;
};

}  // namespace lifeboat
