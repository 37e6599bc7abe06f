// What PostgreSQL's test_decoding says of a transaction, line by line, and what is kept of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"

namespace lifeboat::orphans {

struct Column {
  std::string name;                  // as it is, without quotes
  std::string type;                  // as PostgreSQL names it
  std::optional<std::string> value;  // nothing: NULL
  bool unchanged = false;            // a large value that the update left as it was: not in the log
  bool operator==(const Column&) const = default;
};

struct Begin {
  uint64_t xid = 0;
};
struct Commit {
  uint64_t xid = 0;
  std::string at;  // with its time zone
};
struct RowChange {
  enum class What { insert, update, remove } what = What::insert;
  std::string table;  // with its schema, quoted where SQL needs it
  bool knows_old = false;
  std::vector<Column> before;  // all columns, or those of the replica identity
  std::vector<Column> after;
};
struct Truncated {
  std::string tables;  // comma-separated
};
struct Message {  // of pg_logical_emit_message()
  std::string text;
};
using Line = std::variant<Begin, Commit, RowChange, Truncated, Message>;

Result<Line> parse_decoded(std::string_view text);

// What the catalogue says of a table.
struct TableFacts {
  std::vector<std::string> key;     // columns of the primary key
  std::vector<std::string> always;  // columns that the server computes itself
  std::string identity = "d";       // pg_class.relreplident: d(efault), n(othing), f(ull), i(ndex)
  bool known = false;
};

// One change as it is kept: one line of a file each. Values are PostgreSQL's own texts; null is NULL.
struct Kept {
  std::string database;
  uint64_t xid = 0;
  std::string committed_at;
  std::string table;
  std::string operation;  // insert, update, delete, truncate or message
  TextMap<Json> key;      // empty: the table has none, or the log does not say
  TextMap<Json> before;   // what is known of the row before
  TextMap<Json> after;
  std::vector<std::string> unchanged;  // columns whose value the log does not hold, because it stayed
  TextMap<std::string> types;
  std::string text;  // of a message
};
BOOST_DESCRIBE_STRUCT(Kept, (),
                      (database, xid, committed_at, table, operation, key, before, after, unchanged, types, text))
constexpr auto field_docs(const Kept*) {
  return std::to_array<FieldDoc>({{"database", Need::required, "database"},
                                  {"xid", Need::required, "transaction"},
                                  {"committed_at", Need::optional, "when it was committed, UTC"},
                                  {"table", Need::optional, "table with its schema"},
                                  {"operation", Need::required, "insert, update, delete, truncate or message"},
                                  {"key", Need::optional, "key of the row"},
                                  {"before", Need::optional, "what is known of the row before"},
                                  {"after", Need::optional, "the row after"},
                                  {"unchanged", Need::optional, "columns that stayed and are not in the log"},
                                  {"types", Need::optional, "types of the columns"},
                                  {"text", Need::optional, "text of a message"}});
}

Kept kept_of(const RowChange& change, const TableFacts& facts);

// The statement that would make this change again, with a semicolon; a comment when none can be made.
std::string statement_of(const Kept& change, const TableFacts& facts);

}  // namespace lifeboat::orphans
