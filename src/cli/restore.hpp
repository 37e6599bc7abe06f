// `lifeboat restore`: a restore on this host, straight from a repository; needs no controller and no plan.
#pragma once

#include "cli/runs.hpp"
#include "core/recovery/target.hpp"

namespace lifeboat::cli {

struct RestoreOptions {
  std::string service;     // what it is, for people
  std::string repository;  // pgBackRest's configuration file
  std::string stanza;
  int64_t repository_number = 0;
  recovery::TargetWords target;
  std::string into;
  std::string set;
  uint64_t timeline = 0;
  bool promote = false;
  bool accept_gap = false;
  bool again = false;
  int processes = 2;
  std::string user = "postgres";
  std::string superuser = "postgres";
  std::string within = "1d";
};

int run_restore(const RestoreOptions& options, const Output& output);

}  // namespace lifeboat::cli
