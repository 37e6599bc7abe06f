// `lifeboat dump`, `dumps` and `restore-dump`: logical backups in a folder or bucket, without a controller.
#pragma once

#include <CLI/CLI.hpp>

namespace lifeboat::cli {

void add_logical_commands(CLI::App& app, int& exit_code);

}  // namespace lifeboat::cli
