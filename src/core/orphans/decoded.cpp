#include "core/orphans/decoded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/data/encode.hpp"

namespace lifeboat::orphans {
namespace {

// Reads along a line; every step says whether it fits.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool number(uint64_t& out) {
    auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
    if (problem != std::errc{}) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }
  // Up to `stop` outside of double quotes and square brackets, as it is written.
  bool until(std::string_view stop, std::string& out) {
    bool quoted = false;
    int depth = 0;
    for (size_t at = 0; at < rest_.size(); ++at) {
      if (!quoted && depth == 0 && rest_.substr(at).starts_with(stop)) {
        out = rest_.substr(0, at);
        rest_.remove_prefix(at + stop.size());
        return true;
      }
      char c = rest_[at];
      if (c == '"') quoted = !quoted;
      if (!quoted && c == '[') ++depth;
      if (!quoted && c == ']') --depth;
    }
    return false;
  }
  // A text in single quotes, which are doubled inside.
  bool quoted(std::string& out) {
    if (!take("'")) return false;
    for (size_t at = 0; at < rest_.size(); ++at) {
      if (rest_[at] != '\'') {
        out += rest_[at];
      } else if (at + 1 < rest_.size() && rest_[at + 1] == '\'') {
        out += '\'';
        ++at;
      } else {
        rest_.remove_prefix(at + 1);
        return true;
      }
    }
    return false;
  }
  // One that needs no quotes: a number, true, false.
  void bare(std::string& out) {
    size_t end = std::min(rest_.find(' '), rest_.size());
    out = rest_.substr(0, end);
    rest_.remove_prefix(end);
  }

 private:
  std::string_view rest_;
};

std::string without_quotes(std::string name) {
  if (name.size() < 2 || name.front() != '"') return name;
  std::string out;
  for (size_t at = 1; at + 1 < name.size(); ++at) {
    out += name[at];
    if (name[at] == '"') ++at;
  }
  return out;
}

bool read_value(Reader& reader, Column& column) {
  if (reader.take("null")) return true;
  if (reader.take("unchanged-toast-datum")) return column.unchanged = true;
  std::string value;
  bool fits = true;
  if (reader.rest().starts_with("B'")) {
    reader.take("B");
    fits = reader.quoted(value);
  } else if (reader.rest().starts_with("'")) {
    fits = reader.quoted(value);
  } else {
    reader.bare(value);
    fits = !value.empty();
  }
  column.value = std::move(value);
  return fits;
}

// " name[type]:value name[type]:value", up to the end or to " new-tuple:".
bool read_columns(Reader& reader, std::vector<Column>& out) {
  while (reader.take(" ")) {
    if (reader.rest().starts_with("new-tuple:")) return true;
    Column column;
    std::string name;
    if (!reader.until("[", name) || !reader.until("]:", column.type) || !read_value(reader, column)) return false;
    column.name = without_quotes(std::move(name));
    out.push_back(std::move(column));
  }
  return reader.at_end();
}

bool read_change(Reader& reader, RowChange& out) {
  if (reader.take("INSERT:")) {
    out.what = RowChange::What::insert;
  } else if (reader.take("UPDATE:")) {
    out.what = RowChange::What::update;
  } else if (reader.take("DELETE:")) {
    out.what = RowChange::What::remove;
  } else {
    return false;
  }
  if (reader.take(" (no-tuple-data)")) return reader.at_end();
  if (out.what == RowChange::What::remove) {
    out.knows_old = true;
    return read_columns(reader, out.before);
  }
  if (reader.take(" old-key:")) {
    out.knows_old = true;
    if (!read_columns(reader, out.before) || !reader.take("new-tuple:")) return false;
  }
  return read_columns(reader, out.after);
}

Json json_of(const Column& column) { return column.value ? Json(*column.value) : Json(nullptr); }

const Json* value_of(const Kept& change, const std::string& column) {
  if (const Json* old = change.before.find(column)) return old;
  return change.after.find(column);
}

