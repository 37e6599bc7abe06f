// The texts of a server's own files: settings, access rules, connection info. Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/protocol.hpp"

namespace lifeboat {

struct ServerPaths {
  std::string folder;    // of this service below the agent's folder; mode 0700, the server's user owns it
  std::string data;      // the data directory
  std::string socket;    // folder of the Unix socket
  std::string passfile;  // passwords for replication
  std::string log;
  std::string archive_settings;  // included by lifeboat.conf; beside the data, so that no copy of them archives by it
};
// Where restored copies of its database are kept on this host: on the disk of its data, so that one can take their place.
std::string restores_folder(const std::string& agent_folder, const std::string& data_dir);
// What a data directory that was set aside is named; `what` says for whose sake.
inline constexpr std::string_view kKeptAside = ".kept-";

// Where everything of a service's server is, below `folder`.
ServerPaths server_paths(const std::string& folder, const wire::ServerConfig& config);

// lifeboat.conf, included at the end of postgresql.conf, so that it wins. `upstream` empty: no standby settings.
std::string settings_text(const wire::ServerConfig& config, const ServerPaths& paths, const std::string& upstream,
                          const SyncSet& sync = {});
// Settings that cut a server off from everybody and everything but its socket in `folder`: for reading what it holds.
std::vector<std::string> isolated_settings(const std::string& folder, const std::string& access_file);
// pg_hba.conf: the superuser over the socket only, everybody else with a password.
std::string access_text(const wire::ServerConfig& config);
// .pgpass for all members.
std::string passfile_text(const wire::ServerConfig& config);
// key='value' pairs for tools that connect to a member as the replication user.
std::string connection_info(const wire::ServerConfig& config, const std::string& member, const ServerPaths& paths);
// The name of a member's replication slot: '-' is not allowed there.
std::string slot_name(const std::string& member);
// The name of the slot that keeps a database's changes for being given back.
std::string decoding_slot_name(std::string_view database_oid);
inline constexpr std::string_view kDecodingSlots = "lifeboat_orphans_";
// SQL that creates the replication role with what pg_rewind needs (pg_rewind(1), "Notes"). The password stands in it: never log it.
std::string replication_role_sql(const wire::ServerConfig& config);
// An SQL literal and a libpq value, quoted.
std::string sql_literal(std::string_view text);
std::string sql_name(std::string_view text);

}  // namespace lifeboat
