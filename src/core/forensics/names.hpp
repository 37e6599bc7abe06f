// Which table a file of the log belonged to then. Fed from catalogues (of a server, or of the files of one) and from the
// log itself, where each change of pg_class stands with its page or its row; so a table that was dropped since keeps its
// name here.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/forensics/heap_page.hpp"
#include "core/forensics/record.hpp"
#include "core/forensics/wal_record.hpp"

namespace lifeboat::forensics {

struct Table {
  uint32_t database = 0;
  uint32_t oid = 0;
  uint32_t node = 0;
  uint32_t schema = 0;
  std::string name;
  char kind = 'r';
  char persistence = 'p';
  double rows = -1;  // as last estimated; -1: not known
  Lsn as_of;         // where in the log this was so; 0: from a catalogue, at its own time
};

class NameBook {
 public:
  void add_database(uint32_t oid, std::string name);
  void add_schema(uint32_t database, uint32_t oid, std::string name);
  // `node` is the file where the catalogue tells it otherwise than in the row.
  void add_class(uint32_t database, const ClassRow& row, Lsn as_of, uint32_t node = 0);
  // Where a database's pg_class lies, which is a table like others and moves when it is rewritten.
  void add_map(uint32_t database, const std::vector<MappedFile>& files);

  // What a file or number stood for at `at`. Null when unknown.
  const Table* find(const FileRef& file, Lsn at) const;
  const Table* find(const ObjectRef& object, Lsn at) const;
  // The table whose long values it holds, or whose rewriting it serves; else itself.
  const Table& owner(const Table& table, Lsn at) const;
  // "app.shop.orders"; else the numbers, said to be such.
  std::string say(const Table& table) const;
  std::string say(const FileRef& file, Lsn at) const;
  std::string say(const ObjectRef& object, Lsn at) const;
  std::string database(uint32_t oid) const;

  // Whether the rows of that file tell names, so that the record is worth reading whole.
  bool tells_names(const FileRef& file) const;
  // Learns from such a record; `version` of PostgreSQL. False when the bytes make no sense.
  bool learn(std::string_view bytes, Lsn lsn, int version);
  // The same for a change of the map.
  void learn_map(std::string_view bytes, int version);

  size_t tables() const { return by_object_.size(); }

 private:
  struct Place {
    FileRef file;
    uint32_t block = 0;
    uint16_t offset = 0;
    auto operator<=>(const Place&) const = default;
  };
  static constexpr size_t kMostRows = 500'000;
  static constexpr size_t kMostVersions = 64;

  const Table* of(const std::vector<Table>& versions, Lsn at) const;
  void learn_row(const PlacedRow& row, Lsn lsn);

  std::map<uint32_t, std::string> databases_;
  std::map<std::pair<uint32_t, uint32_t>, std::string> schemas_;
  std::map<std::pair<uint32_t, uint32_t>, std::vector<Table>> by_object_;  // (database, oid)
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> object_of_file_;       // (database, node) → oid
  std::map<uint32_t, std::set<uint32_t>> class_files_;                     // per database, all that ever were
  std::map<Place, std::string> rows_;  // of catalogues, to complete rows that are logged as differences
};

}  // namespace lifeboat::forensics
