#include "agent/handicaps.hpp"

#include <fmt/format.h>

#include "agent/postgres_files.hpp"
#include "core/detection/neighbours.hpp"

namespace lifeboat {

std::string handicaps_sql(std::string_view replication_user) {
  return fmt::format(
      "SELECT 'the role ' || {0} || ' is missing: nobody can follow this server' AS handicap"
      " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {0})"
      " UNION ALL SELECT format('%s may not call %s: data cannot be rewound from this server, only copied anew', "
      "r.rolname, f)"
      " FROM pg_roles r, unnest(ARRAY['pg_ls_dir(text,boolean,boolean)', 'pg_stat_file(text,boolean)',"
      " 'pg_read_binary_file(text)', 'pg_read_binary_file(text,bigint,bigint,boolean)']) f"
      " WHERE r.rolname = {0} AND NOT has_function_privilege(r.oid, 'pg_catalog.' || f, 'EXECUTE')"
      " UNION ALL SELECT 'neither data checksums nor wal_log_hints are on: data can never be rewound, only copied anew'"
      " WHERE current_setting('data_checksums') = 'off' AND current_setting('wal_log_hints') = 'off'"
      " UNION ALL SELECT 'full_page_writes is off: data cannot be rewound' WHERE current_setting('full_page_writes') = "
      "'off'"
      " UNION ALL SELECT format('the logical slot %s is on this server alone: who reads from it starts anew after a "
      "failover',"
      " slot_name) FROM pg_replication_slots WHERE slot_type = 'logical' AND NOT temporary AND NOT pg_is_in_recovery()"
      " AND NOT starts_with(slot_name, {1})",
      sql_literal(std::string(replication_user)), sql_literal(decoding_slot_name("")));
}

std::vector<std::string> handicaps_in(const PgRows& rows) {
  std::vector<std::string> out;
  for (size_t row = 0; row < rows.rows.size(); ++row) out.push_back(rows.text(row, "handicap"));
  return out;
}

std::string neighbour_is_silent(const std::string& member, int64_t port) {
  return fmt::format(
      "{} has not answered over UDP {} for more than {} s: without it this primary does not outlive the loss of all "
      "controllers",
      member, port, detection::kSilentAfter / Duration{1'000});
}

std::string line_is_shut(const std::string& why) {
  return fmt::format(
      "{}: nothing of other members is heard, and a primary does not outlive the loss of all controllers", why);
}

}  // namespace lifeboat
