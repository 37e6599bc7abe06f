#include "recovery/logical_made.hpp"

#include <fmt/format.h>

#include "core/logical/make_database.hpp"

namespace lifeboat {
namespace {

// Columns came and were named anew with the versions; as JSON those that a server does not have are absent.
constexpr std::string_view kMade =
    "SELECT pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,"
    " coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,"
    " coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '') AS locale"
    " FROM pg_database d WHERE d.datname = current_database()";

constexpr std::string_view kSettings =
    "SELECT coalesce(r.rolname::text, '') AS role, split_part(c.line, '=', 1) AS name,"
    " substr(c.line, strpos(c.line, '=') + 1) AS value"
    " FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,"
    " unnest(s.setconfig) AS c(line)"
    " WHERE d.datname = current_database() AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY 1, 2";

PgParams beside(PgParams server) {
  server["dbname"] = "postgres";
  return server;
}

}  // namespace

Task<Result<DatabaseMade>> ask_how_made(PgAsk ask, Deadline deadline) {
  auto asking = ask(std::string(kMade), deadline);
  CO_TRY(PgRows rows, co_await std::move(asking));
  DatabaseMade out{.encoding = rows.text(0, "encoding"),
                   .provider = rows.text(0, "provider"),
                   .collate = rows.text(0, "collate"),
                   .ctype = rows.text(0, "ctype"),
                   .locale = rows.text(0, "locale"),
                   .settings = {}};
  auto listing = ask(std::string(kSettings), deadline);
  CO_TRY(PgRows settings, co_await std::move(listing));
  for (size_t row = 0; row < settings.rows.size(); ++row)
    out.settings.push_back({settings.text(row, "role"), settings.text(row, "name"), settings.text(row, "value")});
  co_return out;
}

Task<Result<>> make_database(PgParams server, std::optional<DatabaseMade> made, Deadline deadline) {
  std::string sql = create_database_sql(server["dbname"], made ? &*made : nullptr);
  auto creating = pg_query_once(beside(std::move(server)), std::move(sql), {}, deadline);
  auto created = co_await std::move(creating);
  if (created) co_return Result<>{};
  Error error = std::move(created).error();
  if (made && error.hint.empty())
    error.hint = "make the database yourself, as it is to be, and load it without --create";
  co_return std::unexpected(std::move(error).with("make the database as it was"));
}

Task<Result<std::vector<RestoreProblem>>> put_settings(PgParams server, DatabaseMade made, Deadline deadline) {
  std::vector<RestoreProblem> out;
  std::string database = server["dbname"];
  for (const KeptSetting& setting : made.settings) {
    std::string sql = setting_sql(database, setting);
    auto putting = pg_query_once(beside(server), std::move(sql), {}, deadline);
    auto put = co_await std::move(putting);
    if (put) continue;
    if (sqlstate_of(put.error()).empty()) co_return std::unexpected(std::move(put).error());
    // What a server says of a value may repeat it.
    bool may_be_secret = setting.name.find('.') != std::string::npos;
    out.push_back({.weight = RestoreWeight::ownership,
                   .entry = fmt::format("DATABASE SETTING {}", in_words(setting)),
                   .message = may_be_secret ? "could not be set" : put.error().what,
                   .command = {}});
  }
  co_return out;
}

}  // namespace lifeboat
