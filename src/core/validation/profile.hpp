// What is in a database, as far as it can be held against itself later: a profile taken on a good day says what a restored copy
// should hold. Rows are counted, never read from the activity counters of pg_stat_user_tables: those (n_tup_ins and the like)
// are 0 in a restored database and say nothing about data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/validation/access.hpp"
#include "core/validation/database_made.hpp"

namespace lifeboat {

struct TableProfile {
  std::string name;  // schema and table, quoted where SQL needs it
  int64_t rows = 0;
  int64_t bytes = 0;  // with indexes
  bool unlogged = false;
  std::vector<std::string> columns;  // "id bigint not null"
  std::string highest_key;           // of a primary key that is one number; empty: none, or no rows
  std::string contents;              // a sum over all rows; empty: was not asked for
  bool locked = false;               // somebody holds it: nothing was counted
};
BOOST_DESCRIBE_STRUCT(TableProfile, (), (name, rows, bytes, unlogged, columns, highest_key, contents, locked))
constexpr auto field_docs(const TableProfile*) {
  return std::to_array<FieldDoc>({{"name", Need::required, "schema and table"},
                                  {"rows", Need::required, "counted"},
                                  {"bytes", Need::optional, "with its indexes"},
                                  {"unlogged", Need::optional, "emptied by every recovery"},
                                  {"columns", Need::optional, "names and types in order"},
                                  {"highest_key", Need::optional, "of a primary key that is one number"},
                                  {"contents", Need::optional, "a sum over all rows"},
                                  {"locked", Need::optional, "somebody holds it: nothing was counted"}});
}

struct ObjectProfile {
  std::string kind;  // index, constraint, view, function, trigger, sequence, extension
  std::string name;
  std::string definition;  // a hash, or the version of an extension
};
BOOST_DESCRIBE_STRUCT(ObjectProfile, (), (kind, name, definition))
constexpr auto field_docs(const ObjectProfile*) {
  return std::to_array<FieldDoc>({{"kind", Need::required, "what it is"},
                                  {"name", Need::required, "its name"},
                                  {"definition", Need::optional, "a hash of its definition"}});
}

struct DatabaseProfile {
  std::string taken;  // UTC
  std::string database;
  std::string server;     // version
  std::string system_id;  // of the cluster, text: it does not fit a double
  std::vector<TableProfile> tables;
  std::vector<ObjectProfile> objects;
  bool objects_locked = false;          // somebody holds some of them: they were not listed
  std::optional<AccessProfile> access;  // nothing: it was not looked at
  std::optional<DatabaseMade> made;     // of a dump alone: how to make it again

  int64_t rows() const;
  const TableProfile* table(std::string_view name) const;
};
BOOST_DESCRIBE_STRUCT(DatabaseProfile, (),
                      (taken, database, server, system_id, tables, objects, objects_locked, access, made))
constexpr auto field_docs(const DatabaseProfile*) {
  return std::to_array<FieldDoc>({{"taken", Need::required, "when, UTC"},
                                  {"database", Need::required, "its name"},
                                  {"server", Need::optional, "version of the server"},
                                  {"system_id", Need::optional, "of the cluster"},
                                  {"tables", Need::optional, "one by one"},
                                  {"objects", Need::optional, "indexes, constraints, views and so on"},
                                  {"objects_locked", Need::optional, "they were not listed: somebody holds some"},
                                  {"access", Need::optional, "who may do what, and what acts by itself"},
                                  {"made", Need::optional, "encoding, locale and settings of a dumped database"}});
}

std::string profile_text(const DatabaseProfile& profile);
// What profile_text wrote. `invalid_input` for anything else.
Result<DatabaseProfile> read_profile(std::string_view text);

// What is wrong inside, found by looking at all of it.
struct OrphanRows {
  std::string constraint, table, parent;
  int64_t rows = 0;
};
struct SequenceBehind {
  std::string sequence, column;
  std::string next, highest;
};
struct Damage {
  std::string where, what;
};
struct Integrity {
  int64_t foreign_keys = 0;  // looked at
  std::vector<OrphanRows> orphans;
  int64_t sequences = 0;  // looked at
  std::vector<SequenceBehind> behind;
  std::vector<std::string> invalid_indexes;
  std::vector<std::string> unproven;  // constraints that are not valid: existing rows were never held against them
  bool checksums = false;             // pages carry them
  int64_t checksum_failures = 0;      // since the statistics were last reset
  int64_t relations = 0;              // amcheck looked at
  std::vector<Damage> damage;         // it found
  std::string no_amcheck;             // why it was not asked; empty: it was
  std::vector<Damage> unknown;        // what could not be looked at, and why
  std::vector<std::string> locked;    // what could not because somebody holds a lock
};

}  // namespace lifeboat
