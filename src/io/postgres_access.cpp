#include "io/postgres_access.hpp"

#include <fmt/format.h>

namespace lifeboat {
namespace {

constexpr size_t kDatabasesMost = 200;  // each is a connection of its own

constexpr std::string_view kWhere =
    "SELECT current_database() AS database,"
    " has_column_privilege('pg_subscription', 'subconninfo', 'SELECT') AS connections";

// A role may act as any that it is a member of. Superusers are members of all, which says nothing more of them.
constexpr std::string_view kRoles =
    "SELECT r.rolname AS name, array_to_json(array_remove(ARRAY["
    "CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,"
    " CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolreplication THEN 'replication' END,"
    " CASE WHEN r.rolbypassrls THEN 'bypassrls' END, CASE WHEN r.rolcanlogin THEN 'login' END]::text[], NULL)"
    " || ARRAY(SELECT 'member of '::text || g.rolname::text FROM pg_roles g WHERE NOT r.rolsuper AND g.oid <> r.oid"
    "  AND (g.rolsuper OR g.rolcreaterole OR g.rolreplication OR g.rolbypassrls OR g.rolname IN"
    "   ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files', 'pg_write_all_data',"
    "    'pg_read_all_data'))"
    "  AND pg_has_role(r.oid, g.oid, 'MEMBER') ORDER BY g.rolname)) AS rights"
    " FROM pg_roles r ORDER BY r.rolname";

constexpr std::string_view kSettings =
    "SELECT CASE WHEN s.setrole <> 0 THEN coalesce(r.rolname::text, 'number ' || s.setrole::text) END AS role,"
    " CASE WHEN s.setdatabase <> 0 THEN coalesce(d.datname::text, 'number ' || s.setdatabase::text) END AS database,"
    " split_part(c.line, '=', 1) AS name,"
    " CASE WHEN strpos(split_part(c.line, '=', 1), '.') > 0 THEN md5(c.line)"
    "  ELSE substr(c.line, strpos(c.line, '=') + 1) END AS value"
    " FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = "
    "s.setdatabase,"
    " unnest(s.setconfig) AS c(line) ORDER BY 1, 2, 3";

// The host of a connection's text, as an address or as words; what may be a password is cut off first.
constexpr std::string_view kHost =
    R"(coalesce((regexp_match(s.subconninfo, '^postgres(?:ql)?://(?:[^@/?]*@)?([^/?@]*)'))[1],
 (regexp_match(regexp_replace(s.subconninfo, 'password\s*=\s*(''(?:[^''\\]|\\.)*''|\S*)', ' ', 'gi'),
  '(?:^|\s)host(?:addr)?\s*=\s*''?([^\s'']+)'))[1], ''))";

std::string subscriptions_query(bool connections) {
  return fmt::format(
      "SELECT 'subscription' AS kind, quote_ident(s.subname) AS name, d.datname AS database,"
      " format('of %s%s', array_to_string(s.subpublications, ', '),"
      "  CASE WHEN s.subenabled THEN '' ELSE ', not enabled' END) AS says,"
      " md5(concat_ws('|', s.subenabled, s.subslotname, array_to_string(s.subpublications, ','))) AS definition,"
      " {} AS reaches"
      " FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid ORDER BY 3, 2",
      connections ? kHost : "''");
}

constexpr std::string_view kDatabases =
    "SELECT datname AS name FROM pg_database WHERE datallowconn AND datconnlimit <> -2"
    " AND datname <> current_database() ORDER BY 1";

