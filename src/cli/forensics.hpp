// `lifeboat forensics`: which transactions stand out in the log, and where to restore to so that they never happened. Of a service of
// the plan, by the controller; or of a folder or repository on this host.
#pragma once

#include <string>
#include <vector>

#include "cli/service_orders.hpp"

namespace lifeboat::cli {

struct ForensicsOptions {
  ServiceOrder order;      // `service`: of the plan; with a folder or repository what it is called
  std::string wal;         // folder with segments; or
  std::string repository;  // pgBackRest's configuration file; neither: the controller is asked
  std::string stanza;
  std::vector<std::string> catalogs;  // connections or data folders
  std::string from;                   // empty: the hour before `to`
  std::string to;                     // empty: now
  std::string usual = "1h";
  int64_t top = 20;
  std::string user = "postgres";
  std::string within = "2h";  // for all of it
};
int run_forensics(const ForensicsOptions& options, const Output& output);
// Orders it and follows it to its end.
int order_forensics(Client& client, const ForensicsOptions& options, const Output& output);

void add_forensics(CLI::App& app, ClientOptions& client, const std::string& by, int& exit_code);

}  // namespace lifeboat::cli
