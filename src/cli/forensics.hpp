// `lifeboat forensics`: which transactions stand out in the log, and where to restore to so that they never happened.
#pragma once

#include <string>
#include <vector>

#include "cli/runs.hpp"

namespace CLI {
class App;
}

namespace lifeboat::cli {

struct ForensicsOptions {
  std::string service;     // only named in what is printed
  std::string wal;         // folder with segments; or
  std::string repository;  // pgBackRest's configuration file
  std::string stanza;
  std::vector<std::string> catalogs;  // connections or data folders
  std::string from;
  std::string to;  // empty: now
  std::string usual = "1h";
  int64_t top = 20;
  std::string user = "postgres";
  std::string within = "2h";  // for all of it
};
int run_forensics(const ForensicsOptions& options, const Output& output);

void add_forensics(CLI::App& app, int& exit_code);

}  // namespace lifeboat::cli