// Standard-conforming strings: a backslash is a backslash.
std::string literal(const Json& value) {
  if (!value.is_string()) return "NULL";
  std::string out = "'";
  for (char c : value.get_string()) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string name_of(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string where_of(const Kept& change, const TableFacts& facts) {
  std::string out;
  for (const auto& [name, value] : change.key) {
    // Some types (json) have no equality, and rows without a key may hold NULL; texts can always be compared.
    std::string one = facts.key.empty() ? fmt::format("{}::text IS NOT DISTINCT FROM {}", name_of(name), literal(value))
                                        : fmt::format("{} = {}", name_of(name), literal(value));
    out += (out.empty() ? "" : " AND ") + one;
  }
  // Rows without a key may be there several times; one change is about one of them.
  if (facts.key.empty()) return fmt::format("ctid = (SELECT ctid FROM {} WHERE {} LIMIT 1)", change.table, out);
  return out;
}

std::string insert_of(const Kept& change, const TableFacts& facts) {
  std::string names, values;
  for (const auto& [name, value] : change.after) {
    if (std::ranges::find(facts.always, name) != facts.always.end()) continue;
    names += (names.empty() ? "" : ", ") + name_of(name);
    values += (values.empty() ? "" : ", ") + literal(value);
  }
  if (names.empty()) return fmt::format("INSERT INTO {} DEFAULT VALUES;", change.table);
  return fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({});", change.table, names, values);
}

std::string update_of(const Kept& change, const TableFacts& facts) {
  std::string sets;
  for (const auto& [name, value] : change.after) {
    const Json* old = change.before.find(name);
    const Json* in_key = change.key.find(name);
    bool same = (old != nullptr && *old == value) || (in_key != nullptr && *in_key == value);
    if (same || std::ranges::find(facts.always, name) != facts.always.end()) continue;
    sets += fmt::format("{}{} = {}", sets.empty() ? "" : ", ", name_of(name), literal(value));
  }
  if (sets.empty()) return fmt::format("-- an update of {} that changed nothing", change.table);
  return fmt::format("UPDATE {} SET {} WHERE {};", change.table, sets, where_of(change, facts));
}

// What stands behind -- must stay on its line.
std::string on_one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

}  // namespace

Result<Line> parse_decoded(std::string_view text) {
  Reader reader(text);
  auto no = [&] {
    return fail(ErrorKind::invalid_input, fmt::format("a decoded line does not fit: {}", text.substr(0, 120)));
  };
  uint64_t xid = 0;
  if (reader.take("BEGIN ")) {
    if (!reader.number(xid)) return no();
    return Begin{xid};
  }
  if (reader.take("COMMIT ")) {
    if (!reader.number(xid)) return no();
    std::string at;
    if (reader.take(" (at ") && !reader.until(")", at)) return no();
    return Commit{xid, std::move(at)};
  }
  if (reader.take("message: ")) return Message{std::string(reader.rest())};
  if (!reader.take("table ")) return no();
  RowChange change;
  if (!reader.until(": ", change.table)) return no();
  if (reader.take("TRUNCATE:")) return Truncated{std::move(change.table)};
  if (!read_change(reader, change)) return no();
  return change;
}

Kept kept_of(const RowChange& change, const TableFacts& facts) {
  Kept out;
  out.table = change.table;
  out.operation = change.what == RowChange::What::insert   ? "insert"
                  : change.what == RowChange::What::update ? "update"
                                                           : "delete";
  for (const Column& column : change.before) {
    out.before.add(column.name, json_of(column));
    out.types.add(column.name, column.type);
  }
  bool full = facts.known && facts.identity == "f" && change.knows_old;
  for (const Column& column : change.after) {
    if (!out.types.contains(column.name)) out.types.add(column.name, column.type);
    // With the full identity, what the old row does not name was NULL.
    if (full && !out.before.contains(column.name)) out.before.add(column.name, nullptr);
    if (column.unchanged) {
      out.unchanged.push_back(column.name);
    } else {
      out.after.add(column.name, json_of(column));
    }
  }
  for (const std::string& name : facts.key) {
    if (const Json* value = value_of(out, name)) out.key.add(name, *value);
  }
  if (out.key.size() != facts.key.size()) out.key = {};
  // Without a primary key a row is known by all of itself, or by the index that was chosen for this.
  bool by_old = facts.key.empty() && change.knows_old && change.what != RowChange::What::insert;
  if (by_old) out.key = out.before;
  return out;
}

std::string statement_of(const Kept& change, const TableFacts& facts) {
  if (change.operation == "truncate") return fmt::format("TRUNCATE {};", change.table);
  if (change.operation == "message") return "-- message: " + on_one_line(change.text);
  if (change.operation == "insert") return insert_of(change, facts);
  if (change.key.empty()) {
    return fmt::format(
        "-- {} of a row of {} that cannot be named: the table has no primary key and its replica identity "
        "is not FULL{}",
        change.operation, on_one_line(change.table),
        change.after.empty() ? "" : "; the row after: " + on_one_line(to_text(encode(change.after))));
  }
  if (change.operation == "delete")
    return fmt::format("DELETE FROM {} WHERE {};", change.table, where_of(change, facts));
  return update_of(change, facts);
}

}  // namespace lifeboat::orphans
