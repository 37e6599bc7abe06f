#include "agent/data_look.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/clean_point/entropy.hpp"
#include "io/postgres_texts.hpp"

namespace lifeboat {
namespace {

constexpr Duration kWhole{5'000};
constexpr Duration kIdle{1'000};
constexpr Duration kBreath{500};
constexpr Duration kTellAgain{60'000};
constexpr int kMostTables = 200;
constexpr size_t kMostSampled = 50;
// Rows of one page were often written at one time and are alike, so a sample is of some rows of many pages.
constexpr double kPages = 20;
constexpr double kRows = 200;
// Where nothing is known of a table but its size: rows are seldom larger than a tenth of a page.
constexpr int kRowsOfAPage = 10;

// One row for each table, those with the most rows first. Nothing here waits for a table that somebody has locked for himself: its
// size is that of its file. What Lifeboat writes to measure is no user's table.
std::string tables_sql() {
  return fmt::format(
      "SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted, p.pages,"
      " greatest(c.live, c.reltuples, CASE WHEN c.reltuples < 0 THEN {0} * p.pages END)::bigint AS rows,"
      " pg_stat_get_tuples_updated(c.oid) AS updated, pg_stat_get_tuples_deleted(c.oid) AS deleted,"
      " (SELECT json_agg(json_build_array(a.attname, CASE"
      // Only the beginning of a large value is read, where a type allows that.
      "   WHEN a.atttypid = 'bytea'::regtype"
      "    THEN format($$'\\x' || encode(substring(%I FROM 1 FOR 200), 'hex')$$, a.attname)"
      "   WHEN a.atttypid IN ('json'::regtype, 'jsonb'::regtype)"
      "    THEN format('CASE WHEN pg_column_size(%1$I) < 65536 THEN left(%1$I::text, 400) END', a.attname)"
      "   ELSE format('left(%I::text, 400)', a.attname) END) ORDER BY a.attnum)"
      "  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ({1})"
      " ) AS columns"
      " FROM (SELECT c.*, pg_stat_get_live_tuples(c.oid) AS live FROM pg_class c"
      "  JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence <> 't'"
      "  AND s.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(c.relname, 'lifeboat')"
      "  ORDER BY greatest(c.reltuples, pg_stat_get_live_tuples(c.oid)) DESC, c.oid LIMIT {2}) c"
      " JOIN pg_namespace n ON n.oid = c.relnamespace,"
      " LATERAL (SELECT greatest(c.relpages, (pg_stat_file(pg_relation_filepath(c.oid), true)).size /"
      "  current_setting('block_size')::bigint) AS pages) p"
      " ORDER BY greatest(c.reltuples, c.live) DESC, c.oid",
      kRowsOfAPage, kTextTypes, kMostTables);
}

constexpr std::string_view kFailures =
    "SELECT coalesce(checksum_failures, -1) AS failures FROM pg_stat_database WHERE datname = current_database()";

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct TextColumn {
  std::string name;
  std::string text;  // SQL for it
};

std::vector<TextColumn> text_columns(const PgRows& tables, size_t row) {
  std::vector<TextColumn> out;
  auto columns = parse_json(tables.text(row, "columns"));
  if (!columns || !columns->is_array()) return out;
  for (const Json& column : columns->get_array()) {
    const JsonArray& pair = column.as_array();
    out.push_back({std::string(pair[0].as_string()), std::string(pair[1].as_string())});
  }
  return out;
}

std::string sample_sql(const PgRows& tables, size_t row, const std::vector<TextColumn>& columns) {
  std::string texts;
  for (const TextColumn& column : columns) texts += (texts.empty() ? "" : ", ") + column.text;
  auto rows = static_cast<double>(number(tables.text(row, "rows")));
  double of_pages = kPages / std::max(kPages, static_cast<double>(number(tables.text(row, "pages"))));
  double of_rows = kRows / std::max(kRows, rows * of_pages);
  return fmt::format("SELECT {} FROM {} TABLESAMPLE SYSTEM ({:.8f}) WHERE random() < {:.8f} LIMIT {:.0f}", texts,
                     tables.text(row, "quoted"), 100 * of_pages, of_rows, kRows);
}

detection::TableLook counted(const PgRows& sample, const std::vector<TextColumn>& columns, detection::TableLook look) {
  look.sampled = true;
  for (size_t index = 0; index < columns.size(); ++index) {
    std::vector<std::string> texts;
    for (const auto& row : sample.rows) {
      if (row[index] && !row[index]->empty()) texts.push_back(*row[index]);
    }
    auto encrypted = static_cast<int64_t>(clean_point::count_encrypted(texts).encrypted);
    look.columns.add(columns[index].name, {std::ssize(texts), encrypted});
  }
  return look;
}

}  // namespace

DataLooks::DataLooks(DatabaseMember& member, std::string service, Hooks hooks)
    : member_(member), service_(std::move(service)), hooks_(std::move(hooks)) {}

void DataLooks::begin(Scope& scope) { scope.spawn("looks at the data of " + service_, keep_looking()); }

Task<> DataLooks::keep_looking() {
  while (true) {
    MonoTime begun = boot_now();
    MemberReport report = member_.report();
    if (every_ > Duration{0} && report.state == ServerState::primary && report.term != 0) {
      auto looking = look(Deadline::after(kWhole));
      auto seen = co_await std::move(looking);
      if (seen) {
        wire::DataLook message{service_, std::move(*seen)};
        hooks_.send(message);
      } else {
        tell(seen.error());
      }
    }
    Duration between = every_ > Duration{0} ? every_ : kIdle;
    co_await sleep_until(std::max(begun + between, boot_now() + kBreath));
  }
}

Task<Result<detection::DataSeen>> DataLooks::look(Deadline deadline) {
  auto connecting = member_.connect_to_read(deadline);
  CO_TRY(std::unique_ptr<PgConnection> connection, co_await std::move(connecting));
  auto listing = connection->query(tables_sql(), {}, deadline);
  CO_TRY(PgRows tables, co_await std::move(listing));
  auto counting = connection->query(std::string(kFailures), {}, deadline);
  CO_TRY(PgRows failures, co_await std::move(counting));
  detection::DataSeen seen;
  seen.member = member_.report().member;
  seen.checksum_failures = failures.empty() ? -1 : number(failures.text(0, "failures"));
  for (size_t row = 0; row < tables.rows.size(); ++row) {
    detection::TableLook look{.rows = number(tables.text(row, "rows")),
                              .updated = number(tables.text(row, "updated")),
                              .deleted = number(tables.text(row, "deleted")),
                              .sampled = false,
                              .columns = {}};
    seen.tables.add(tables.text(row, "name"), std::move(look));
  }
  auto sampling = sample(*connection, tables, seen, deadline);
  co_await std::move(sampling);
  co_return seen;
}

// A table that cannot be sampled now is left out of this look; where the time was over the next look goes on.
Task<> DataLooks::sample(PgConnection& connection, const PgRows& tables, detection::DataSeen& seen, Deadline deadline) {
  size_t most = std::min(kMostSampled, tables.rows.size());
  for (size_t turn = 0; turn < most; ++turn) {
    if (deadline.passed() || !connection.usable()) co_return;
    size_t row = turn_++ % most;
    detection::TableLook* look = seen.tables.find(tables.text(row, "name"));
    std::vector<TextColumn> columns = text_columns(tables, row);
    if (columns.empty()) {
      look->sampled = true;
      continue;
    }
    auto asking = connection.query(sample_sql(tables, row, columns), {}, deadline);
    auto rows = co_await std::move(asking);
    if (rows) *look = counted(*rows, columns, std::move(*look));
  }
}

void DataLooks::tell(const Error& trouble) {
  if (boot_now() < quiet_until_) return;
  quiet_until_ = boot_now() + kTellAgain;
  hooks_.log(fmt::format("{}: the data could not be looked at: {}", service_, trouble.text()));
}

}  // namespace lifeboat
