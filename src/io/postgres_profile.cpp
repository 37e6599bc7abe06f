#include "io/postgres_profile.hpp"

#include <fmt/format.h>

#include <charconv>

namespace lifeboat {
namespace {

// Of users: neither the server's own, nor temporary, nor an extension's.
constexpr std::string_view kOfUsers =
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'";
constexpr std::string_view kNotOfExtension =
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{}'::regclass AND e.objid = {} AND e.deptype = 'e')";

std::string not_of_extension(std::string_view catalogue, std::string_view oid) {
  return fmt::format(fmt::runtime(kNotOfExtension), catalogue, oid);
}

// Even its size cannot be asked of a table that somebody has locked for himself.
std::string tables_query() {
  return fmt::format(
      "SELECT format('%I.%I', n.nspname, c.relname) AS name, locked, CASE WHEN locked THEN 0 ELSE "
      "pg_total_relation_size(c.oid) END AS bytes,"
      " c.relpersistence = 'u' AS unlogged,"
      " (SELECT json_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),"
      "   CASE WHEN a.attnotnull THEN ' not null' ELSE '' END) ORDER BY a.attnum) FROM pg_attribute a"
      "  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,"
      " (SELECT quote_ident(a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = "
      "i.indkey[0]"
      "  WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indnkeyatts = 1"
      "  AND a.atttypid IN (20, 21, 23)) AS key"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT EXISTS (SELECT FROM pg_locks l"
      "  WHERE l.relation = c.oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
      "  AND l.mode = 'AccessExclusiveLock' AND l.granted) AS locked) held"
      " WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {} AND {} ORDER BY 1",
      kOfUsers, not_of_extension("pg_class", "c.oid"));
}

std::string objects_query() {
  return fmt::format(
      "SELECT * FROM ("
      "SELECT 'index' AS kind, format('%I.%I', n.nspname, c.relname) AS name, md5(pg_get_indexdef(i.indexrelid)) AS "
      "definition"
      " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
      " WHERE {0} AND {1}"
      " UNION ALL SELECT 'constraint', format('%I on %s', k.conname, k.conrelid::regclass),"
      "  md5(pg_get_constraintdef(k.oid)) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
      "  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype <> 't' AND {0} AND {1}"
      " UNION ALL SELECT 'view', format('%I.%I', n.nspname, c.relname), md5(pg_get_viewdef(c.oid)) FROM pg_class c"
      "  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND {0} AND {1}"
      " UNION ALL SELECT 'sequence', format('%I.%I', n.nspname, c.relname), '' FROM pg_class c"
      "  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND {0} AND "
      "{1}"
      " UNION ALL SELECT 'function', format('%I.%I(%s)', n.nspname, p.proname, "
      "pg_get_function_identity_arguments(p.oid)),"
      "  md5(p.prosrc || coalesce(p.probin, '') || coalesce(pg_get_function_result(p.oid), '')) FROM pg_proc p"
      "  JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {0} AND {2}"
      " UNION ALL SELECT 'trigger', format('%I on %s', t.tgname, t.tgrelid::regclass), md5(pg_get_triggerdef(t.oid))"
      "  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
      "  WHERE NOT t.tgisinternal AND {0} AND {1}"
      " UNION ALL SELECT 'extension', extname, extversion FROM pg_extension"
      ") o ORDER BY kind, name",
      kOfUsers, not_of_extension("pg_class", "c.oid"), not_of_extension("pg_proc", "p.oid"));
}

constexpr std::string_view kServer =
    "SELECT current_database() AS database, current_setting('server_version') AS server,"
    " (SELECT system_identifier FROM pg_control_system()) AS system_id,"
    " to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS taken";

// The equality operators that the key itself uses, so that types of extensions compare too.
constexpr std::string_view kForeignKeys =
    "SELECT quote_ident(k.conname) AS name, k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,"
    " (SELECT string_agg(format('p.%I OPERATOR(%I.%s) c.%I', pa.attname, opn.nspname, o.oprname, ca.attname), ' AND ')"
    "  FROM generate_subscripts(k.conkey, 1) i JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = "
    "k.conkey[i]"
    "  JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[i]"
    "  JOIN pg_operator o ON o.oid = k.conpfeqop[i] JOIN pg_namespace opn ON opn.oid = o.oprnamespace) AS same,"
    " (SELECT string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND ')"
    "  FROM unnest(k.conkey) x JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = x) AS present"
    " FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 2, 1";

std::string sequences_query() {
  return fmt::format(
      "SELECT format('%I.%I', n.nspname, c.relname) AS sequence, d.refobjid::regclass::text AS owner,"
      " quote_ident(a.attname) AS attribute, s.seqincrement AS step"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid"
      " JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = "
      "'pg_class'::regclass"
      "  AND d.deptype IN ('a', 'i')"
      " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
      " WHERE c.relkind = 'S' AND s.seqincrement > 0 AND NOT s.seqcycle AND {} ORDER BY 1",
      kOfUsers);
}

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What the damage looks like to the server: data_corrupted, index_corrupted.
bool is_damage(const Error& error) {
  std::string state = sqlstate_of(error);
  return state == "XX001" || state == "XX002";
}

class Looker {
 public:
  Looker(PgAsk ask, Deadline deadline) : ask_(std::move(ask)), deadline_(deadline) {}

  Task<Result<Integrity>> look(IntegrityWish wish);

 private:
  // The rows, or nothing when the query failed: then that is in `unknown`. A lost connection ends everything.
  Task<Result<std::optional<PgRows>>> ask(std::string what, std::string sql);
  Task<Result<>> foreign_keys();
  Task<Result<>> sequences();
  Task<Result<>> states();
  Task<Result<>> structure();
  Task<Result<>> structure_of(std::string name, std::string sql);

  PgAsk ask_;
  Deadline deadline_;
  Integrity found_;
};

Task<Result<std::optional<PgRows>>> Looker::ask(std::string what, std::string sql) {
  auto asking = ask_(std::move(sql), deadline_);
  auto rows = co_await std::move(asking);
  if (rows) co_return std::optional(std::move(*rows));
  if (sqlstate_of(rows.error()).empty()) co_return std::unexpected(std::move(rows).error().with(what));
  if (is_lock_timeout(rows.error())) {
    found_.locked.push_back(what);
  } else if (is_damage(rows.error())) {
    found_.damage.push_back({what, rows.error().what});
  } else {
    found_.unknown.push_back({what, rows.error().what});
  }
  co_return std::optional<PgRows>();
}

Task<Result<>> Looker::foreign_keys() {
  auto listing = ask("foreign keys", std::string(kForeignKeys));
  CO_TRY(std::optional<PgRows> keys, co_await std::move(listing));
  for (size_t row = 0; keys && row < keys->rows.size(); ++row) {
    std::string name = keys->text(row, "name"), child = keys->text(row, "child"), parent = keys->text(row, "parent");
    auto counting =
        ask(fmt::format("foreign key {} of {}", name, child),
            fmt::format("SELECT count(*) AS rows FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})", child,
                        keys->text(row, "present"), parent, keys->text(row, "same")));
    CO_TRY(std::optional<PgRows> counted, co_await std::move(counting));
    if (!counted) continue;
    ++found_.foreign_keys;
    int64_t orphans = number(counted->text(0, "rows"));
    if (orphans > 0) found_.orphans.push_back({name, child, parent, orphans});
  }
  co_return Result<>{};
}

Task<Result<>> Looker::sequences() {
  auto listing = ask("sequences", sequences_query());
  CO_TRY(std::optional<PgRows> all, co_await std::move(listing));
  for (size_t row = 0; all && row < all->rows.size(); ++row) {
    std::string name = all->text(row, "sequence"), owner = all->text(row, "owner");
    std::string attribute = all->text(row, "attribute");
    auto asking =
        ask(fmt::format("sequence {}", name),
            fmt::format("SELECT m.highest, x.next, m.highest >= x.next AS behind FROM"
                        " (SELECT max({0})::numeric AS highest FROM {1}) m,"
                        " (SELECT last_value::numeric + CASE WHEN is_called THEN {2} ELSE 0 END AS next FROM {3}) x",
                        attribute, owner, all->text(row, "step"), name));
    CO_TRY(std::optional<PgRows> seen, co_await std::move(asking));
    if (!seen) continue;
    ++found_.sequences;
    if (seen->text(0, "behind") == "t")
      found_.behind.push_back(
          {name, fmt::format("{}.{}", owner, attribute), seen->text(0, "next"), seen->text(0, "highest")});
  }
  co_return Result<>{};
}

Task<Result<>> Looker::states() {
  auto invalid = ask("indexes",
                     "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid OR NOT "
                     "indisready ORDER BY 1");
  CO_TRY(std::optional<PgRows> indexes, co_await std::move(invalid));
  for (size_t row = 0; indexes && row < indexes->rows.size(); ++row)
    found_.invalid_indexes.push_back(indexes->text(row, "name"));
  auto unproven = ask("constraints",
                      "SELECT format('%I on %s', conname, conrelid::regclass) AS name FROM pg_constraint "
                      "WHERE NOT convalidated AND conrelid <> 0 ORDER BY 1");
  CO_TRY(std::optional<PgRows> constraints, co_await std::move(unproven));
  for (size_t row = 0; constraints && row < constraints->rows.size(); ++row)
    found_.unproven.push_back(constraints->text(row, "name"));
  auto pages = ask("page checksums",
                   "SELECT current_setting('data_checksums') AS has, coalesce((SELECT "
                   "checksum_failures FROM pg_stat_database WHERE datname = current_database()), 0) AS bad");
  CO_TRY(std::optional<PgRows> sums, co_await std::move(pages));
  found_.checksums = sums && sums->text(0, "has") == "on";
  found_.checksum_failures = sums ? number(sums->text(0, "bad")) : 0;
  co_return Result<>{};
}

Task<Result<>> Looker::structure_of(std::string name, std::string sql) {
  auto asking = ask(name, std::move(sql));
  CO_TRY(std::optional<PgRows> said, co_await std::move(asking));
  ++found_.relations;
  for (size_t row = 0; said && row < said->rows.size(); ++row) {
    if (said->is_null(row, "message")) continue;
    found_.damage.push_back({name, said->text(row, "message")});
  }
  co_return Result<>{};
}

Task<Result<>> Looker::structure() {
  auto asking = ask("amcheck",
                    "SELECT quote_ident(n.nspname) AS place FROM pg_extension e JOIN pg_namespace n ON n.oid = "
                    "e.extnamespace WHERE e.extname = 'amcheck'");
  CO_TRY(std::optional<PgRows> extension, co_await std::move(asking));
  if (!extension || extension->empty()) {
    found_.no_amcheck = "the extension amcheck is not in this database";
    co_return Result<>{};
  }
  std::string place = extension->text(0, "place");
  auto listing =
      ask("amcheck", fmt::format("SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind = 'r' "
                                 "AS heap FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN "
                                 "pg_am a ON a.oid = c.relam LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE "
                                 "c.relpersistence = 'p' AND {} AND (c.relkind = 'r' OR (c.relkind = 'i' AND "
                                 "a.amname = 'btree' AND i.indisvalid AND i.indisready)) ORDER BY 2",
                                 kOfUsers));
  CO_TRY(std::optional<PgRows> all, co_await std::move(listing));
  for (size_t row = 0; all && row < all->rows.size(); ++row) {
    bool heap = all->text(row, "heap") == "t";
    std::string oid = all->text(row, "oid");
    std::string sql =
        heap ? fmt::format(
                   "SELECT format('block %s, row %s: %s', blkno, offnum, msg) AS message FROM "
                   "{}.verify_heapam({}::oid::regclass) LIMIT 5",
                   place, oid)
             : fmt::format("SELECT NULL AS message FROM {}.bt_index_check({}::oid::regclass, true)", place, oid);
    auto looking = structure_of(all->text(row, "name"), std::move(sql));
    CO_TRY_VOID(co_await std::move(looking));
  }
  co_return Result<>{};
}

Task<Result<Integrity>> Looker::look(IntegrityWish wish) {
  auto keys = foreign_keys();
  CO_TRY_VOID(co_await std::move(keys));
  auto sequence = sequences();
  CO_TRY_VOID(co_await std::move(sequence));
  auto state = states();
  CO_TRY_VOID(co_await std::move(state));
  if (wish.amcheck) {
    auto deep = structure();
    CO_TRY_VOID(co_await std::move(deep));
  } else {
    found_.no_amcheck = "it was not asked for";
  }
  co_return std::move(found_);
}

// Rows as text depend on settings; with these they are the same everywhere.
std::string count_query(const TableProfile& table, const std::string& key, bool contents) {
  return fmt::format("SELECT count(*) AS rows, {} AS highest, {} AS contents FROM ONLY {} t",
                     key.empty() ? "NULL" : fmt::format("max({})", key),
                     contents ? "coalesce(sum(hashtextextended((t.*)::text COLLATE \"C\", 0)::numeric), 0)" : "NULL",
                     table.name);
}

}  // namespace

std::string profile_options(Duration statement) {
  return fmt::format(
      "-c default_transaction_read_only=on -c statement_timeout={} -c lock_timeout=10s -c search_path=pg_catalog"
      " -c DateStyle=ISO,YMD -c TimeZone=UTC -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex"
      " -c idle_in_transaction_session_timeout=0 -c row_security=off",
      statement.count());
}

PgAsk ask_over(PgConnection* connection) {
  return [connection](std::string sql, Deadline deadline) { return connection->query(std::move(sql), {}, deadline); };
}

Task<Result<DatabaseProfile>> take_profile(PgAsk ask, ProfileWish wish, Deadline deadline) {
  auto asking = ask(std::string(kServer), deadline);
  CO_TRY(PgRows server, co_await std::move(asking));
  DatabaseProfile out;
  out.taken = server.text(0, "taken");
  out.database = server.text(0, "database");
  out.server = server.text(0, "server");
  out.system_id = server.text(0, "system_id");
  auto listing = ask(tables_query(), deadline);
  CO_TRY(PgRows tables, co_await std::move(listing));
  for (size_t row = 0; row < tables.rows.size(); ++row) {
    TableProfile table;
    table.name = tables.text(row, "name");
    table.bytes = number(tables.text(row, "bytes"));
    table.unlogged = tables.text(row, "unlogged") == "t";
    table.locked = tables.text(row, "locked") == "t";
    auto columns = parse_json(tables.is_null(row, "columns") ? "[]" : tables.text(row, "columns"));
    if (columns && columns->is_array()) {
      for (const Json& column : columns->get_array()) table.columns.emplace_back(column.get_string());
    }
    if (table.locked) {
      out.tables.push_back(std::move(table));
      continue;
    }
    auto counting = ask(count_query(table, tables.text(row, "key"), wish.contents), deadline);
    auto counted = co_await std::move(counting);
    if (!counted && is_lock_timeout(counted.error())) {
      table.locked = true;
      out.tables.push_back(std::move(table));
      continue;
    }
    if (!counted) co_return std::unexpected(std::move(counted).error().with(fmt::format("count {}", table.name)));
    table.rows = number(counted->text(0, "rows"));
    table.highest_key = counted->text(0, "highest");
    table.contents = counted->text(0, "contents");
    out.tables.push_back(std::move(table));
  }
  auto others = ask(objects_query(), deadline);
  auto listed = co_await std::move(others);
  // The definition of an index cannot be asked while somebody has its table for himself.
  out.objects_locked = !listed && is_lock_timeout(listed.error());
  if (out.objects_locked) co_return out;
  CO_TRY(PgRows objects, std::move(listed));
  for (size_t row = 0; row < objects.rows.size(); ++row)
    out.objects.push_back({objects.text(row, "kind"), objects.text(row, "name"), objects.text(row, "definition")});
  co_return out;
}

Task<Result<Integrity>> look_for_damage(PgAsk ask, IntegrityWish wish, Deadline deadline) {
  Looker looker(std::move(ask), deadline);
  auto looking = looker.look(wish);
  co_return co_await std::move(looking);
}

}  // namespace lifeboat