// Of users is what has a number above those of the server itself: what was added to its own schemas too. Functions of an extension are
// its library's, and one that was made a member of an extension to hide it is seen all the same unless it is in C. Options that may hold a
// secret are left out, as are those of user mappings.
constexpr std::string_view kActors =
    "SELECT * FROM ("
    "SELECT 'event trigger'::text AS kind, quote_ident(e.evtname) AS name,"
    " format('on %s, runs %I.%I%s', e.evtevent, n.nspname, p.proname,"
    "  CASE WHEN e.evtenabled = 'D' THEN ', not enabled' ELSE '' END) AS says,"
    " md5(concat_ws('|', e.evtevent, e.evtenabled, array_to_string(e.evttags, ','), n.nspname, p.proname, p.prosrc,"
    "  p.probin)) AS definition, ''::text AS reaches"
    " FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_namespace n ON n.oid = p.pronamespace"
    " UNION ALL SELECT CASE WHEN p.prosecdef AND o.rolsuper THEN 'definer function' ELSE 'untrusted function' END,"
    " format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),"
    " CASE WHEN p.prosecdef AND o.rolsuper THEN format('acts as superuser %I', o.rolname)"
    "  ELSE format('in %s', l.lanname) END,"
    " md5(concat_ws('|', o.rolname, l.lanname, p.prosrc, p.probin)), ''"
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner"
    " JOIN pg_language l ON l.oid = p.prolang"
    " WHERE p.oid >= 16384 AND ((p.prosecdef AND o.rolsuper) OR (NOT l.lanpltrusted AND NOT (l.lanname IN ('c', "
    "'internal') AND"
    "  EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype = "
    "'e'))))"
    " UNION ALL SELECT 'foreign server', quote_ident(s.srvname), format('of %I', f.fdwname),"
    " md5(concat_ws('|', f.fdwname, (SELECT string_agg(v, ',' ORDER BY v) FROM unnest(s.srvoptions) v"
    "  WHERE split_part(v, '=', 1) !~* 'pass|secret|key|token|cred'))),"
    " coalesce((SELECT string_agg(substr(v, strpos(v, '=') + 1), ', ' ORDER BY v) FROM unnest(s.srvoptions) v"
    "  WHERE split_part(v, '=', 1) IN ('host', 'hostaddr', 'servername', 'dbserver')), '')"
    " FROM pg_foreign_server s JOIN pg_foreign_data_wrapper f ON f.oid = s.srvfdw"
    " UNION ALL SELECT 'user mapping', format('%s at %I', m.usename, m.srvname), '', '', '' FROM pg_user_mappings m"
    " UNION ALL SELECT 'foreign table', format('%I.%I', n.nspname, c.relname), 'runs a program',"
    " md5(array_to_string(t.ftoptions, ',')), ''"
    " FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE EXISTS (SELECT FROM unnest(t.ftoptions) v WHERE v LIKE 'program=%')"
    // Who keeps jobs here, and why they cannot be read. Only tables: to read a view would run what somebody wrote into it.
    " UNION ALL SELECT 'jobs of pg_cron', CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
    "  AND a.attname = 'jobname' AND NOT a.attisdropped) THEN 'named' ELSE '' END,"
    " CASE WHEN has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
    "  AND NOT row_security_active(c.oid) THEN '' ELSE 'the role that asks may not see every row of cron.job' END, '', "
    "''"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'cron' AND c.relname = 'job'"
    "  AND c.relkind = 'r' AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')"
    " UNION ALL SELECT 'jobs of pgagent', '', CASE WHEN has_schema_privilege(n.oid, 'USAGE')"
    "  AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(s.oid, 'SELECT')"
    "  AND NOT row_security_active(c.oid) AND NOT row_security_active(s.oid)"
    "  THEN '' ELSE 'the role that asks may not see every row of pgagent.pga_job and its steps' END, '', ''"
    " FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'pga_job' AND c.relkind = 'r'"
    " JOIN pg_class s ON s.relnamespace = n.oid AND s.relname = 'pga_jobstep' AND s.relkind = 'r'"
    " WHERE n.nspname = 'pgagent'"
    ") a ORDER BY kind, name";

