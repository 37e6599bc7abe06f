#include "recovery/catalogue_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using namespace forensics;

template <class T>
T number(const std::string& text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

constexpr std::string_view kTables =
    "SELECT c.oid::text AS oid, c.relname, c.relnamespace::text AS schema, n.nspname, c.relkind::text AS kind,"
    " c.relpersistence::text AS persistence, coalesce(pg_relation_filenode(c.oid), 0)::text AS node,"
    " c.reltuples::text AS rows, c.reltoastrelid::text AS toast"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 't', 'p', 'i', 'S')";

constexpr std::string_view kDatabases =
    "SELECT oid::text AS oid, datname, datallowconn::text AS open,"
    " (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() "
    "END)::text"
    " AS at FROM pg_database";

void add_tables(uint32_t database, const PgRows& rows, Lsn at, NameBook& names) {
  for (size_t index = 0; index < rows.rows.size(); ++index) {
    ClassRow row;
    row.oid = number<uint32_t>(rows.text(index, "oid"));
    row.name = rows.text(index, "relname");
    row.schema = number<uint32_t>(rows.text(index, "schema"));
    row.node = number<uint32_t>(rows.text(index, "node"));
    row.rows = number<double>(rows.text(index, "rows"));
    row.toast = number<uint32_t>(rows.text(index, "toast"));
    std::string kind = rows.text(index, "kind"), persistence = rows.text(index, "persistence");
    row.kind = kind.empty() ? 'r' : kind.front();
    row.persistence = persistence.empty() ? 'p' : persistence.front();
    names.add_schema(database, row.schema, rows.text(index, "nspname"));
    names.add_class(database, row, at);
    constexpr uint32_t kClass = 1259;
    if (row.oid == kClass) names.add_map(database, {{kClass, row.node}});
  }
}

// All rows of a catalogue's file, oldest version first, with its further pieces of 1 GB.
std::vector<std::string> rows_of_file(const std::string& path) {
  struct Row {
    uint32_t xmin;
    size_t place;
    std::string data;
  };
  std::vector<Row> found;
  for (int piece = 0;; ++piece) {
    std::ifstream in(piece == 0 ? path : fmt::format("{}.{}", path, piece), std::ios::binary);
    if (!in) break;
    std::string page(kPageSize, '\0');
    while (in.read(page.data(), static_cast<std::streamsize>(page.size()))) {
      for (const PageRow& row : rows_of_page(page)) found.push_back({row.xmin, found.size(), std::string(row.data)});
    }
  }
  std::ranges::sort(found, [](const Row& one, const Row& other) {
    return one.xmin == other.xmin ? one.place < other.place : static_cast<int32_t>(one.xmin - other.xmin) < 0;
  });
  std::vector<std::string> out;
  for (Row& row : found) out.push_back(std::move(row.data));
  return out;
}

void read_database(const std::string& folder, uint32_t database, NameBook& names) {
  constexpr uint32_t kClass = 1259, kSchemas = 2615;
  uint32_t class_node = kClass, schema_node = kSchemas;
  if (auto map = read_file(folder + "/pg_filenode.map")) {
    std::vector<MappedFile> files = read_map(*map);
    names.add_map(database, files);
    for (const MappedFile& file : files) {
      if (file.oid == kClass) class_node = file.node;
    }
  }
  for (const std::string& data : rows_of_file(fmt::format("{}/{}", folder, class_node))) {
    auto row = class_row(data);
    if (!row) continue;
    if (row->oid == kSchemas && row->node != 0) schema_node = row->node;
    names.add_class(database, *row, Lsn{});
  }
  for (const std::string& data : rows_of_file(fmt::format("{}/{}", folder, schema_node))) {
    if (auto row = named_row(data)) names.add_schema(database, row->oid, row->name);
  }
}

}  // namespace

Result<PgParams> parse_connection(const std::string& words) {
  PgParams out;
  size_t at = 0;
  while (true) {
    at = words.find_first_not_of(" \t", at);
    if (at == words.npos) break;
    size_t equals = words.find('=', at);
    if (equals == words.npos)
      return fail(ErrorKind::invalid_input, "the connection is not written as name=value …",
                  "for example: --catalog \"host=10.0.0.5 port=5432 user=lifeboat\"");
    std::string name = words.substr(at, equals - at), value;
    at = equals + 1;
    if (at < words.size() && words[at] == '\'') {
      for (++at; at < words.size() && words[at] != '\''; ++at) {
        if (words[at] == '\\' && at + 1 < words.size()) ++at;
        value += words[at];
      }
      ++at;
    } else {
      size_t end = std::min(words.find(' ', at), words.size());
      value = words.substr(at, end - at);
      at = end;
    }
    if (name == "password")
      return fail(ErrorKind::invalid_input, "a password does not belong into arguments, where everybody can read it",
                  "set PGPASSFILE to a file that only you can read");
    out[name] = value;
  }
  return out;
}

Task<Result<>> names_from_server(PgParams params, NameBook& names, std::vector<std::string>& notes, Deadline deadline) {
  if (params["dbname"].empty()) params["dbname"] = "postgres";
  params["options"] = "-c default_transaction_read_only=on";
  auto asking = pg_query_once(params, std::string(kDatabases), {}, deadline);
  CO_TRY(PgRows databases, co_await std::move(asking));
  for (size_t index = 0; index < databases.rows.size(); ++index) {
    auto oid = number<uint32_t>(databases.text(index, "oid"));
    std::string name = databases.text(index, "datname");
    names.add_database(oid, name);
    if (databases.text(index, "open") != "true") continue;
    PgParams there = params;
    there["dbname"] = name;
    auto asking_there = pg_query_once(there, std::string(kTables), {}, deadline);
    auto rows = co_await std::move(asking_there);
    if (!rows) {
      notes.push_back(fmt::format("names in {} could not be asked: {}", name, rows.error().text()));
      continue;
    }
    Lsn at = ScalarText<Lsn>::parse(databases.text(index, "at")).value_or(Lsn{});
    add_tables(oid, *rows, at, names);
  }
  co_return Result<>{};
}

Result<> names_from_files(const std::string& data_folder, NameBook& names) {
  if (!fs::exists(data_folder + "/PG_VERSION") || !fs::exists(data_folder + "/global"))
    return fail(ErrorKind::not_found, fmt::format("{} is no data folder of PostgreSQL", data_folder));
  if (auto map = read_file(data_folder + "/global/pg_filenode.map")) {
    constexpr uint32_t kDatabase = 1262;
    for (const MappedFile& file : read_map(*map)) {
      if (file.oid != kDatabase) continue;
      for (const std::string& data : rows_of_file(fmt::format("{}/global/{}", data_folder, file.node))) {
        if (auto row = named_row(data)) names.add_database(row->oid, row->name);
      }
    }
  }
  std::error_code problem;
  std::vector<std::string> folders = {data_folder + "/base"};
  for (const auto& space : fs::directory_iterator(data_folder + "/pg_tblspc", problem)) {
    std::error_code ignored;
    for (const auto& inner : fs::directory_iterator(space.path(), ignored)) folders.push_back(inner.path());
  }
  for (const std::string& folder : folders) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      auto oid = number<uint32_t>(entry.path().filename());
      if (oid != 0) read_database(entry.path(), oid, names);
    }
  }
  if (names.tables() == 0)
    return fail(ErrorKind::refused, fmt::format("no catalogue could be read in {}", data_folder),
                "run this as a user who may read the data folder");
  return {};
}

}  // namespace lifeboat
