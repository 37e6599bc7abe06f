// `lifeboat lab …`: a plan's servers on this machine, faults in them, and their healing. Each function prints for people
// (progress only on a terminal) and gives the exit code.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lifeboat::cli {

struct LabUpOptions {
  std::string plan;
  std::string profile;        // may be empty
  bool detach = false;        // return when users are served; `lab down` ends it
  bool drill = false;         // the controller marks every message as a drill
  bool loopback = false;      // no namespaces even as root
  bool servers_only = false;  // no controller, agents and status page
  bool small_disks = false;
};
// Foreground: until Ctrl-C. 0 when it came up (and, in the foreground, was ended).
int run_lab_up(const LabUpOptions& options);

struct LabOptions {
  std::optional<int> lab;       // number; the only one when left out
  std::string format = "text";  // or json (status)
};
int run_lab_down(const LabOptions& options);
int run_lab_status(const LabOptions& options);
int run_lab_fault(const LabOptions& options, const std::string& fault, const std::string& target);
// Heals the fault of that name and target; all when empty.
int run_lab_heal(const LabOptions& options, const std::string& fault, const std::string& target);
// Runs a program in the lab's outside world, where users stand; replaces this process.
int run_lab_exec(const LabOptions& options, const std::vector<std::string>& argv);
// The same in the network of a database's host, in the background; prints where its output goes.
int run_lab_exec_beside(const LabOptions& options, const std::string& host, const std::vector<std::string>& argv);
// `lab sink`: takes webhooks and mail, for the lab itself.
int run_lab_sink(const std::string& http, const std::string& smtp, const std::string& out);

}  // namespace lifeboat::cli
