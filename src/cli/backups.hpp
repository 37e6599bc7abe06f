// `lifeboat backups`: what is there, and orders to the host that keeps it.
#pragma once

#include <string>

#include "cli/client.hpp"
#include "cli/runs.hpp"

namespace lifeboat::cli {

struct BackupOptions {
  std::string service;  // empty: the only one
  std::string type = "full";
  std::string by;
  std::string looked_at;  // with expire: the newest backup that somebody has looked at
};

int list_backups(Client& client, const BackupOptions& options, const Output& output);
// `verb`: take, verify or expire. Waits for its end; leaving does not stop it.
int order_backups(Client& client, const std::string& verb, const BackupOptions& options, const Output& output);
// A line or two of `lifeboat status`; nothing when `status` is null.
void print_backup_status(const std::string& service, const Json& status);
// The same of its logical backups.
void print_dump_status(const std::string& service, const Json& dumps);

}  // namespace lifeboat::cli
