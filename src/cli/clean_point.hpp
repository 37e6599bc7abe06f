// `lifeboat clean-point`: the last moment at which all checks of the data hold, of a service of the plan by the controller, or from a
// repository on this host. `lifeboat pages`: pages that were changed by somebody else than the server, and the newest backup that has
// none.
#pragma once

#include <string>
#include <vector>

#include "cli/service_orders.hpp"

namespace lifeboat::cli {

struct CleanPointOptions {
  ServiceOrder order;      // `service`: of the plan; with a repository what it is called
  std::string repository;  // pgBackRest's configuration file; empty: the controller is asked
  std::string stanza;
  int64_t repository_number = 0;
  std::string set;
  std::string checks;    // file
  std::string database;  // empty: the service's of the plan, or the only one of users
  bool indexes = false;
  bool pages = false;
  bool encrypted = false;
  std::string from;  // empty: the day before `to`
  std::string to;    // empty: now
  std::string usual = "1h";
  std::vector<std::string> catalogs;
  std::string folder;  // for the copies
  std::string user = "postgres";
  std::string superuser = "postgres";
  std::string within = "12h";
};
int run_clean_point(const CleanPointOptions& options, const Output& output);
// Orders it and follows it to its end.
int order_clean_point(Client& client, const CleanPointOptions& options, const Output& output);

struct PagesOptions {
  std::string data;  // folder
  std::string repository;
  std::string stanza;
  std::string user = "postgres";
};
int run_pages(const PagesOptions& options, const Output& output);

void add_clean_point(CLI::App& app, ClientOptions& client, const std::string& by, int& exit_code);

}  // namespace lifeboat::cli