// What a job runs may hold a secret, so that only a hash of it is kept.
std::string cron_query(bool named) {
  return fmt::format(
      "SELECT 'job' AS kind, format('%s of %I', {}, j.username) AS name,"
      " format('at %s in database %I%s', j.schedule, j.database, CASE WHEN j.active THEN '' ELSE ', not active' END)"
      "  AS says,"
      " md5(concat_ws('|', j.schedule, j.command, j.nodename, j.nodeport, j.database, j.active)) AS definition,"
      " '' AS reaches FROM cron.job j ORDER BY j.jobid",
      named ? "coalesce(j.jobname::text, 'number ' || j.jobid::text)" : "'number ' || j.jobid::text");
}

constexpr std::string_view kPgagent =
    "SELECT 'job' AS kind, format('%s, number %s of pgagent', j.jobname, j.jobid) AS name,"
    " CASE WHEN j.jobenabled THEN 'enabled' ELSE 'not enabled' END AS says,"
    " md5(concat_ws('|', j.jobenabled, (SELECT string_agg(concat_ws('|', s.jstname, s.jstenabled, s.jstkind, s.jstcode,"
    "  s.jstconnstr, s.jstdbname), '|' ORDER BY s.jstid) FROM pgagent.pga_jobstep s WHERE s.jstjobid = j.jobid)))"
    "  AS definition, '' AS reaches FROM pgagent.pga_job j ORDER BY j.jobid";

class AccessLook {
 public:
  AccessLook(PgAskOf open, Deadline deadline) : open_(std::move(open)), deadline_(deadline) {}

  Task<Result<AccessProfile>> look();

 private:
  // The rows, or nothing when they could not be had: then that is in `unseen`.
  Task<Result<std::optional<PgRows>>> question(PgAsk ask, std::string kind, std::string database, std::string sql);
  Task<Result<>> roles(PgAsk ask);
  Task<Result<>> settings(PgAsk ask);
  Task<Result<>> actors(PgAsk ask, std::string kind, std::string database, std::string sql);
  Task<Result<>> of_database(PgAsk ask, std::string database);
  Task<Result<>> of_others(PgAsk ask);

  PgAskOf open_;
  Deadline deadline_;
  std::string own_;  // database of the service
  AccessProfile found_;
};

Task<Result<std::optional<PgRows>>> AccessLook::question(PgAsk ask, std::string kind, std::string database,
                                                         std::string sql) {
  auto asking = ask(std::move(sql), deadline_);
  auto rows = co_await std::move(asking);
  if (rows) co_return std::optional(std::move(*rows));
  bool lost = sqlstate_of(rows.error()).empty() && (database.empty() || database == own_);
  if (lost || deadline_.passed())
    co_return std::unexpected(
        std::move(rows).error().with(fmt::format("look at every {} in {}", kind.empty() ? "actor" : kind, own_)));
  found_.unseen.push_back({std::move(kind), std::move(database), rows.error().what});
  co_return std::optional<PgRows>();
}

Task<Result<>> AccessLook::roles(PgAsk ask) {
  auto asking = question(ask, "role", "", std::string(kRoles));
  CO_TRY(std::optional<PgRows> rows, co_await std::move(asking));
  for (size_t row = 0; rows && row < rows->rows.size(); ++row) {
    RoleProfile role{rows->text(row, "name"), {}};
    auto rights = parse_json(rows->text(row, "rights"));
    if (!rights || !rights->is_array())
      co_return fail(ErrorKind::internal, fmt::format("the rights of role {} are no list", role.name));
    for (const Json& right : rights->get_array()) role.rights.emplace_back(right.as_string());
    found_.roles.push_back(std::move(role));
  }
  co_return Result<>{};
}

Task<Result<>> AccessLook::settings(PgAsk ask) {
  auto asking = question(ask, "setting", "", std::string(kSettings));
  CO_TRY(std::optional<PgRows> rows, co_await std::move(asking));
  for (size_t row = 0; rows && row < rows->rows.size(); ++row)
    found_.settings.push_back(
        {rows->text(row, "role"), rows->text(row, "database"), rows->text(row, "name"), rows->text(row, "value")});
  co_return Result<>{};
}

