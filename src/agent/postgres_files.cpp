#include "agent/postgres_files.hpp"

#include <fmt/format.h>

namespace lifeboat {
namespace {

// A value in postgresql.conf or in connection info: quotes doubled or escaped.
std::string conf_value(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string info_value(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string pass_field(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

ServerPaths server_paths(const std::string& folder, const wire::ServerConfig& config) {
  ServerPaths paths;
  paths.folder = folder;
  paths.data = config.data_dir.empty() ? folder + "/data" : config.data_dir;
  paths.socket = folder + "/socket";
  paths.passfile = folder + "/pgpass";
  paths.log = folder + "/server.log";
  paths.archive_settings = folder + "/archive.conf";
  return paths;
}

std::string restores_folder(const std::string& agent_folder, const std::string& data_dir) {
  return data_dir.empty() ? agent_folder + "/restores" : data_dir + ".restores";
}

std::string sql_literal(std::string_view text) {
  bool escapes = text.find('\\') != std::string_view::npos;
  std::string out = escapes ? "E'" : "'";
  for (char c : text) {
    if (c == '\'' || (escapes && c == '\\')) out += c;
    out += c;
  }
  return out + "'";
}

std::string sql_name(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string slot_name(const std::string& member) {
  std::string out = member;
  for (char& c : out) {
    if (c == '-') c = '_';
  }
  return out;
}

std::string decoding_slot_name(std::string_view database_oid) {
  return std::string(kDecodingSlots) + std::string(database_oid);
}

std::vector<std::string> isolated_settings(const std::string& folder, const std::string& access_file) {
  return {"listen_addresses=", "unix_socket_directories=" + folder, "hba_file=" + access_file, "ssl=off",
          "archive_mode=off", "synchronous_standby_names=", "default_transaction_read_only=on",
          // Jobs, subscriptions and libraries may write or reach out by themselves.
          "shared_preload_libraries=", "session_preload_libraries=", "local_preload_libraries=",
          // Nothing of the log is cleared away: a rewind needs what lies before the fork.
          "wal_keep_size=1000000", "max_slot_wal_keep_size=-1", "max_logical_replication_workers=0", "autovacuum=off",
          "max_wal_senders=0", "logging_collector=off", "log_destination=stderr"};
}

std::string connection_info(const wire::ServerConfig& config, const std::string& member, const ServerPaths& paths) {
  const wire::Peer* peer = config.members.find(member);
  if (peer == nullptr) return {};
  return fmt::format("host={} port={} user={} passfile={} application_name={} connect_timeout=3 gssencmode=disable",
                     info_value(peer->address), peer->port, info_value(config.replication_user),
                     info_value(paths.passfile), info_value(config.member));
}

std::string settings_text(const wire::ServerConfig& config, const ServerPaths& paths, const std::string& upstream,
                          const SyncSet& sync) {
  std::string out =
      "# Written by the Lifeboat agent; changes here are overwritten. Put your own into postgresql.conf.\n";
  auto set = [&](std::string_view name, std::string_view value) {
    out += fmt::format("{} = {}\n", name, conf_value(value));
  };
  // A server that is started by hand has no right to write, and is reached by nobody.
  set("listen_addresses", "");
  set("port", std::to_string(config.port));
  set("unix_socket_directories", paths.socket);
  set("cluster_name", config.member);
  set("wal_level", "logical");
  set("hot_standby", "on");
  set("wal_log_hints", "on");
  set("full_page_writes", "on");
  set("max_wal_senders", "20");
  set("max_replication_slots", "20");
  set("wal_keep_size", "256MB");
  set("max_slot_wal_keep_size", "2GB");
  // With the default of 5 s a promotion may sleep through it (seen on 15: 5.05 s in 3 of 13 promotions).
  set("wal_retrieve_retry_interval", "50ms");
  set("wal_receiver_timeout", "5s");
  set("wal_sender_timeout", "5s");
  set("wal_receiver_status_interval", "1s");
  set("recovery_target_timeline", "latest");
  // Silent clients of a dead region must not hold connections for hours.
  set("tcp_keepalives_idle", "5");
  set("tcp_keepalives_interval", "2");
  set("tcp_keepalives_count", "3");
  set("logging_collector", "off");
  set("log_line_prefix", "%m [%p] ");
  // In its log the agent looks for waits that were cut short.
  set("lc_messages", "C");
  if (!config.archive.stanza.empty()) out += fmt::format("include_if_exists {}\n", conf_value(paths.archive_settings));
  // A standby has it from its start on: the processes that wait look first at whether there is anything to wait for at all, and
  // a promoted server would acknowledge its first commits before it has read new settings. Without it, it is left to the
  // server's own settings.
  if (config.sync.copies > 0) set("synchronous_standby_names", sync_setting(sync.copies > 0 ? sync : config.sync));
  if (!upstream.empty()) {
    set("primary_conninfo", connection_info(config, upstream, paths));
    set("primary_slot_name", slot_name(config.member));
  } else {
    set("primary_conninfo", "");
    set("primary_slot_name", "");
  }
  return out;
}

std::string access_text(const wire::ServerConfig& config) {
  return fmt::format(
      "# Written by the Lifeboat agent. The socket lies in a folder that only the server's own user may enter.\n"
      "local all postgres trust\n"
      "local all all scram-sha-256\n"
      "host replication {} all scram-sha-256\n"
      "host all all all scram-sha-256\n",
      sql_name(config.replication_user));
}

std::string passfile_text(const wire::ServerConfig& config) {
  std::string out;
  for (const auto& [name, peer] : config.members) {
    out += fmt::format("{}:{}:*:{}:{}\n", pass_field(peer.address), peer.port, pass_field(config.replication_user),
                       pass_field(config.replication_password));
  }
  return out;
}

std::string replication_role_sql(const wire::ServerConfig& config) {
  std::string role = sql_name(config.replication_user);
  return fmt::format(
      "CREATE ROLE {0} WITH REPLICATION LOGIN PASSWORD {1};"
      "GRANT pg_checkpoint, pg_monitor TO {0};"
      "GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),"
      " pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO {0};",
      role, sql_literal(config.replication_password));
}

}  // namespace lifeboat
