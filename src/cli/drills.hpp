// `lifeboat drills`: the plan's calendar of drills, and telling it of one that was held elsewhere.
#pragma once

#include <string>

#include "cli/client.hpp"
#include "cli/runs.hpp"

namespace CLI {
class App;
}

namespace lifeboat::cli {

struct DrillDoneOptions {
  std::string name;
  std::string by;
  std::string at;
  std::string text;
  std::string report;  // file
};

// Exit code 1 while one is overdue.
int list_drills(Client& client, const Output& output);
// Exit code 1 when what is told did not pass.
int tell_drill_done(Client& client, const DrillDoneOptions& options, const Output& output);
// Some lines of `lifeboat status`: those that are to be held now. Nothing when there are none.
void print_due_drills(const Json& status);

void add_drills(CLI::App& app, ClientOptions& client, const std::string& by, int& exit_code);

}  // namespace lifeboat::cli