Task<Result<>> AccessLook::actors(PgAsk ask, std::string kind, std::string database, std::string sql) {
  auto asking = question(ask, kind, database, std::move(sql));
  CO_TRY(std::optional<PgRows> rows, co_await std::move(asking));
  for (size_t row = 0; rows && row < rows->rows.size(); ++row)
    found_.actors.push_back({rows->text(row, "kind"), database.empty() ? rows->text(row, "database") : database,
                             rows->text(row, "name"), rows->text(row, "says"), rows->text(row, "definition"),
                             rows->text(row, "reaches")});
  co_return Result<>{};
}

Task<Result<>> AccessLook::of_database(PgAsk ask, std::string database) {
  auto asking = question(ask, "", database, std::string(kActors));
  CO_TRY(std::optional<PgRows> rows, co_await std::move(asking));
  for (size_t row = 0; rows && row < rows->rows.size(); ++row) {
    std::string kind = rows->text(row, "kind"), name = rows->text(row, "name"), says = rows->text(row, "says");
    bool cron = kind == "jobs of pg_cron", pgagent = kind == "jobs of pgagent";
    if (!cron && !pgagent) {
      found_.actors.push_back({kind, database, name, says, rows->text(row, "definition"), rows->text(row, "reaches")});
    } else if (!says.empty()) {
      found_.unseen.push_back({"job", database, says});
    } else {
      auto jobs = actors(ask, "job", database, cron ? cron_query(name == "named") : std::string(kPgagent));
      CO_TRY_VOID(co_await std::move(jobs));
    }
  }
  co_return Result<>{};
}

Task<Result<>> AccessLook::of_others(PgAsk ask) {
  auto listing = ask(std::string(kDatabases), deadline_);
  CO_TRY(PgRows others, co_await std::move(listing));
  for (size_t row = 0; row < others.rows.size(); ++row) {
    std::string database = others.text(row, "name");
    if (row >= kDatabasesMost) {
      found_.unseen.push_back({"", database, fmt::format("there are more than {} databases", kDatabasesMost)});
      continue;
    }
    auto opening = open_(database, deadline_);
    auto opened = co_await std::move(opening);
    if (!opened && deadline_.passed())
      co_return std::unexpected(std::move(opened).error().with(fmt::format("look into database {}", database)));
    if (!opened) {
      found_.unseen.push_back({"", database, opened.error().what});
      continue;
    }
    auto looking = of_database(std::move(*opened), database);
    CO_TRY_VOID(co_await std::move(looking));
  }
  co_return Result<>{};
}

Task<Result<AccessProfile>> AccessLook::look() {
  auto opening = open_("", deadline_);
  CO_TRY(PgAsk ask, co_await std::move(opening));
  auto meeting = ask(std::string(kWhere), deadline_);
  CO_TRY(PgRows where, co_await std::move(meeting));
  own_ = where.text(0, "database");
  auto who = roles(ask);
  CO_TRY_VOID(co_await std::move(who));
  auto how = settings(ask);
  CO_TRY_VOID(co_await std::move(how));
  auto subscribed = actors(ask, "subscription", "", subscriptions_query(where.text(0, "connections") == "t"));
  CO_TRY_VOID(co_await std::move(subscribed));
  auto inside = of_database(ask, own_);
  CO_TRY_VOID(co_await std::move(inside));
  auto elsewhere = of_others(ask);
  CO_TRY_VOID(co_await std::move(elsewhere));
  co_return std::move(found_);
}

}  // namespace

Task<Result<AccessProfile>> take_access(PgAskOf open, Deadline deadline) {
  AccessLook looker(std::move(open), deadline);
  auto looking = looker.look();
  co_return co_await std::move(looking);
}

}  // namespace lifeboat
