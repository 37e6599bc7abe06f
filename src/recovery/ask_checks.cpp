#include "recovery/ask_checks.hpp"

#include <fmt/format.h>

#include "core/clean_point/entropy.hpp"
#include "io/postgres_texts.hpp"

namespace lifeboat::recovery {
namespace {

using clean_point::Check;

struct One {
  clean_point::Answer answer;
  bool locked = false;
};

Task<Result<One>> ask_one(ProbeCopy& copy, Check check, Deadline deadline) {
  // Enough rows to tell; a check may select millions.
  std::string sql = fmt::format("SELECT * FROM (\n{}\n) asked LIMIT 100", check.sql);
  auto asking = copy.ask(check.database, sql, deadline);
  auto rows = co_await std::move(asking);
  if (rows) co_return One{clean_point::judge_rows(rows->columns, rows->rows)};
  std::string state = sqlstate_of(rows.error());
  switch (clean_point::refusal_of(state)) {
    case clean_point::Refusal::bad_data: co_return One{{false, rows.error().what}};
    case clean_point::Refusal::locked: co_return One{{false, rows.error().what}, true};
    case clean_point::Refusal::wrong_check:
      co_return fail(
          ErrorKind::invalid_input,
          fmt::format("the check '{}'{} cannot be asked: {}", check.name,
                      check.line == 0 ? std::string() : fmt::format(" (line {})", check.line), rows.error().what),
          "try it on the live database first");
    case clean_point::Refusal::undecided: break;
  }
  co_return std::unexpected(std::move(rows).error().with(fmt::format("ask the check '{}'", check.name)));
}

std::string text_columns_sql() {
  return fmt::format(
      "SELECT n.nspname, c.relname, a.attname,"
      " least(100, 100 * 268435456.0 / greatest(pg_relation_size(c.oid), 1))::numeric(9, 5)::text AS share"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
      " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
      " WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND n.nspname NOT LIKE 'pg\\_%'"
      " AND n.nspname <> 'information_schema' AND a.atttypid IN ({}) ORDER BY 1, 2, 3 LIMIT 2000",
      kTextTypes);
}

constexpr std::string_view kIndexes =
    "SELECT count(x.done::text) >= 0 FROM (SELECT bt_index_check(c.oid) AS done FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree'"
    " WHERE c.relpersistence = 'p' AND c.relkind = 'i' AND i.indisready AND i.indisvalid OFFSET 0) x";
constexpr std::string_view kHeaps =
    "SELECT c.oid::regclass::text AS damaged, v.blkno, v.msg FROM pg_class c, LATERAL verify_heapam(c.oid) v"
    " WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'";

}  // namespace

Task<Result<Asked>> ask_checks(ProbeCopy& copy, std::vector<Check> checks, Deadline deadline) {
  Asked out;
  for (const Check& check : checks) {
    auto asking = ask_one(copy, check, deadline);
    CO_TRY(One one, co_await std::move(asking));
    if (one.locked) out.locked = true;
    if (one.answer.holds || one.locked) continue;
    // The data cannot have changed since: a check that holds now asks for something else than the data.
    auto again = ask_one(copy, check, deadline);
    CO_TRY(One second, co_await std::move(again));
    if (second.answer.holds) {
      out.unsteady.push_back(check.name);
    } else {
      out.failed.push_back(fmt::format("'{}' ({})", check.name, one.answer.said));
    }
  }
  co_return out;
}

Task<Result<std::vector<std::string>>> databases_of(ProbeCopy& copy, Deadline deadline) {
  auto asking = copy.ask(
      "postgres", "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1", deadline);
  CO_TRY(PgRows rows, co_await std::move(asking));
  std::vector<std::string> out;
  for (size_t index = 0; index < rows.rows.size(); ++index) out.push_back(rows.text(index, "datname"));
  co_return out;
}

Task<Result<std::vector<Check>>> index_checks(ProbeCopy& copy, std::vector<std::string> databases,
                                              std::vector<std::string>& notes, Deadline deadline) {
  std::vector<Check> out;
  for (const std::string& database : databases) {
    auto asking = copy.ask(database, "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'", deadline);
    CO_TRY(PgRows rows, co_await std::move(asking));
    if (rows.empty()) {
      notes.push_back(fmt::format("{} has no extension amcheck: its indexes and rows are not checked", database));
      continue;
    }
    out.push_back({fmt::format("indexes of {}", database), database, std::string(kIndexes), 0});
    out.push_back({fmt::format("rows of {}", database), database, std::string(kHeaps), 0});
  }
  co_return out;
}

Task<Result<clean_point::TextProfile>> profile_texts(ProbeCopy& copy, std::vector<std::string> databases,
                                                     Deadline deadline) {
  clean_point::TextProfile out;
  for (const std::string& database : databases) {
    auto connecting = PgConnection::connect(copy.params(database), deadline);
    auto connection = co_await std::move(connecting);
    // A database that is not there (any more) has no texts.
    if (!connection) continue;
    auto listing = (*connection)->query(text_columns_sql(), {}, deadline);
    CO_TRY(PgRows columns, co_await std::move(listing));
    for (size_t index = 0; index < columns.rows.size(); ++index) {
      std::string schema = columns.text(index, "nspname"), table = columns.text(index, "relname"),
                  column = columns.text(index, "attname"), share = columns.text(index, "share");
      std::string sql = fmt::format(
          "SELECT left({0}::text, 400) AS v FROM {1}.{2} TABLESAMPLE SYSTEM ({3}) WHERE length({0}::text) >= 32",
          sql_identifier(column), sql_identifier(schema), sql_identifier(table), share);
      auto sampling = (*connection)->query(sql, {}, deadline);
      auto sample = co_await std::move(sampling);
      // A table that is locked by an unfinished transaction is left out; it was measured before and will be behind.
      if (!sample) continue;
      std::vector<std::string> texts;
      for (size_t row = 0; row < sample->rows.size(); ++row) texts.push_back(sample->text(row, "v"));
      out[fmt::format("{}.{}.{}.{}", database, schema, table, column)] = clean_point::count_encrypted(texts);
    }
  }
  co_return out;
}

}  // namespace lifeboat::recovery
