// `lifeboat restore`: straight from a repository on this host, without a controller and a plan; or by the controller, on the hosts of
// a service of the plan.
#pragma once

#include "cli/client.hpp"
#include "cli/runs.hpp"
#include "core/recovery/target.hpp"

namespace lifeboat::cli {

struct RestoreOptions {
  std::string service;     // of the plan; with a repository: what it is, for people
  std::string repository;  // pgBackRest's configuration file; empty: the controller is asked
  std::string stanza;
  int64_t repository_number = 0;
  recovery::TargetWords target;
  std::string into;
  std::string on;    // with `--into replace` and `adopt`: the member that takes the data
  std::string name;  // of the copy
  std::string by;
  bool yes = false;
  bool unchecked = false;  // with `--into replace` and `adopt`: its data are not looked at before
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
// Whether the controller can do all of it; an option that is for a restore on this host alone is an error that names it.
Result<> fits_an_order(const RestoreOptions& options);
// Orders it and follows it to its end.
int order_restore(Client& client, const RestoreOptions& options, const Output& output);
int list_restores(Client& client, const std::string& service, const Output& output);
// Ends a copy or what is being done for it, or a look; with no name all orders of the service.
int stop_restore(Client& client, const RestoreOptions& options, bool remove, const Output& output);
// A finished copy, which somebody has looked at, becomes the database.
int adopt_restore(Client& client, const RestoreOptions& options, const Output& output);

}  // namespace lifeboat::cli
