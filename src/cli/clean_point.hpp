// `lifeboat clean-point`: the last moment at which all checks of the data hold. `lifeboat pages`: pages that were changed by
// somebody else than the server, and the newest backup that has none.
#pragma once

#include <string>
#include <vector>

#include "cli/runs.hpp"

namespace CLI {
class App;
}

namespace lifeboat::cli {

struct CleanPointOptions {
  std::string service;
  std::string repository;  // pgBackRest's configuration file
  std::string stanza;
  int64_t repository_number = 0;
  std::string set;
  std::string checks;  // file
  std::string database = "postgres";
  bool indexes = false;
  bool pages = false;
  bool encrypted = false;
  std::string from;
  std::string to;
  std::string usual = "1h";
  std::vector<std::string> catalogs;
  std::string folder;  // for the copies
  std::string user = "postgres";
  std::string superuser = "postgres";
  std::string within = "12h";
};
int run_clean_point(const CleanPointOptions& options, const Output& output);

struct PagesOptions {
  std::string data;  // folder
  std::string repository;
  std::string stanza;
  std::string user = "postgres";
};
int run_pages(const PagesOptions& options, const Output& output);

void add_clean_point(CLI::App& app, int& exit_code);

}  // namespace lifeboat::cli
