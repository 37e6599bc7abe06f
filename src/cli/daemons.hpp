// Subcommands that run something for long: controller, agent, witness, status page, lab, drill.
#pragma once

namespace CLI {
class App;
}

namespace lifeboat::cli {

void add_daemons(CLI::App& app, int& exit_code);

}  // namespace lifeboat::cli
