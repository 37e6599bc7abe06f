// Commands about writes that only an old primary had: show, export, replay --dry-run. None of them changes a database.
#pragma once

#include <string>

#include "cli/client.hpp"
#include "cli/runs.hpp"

namespace lifeboat::cli {

// All savings; with an id, its changes one by one.
int show_orphans(Client& client, const std::string& id, const Output& output);
// `as`: sql, json or log. Standard output when `file` is empty.
int export_orphans(Client& client, const std::string& id, const std::string& as, const std::string& file);
// What each change would meet if it were made again now.
int replay_orphans(Client& client, const std::string& id, const Output& output);

}  // namespace lifeboat::cli
