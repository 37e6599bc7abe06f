#include "recovery/settings.hpp"

#include <fmt/format.h>

#include <charconv>

namespace lifeboat::recovery {
namespace {

int64_t setting_in(std::string_view text, std::string_view name, int64_t otherwise) {
  size_t at = text.find(name);
  if (at == text.npos) return otherwise;
  at = text.find_first_not_of(' ', at + name.size());
  int64_t value = otherwise;
  if (at != text.npos) std::from_chars(text.data() + at, text.data() + text.size(), value);
  return value;
}

class Lines {
 public:
  void set(std::string_view name, std::string_view value) {
    text += fmt::format("{} = '", name);
    for (char c : value) {
      if (c == '\'') text += '\'';
      text += c;
    }
    text += "'\n";
  }
  void set(std::string_view name, int64_t value) { set(name, std::to_string(value)); }
  std::string text;
};

// Nothing goes out and nothing comes in.
void cut_off(Lines& out) {
  out.set("archive_mode", "off");
  out.set("archive_command", "");
  out.set("restore_command", "");
  out.set("primary_conninfo", "");
  out.set("primary_slot_name", "");
  out.set("listen_addresses", "");
  out.set("ssl", "off");
  out.set("synchronous_standby_names", "");
  out.set("archive_cleanup_command", "");
  out.set("recovery_end_command", "");
  // Jobs, subscriptions and libraries may write or reach out by themselves.
  out.set("shared_preload_libraries", "");
  out.set("session_preload_libraries", "");
  out.set("local_preload_libraries", "");
  out.set("max_logical_replication_workers", 0);
}

}  // namespace

ServerLimits parse_limits(std::string_view text) {
  ServerLimits out;
  out.connections = setting_in(text, "max_connections setting:", out.connections);
  out.worker_processes = setting_in(text, "max_worker_processes setting:", out.worker_processes);
  out.wal_senders = setting_in(text, "max_wal_senders setting:", out.wal_senders);
  out.prepared_transactions = setting_in(text, "max_prepared_xacts setting:", out.prepared_transactions);
  out.locks_per_transaction = setting_in(text, "max_locks_per_xact setting:", out.locks_per_transaction);
  return out;
}

std::string server_settings(const RestoreFolder& folder, const RecoveryTarget& target, const ServerLimits& limits,
                            uint64_t timeline, uint64_t shared_buffers_mb, bool for_replay) {
  Lines out;
  out.text = "# Written by `lifeboat restore` for the restored server; the source's settings are not read.\n";
  cut_off(out);
  out.set("unix_socket_directories", folder.socket());
  out.set("unix_socket_permissions", "0700");
  out.set("port", kPort);
  out.set("hba_file", folder.access());
  out.set("cluster_name", "restored");
  out.set("max_connections", limits.connections);
  out.set("max_worker_processes", limits.worker_processes);
  out.set("max_wal_senders", limits.wal_senders);
  out.set("max_prepared_transactions", limits.prepared_transactions);
  out.set("max_locks_per_transaction", limits.locks_per_transaction);
  out.set("hot_standby", "on");
  out.set("logging_collector", "off");
  out.set("log_destination", "stderr");
  out.set("log_line_prefix", "%m [%p] ");
  out.set("log_timezone", "UTC");
  out.set("timezone", "UTC");
  out.set("lc_messages", "C");
  // With `latest` a history file that was left there by mistake would lead away; the number is decided before.
  out.set("recovery_target_timeline", std::to_string(timeline));
  out.set("recovery_target_action", "pause");
  out.set("recovery_min_apply_delay", "0");
  for (const auto& [name, value] : target_settings(target)) out.set(name, value);
  out.set("shared_buffers", fmt::format("{}MB", shared_buffers_mb));
  if (!for_replay) return out.text;
  out.text += "# Only while the copy is worth nothing anyway:\n";
  out.set("fsync", "off");
  out.set("autovacuum", "off");
  out.set("jit", "off");
  // Log appears in the data folder by itself; a standby looks for it that often.
  out.set("wal_retrieve_retry_interval", "20ms");
  out.set("checkpoint_timeout", "1d");
  out.set("max_wal_size", "16GB");
  out.set("wal_recycle", "off");
  return out.text;
}

std::string guard_settings() {
  Lines out;
  out.text = "# Written by `lifeboat restore`; what stood here is in postgresql.auto.conf.of-source\n";
  cut_off(out);
  return out.text;
}

std::string access_rules() {
  return "# Written by `lifeboat restore`. The folder of the socket lets only the server's own user and root in.\n"
         "local all all trust\n";
}

}  // namespace lifeboat::recovery
