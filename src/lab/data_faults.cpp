#include "lab/data_faults.hpp"

#include <fmt/format.h>

#include "core/base/split.hpp"
#include "lab/fault_targets.hpp"
#include "lab/server_sql.hpp"

namespace lifeboat::lab {

namespace {

constexpr Duration kWithin{30'000};

// "app.orders" in quotes where SQL needs them, or the largest one when nobody named any. What measures is no user's table.
std::string table_sql(const std::string& wanted) {
  if (!wanted.empty()) {
    std::string text;
    for (char c : wanted) text += c == '\'' ? "''" : std::string(1, c);
    return fmt::format("SELECT '{}'::regclass", text);
  }
  return "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND "
         "nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(relname, 'lifeboat') AND NOT EXISTS "
         "(SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = c.oid AND conrelid <> c.oid) ORDER BY "
         "pg_table_size(c.oid) DESC, relname LIMIT 1";
}

}  // namespace

Result<std::string> table_to_hit(pid_t postmaster, const std::string& database, const std::string& wanted) {
  TRY(std::string found, run_sql(postmaster, database, table_sql(wanted), kWithin));
  std::vector<std::string> tables = lines_of(found);
  if (!tables.empty()) return tables.front();
  return fail(ErrorKind::not_found, database + " has no table that this could hit", "name one by --target");
}

Result<HitTable> find_table_to_hit(const LabWorld& world, const std::string& target) {
  TRY(Server server, which_server(world, {}));
  HitTable out{.service = server.service, .member = server.member, .host = server.host};
  TRY(out.postmaster, postmaster_of(world, server.service, server.member));
  out.database = service_as<PostgresService>(world.plan, server.service)->database;
  TRY(out.table, table_to_hit(out.postmaster, out.database, target));
  return out;
}

Result<FaultDone> hit(const HitTable& what, const std::string& deed) {
  FaultDone done{.at_ns = boot_ns(), .target = what.table};
  std::string sql = fmt::format(
      "BEGIN;\nSELECT count(*) FROM {0};\n{1};\nSELECT pg_current_xact_id();\nSELECT clock_timestamp();\nCOMMIT;\n",
      what.table, fmt::format(fmt::runtime(deed), what.table));
  TRY(std::string said, run_sql(what.postmaster, what.database, sql, kWithin));
  std::vector<std::string> rows = lines_of(said);
  if (rows.size() != 3) return fail(ErrorKind::internal, "the server printed what was not expected: " + said);
  done.detail = JsonObject{{"service", what.service},
                           {"table", what.table},
                           {"rows", std::atoll(rows[0].c_str())},
                           {"xid", std::atoll(rows[1].c_str())},
                           {"at", rows[2]}};
  return done;
}

Result<FaultDone> put_drop_table(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(HitTable what, find_table_to_hit(world, target));
  return hit(what, "DROP TABLE {}");
}

Result<FaultDone> put_mass_delete(LabWorld& world, const std::string& target, ActiveFault&) {
  TRY(HitTable what, find_table_to_hit(world, target));
  return hit(what, "DELETE FROM {}");
}

}  // namespace lifeboat::lab
