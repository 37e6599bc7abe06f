#include "lab/data_faults.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/split.hpp"
#include "lab/fault_targets.hpp"
#include "lab/server_sql.hpp"

namespace lifeboat::lab {

namespace {

constexpr Duration kWithin{30'000};

// A table that somebody named, in quotes where SQL needs them.
std::string named_table_sql(const std::string& wanted) {
  std::string text;
  for (char c : wanted) text += c == '\'' ? "''" : std::string(1, c);
  return fmt::format("SELECT '{}'::regclass;\n", text);
}

}  // namespace

Result<std::vector<UserTable>> user_tables(pid_t postmaster, const std::string& database) {
  const std::string sql =
      "SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = c.oid AND conrelid <> c.oid), "
      "EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid), c.oid::regclass FROM pg_class c JOIN pg_namespace n ON "
      "n.oid = relnamespace WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema') AND NOT "
      "starts_with(relname, 'lifeboat') ORDER BY pg_table_size(c.oid) DESC, relname;\n";
  TRY(std::string said, run_sql(postmaster, database, sql, kWithin));
  std::vector<UserTable> out;
  for (const std::string& line : lines_of(said)) {
    if (line.size() > 4) out.push_back({line.substr(4), line[0] == 't', line[2] == 't'});
  }
  return out;
}

Result<std::string> table_to_hit(pid_t postmaster, const std::string& database, const std::string& wanted) {
  if (!wanted.empty()) {
    TRY(std::string found, run_sql(postmaster, database, named_table_sql(wanted), kWithin));
    std::vector<std::string> tables = lines_of(found);
    if (!tables.empty()) return tables.front();
  }
  TRY(std::vector<UserTable> tables, user_tables(postmaster, database));
  auto free = std::ranges::find(tables, false, &UserTable::referenced);
  if (free != tables.end()) return free->name;
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
