// `lifeboat dump`, `dumps` and `restore-dump`: logical backups in a folder or bucket, without a controller.
#pragma once

#include <CLI/CLI.hpp>

#include <span>

namespace lifeboat::cli {

// `restore --backup-date` is how a written plan asks for `restore-dump`, and is the same command: its options are all different from
// those of a restore from a repository.
bool means_logical_backup(std::span<char* const> argv);
void add_logical_commands(CLI::App& app, int& exit_code);

}  // namespace lifeboat::cli
