#include "core/forensics/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/forensics/bytes.hpp"

namespace lifeboat::forensics {
namespace {

constexpr uint32_t kClass = 1259, kSchemas = 2615, kDatabases = 1262, kGlobalTablespace = 1664;

// "pg_toast_16386" holds the long values of the table of that number; "pg_temp_16386" is what it is rewritten into.
uint32_t owner_of(std::string_view name) {
  uint32_t oid = 0;
  for (std::string_view helper : {"pg_toast_", "pg_temp_"}) {
    if (name.starts_with(helper)) std::from_chars(name.data() + helper.size(), name.data() + name.size(), oid);
  }
  return oid;
}

bool same(const Table& one, const Table& other) {
  return one.node == other.node && one.schema == other.schema && one.name == other.name;
}

}  // namespace

void NameBook::add_database(uint32_t oid, std::string name) { databases_[oid] = std::move(name); }

void NameBook::add_schema(uint32_t database, uint32_t oid, std::string name) {
  schemas_[{database, oid}] = std::move(name);
}

void NameBook::add_map(uint32_t database, const std::vector<MappedFile>& files) {
  for (const MappedFile& file : files) {
    object_of_file_[{database, file.node}] = file.oid;
    if (file.oid == kClass) class_files_[database].insert(file.node);
  }
}

void NameBook::add_class(uint32_t database, const ClassRow& row, Lsn as_of, uint32_t node) {
  Table table{database, row.oid, node != 0 ? node : row.node, row.schema, row.name, row.kind, row.persistence,
              row.rows, as_of};
  if (table.node != 0) object_of_file_[{database, table.node}] = row.oid;
  std::vector<Table>& versions = by_object_[{database, row.oid}];
  auto later = std::ranges::upper_bound(versions, as_of, {}, &Table::as_of);
  if (later != versions.begin() && same(*std::prev(later), table)) {
    if (table.rows >= 0) std::prev(later)->rows = table.rows;
    return;
  }
  if (versions.size() >= kMostVersions) return;
  versions.insert(later, std::move(table));
}

const Table* NameBook::of(const std::vector<Table>& versions, Lsn at) const {
  if (versions.empty()) return nullptr;
  // The last that the log shows before then; a catalogue read at some other time stands first and is the next best.
  auto later = std::ranges::upper_bound(versions, at, {}, &Table::as_of);
  return later == versions.begin() ? &versions.front() : &*std::prev(later);
}

const Table* NameBook::find(const ObjectRef& object, Lsn at) const {
  auto found = by_object_.find({object.database, object.oid});
  return found == by_object_.end() ? nullptr : of(found->second, at);
}

const Table& NameBook::owner(const Table& table, Lsn at) const {
  const Table* parent = find(ObjectRef{table.database, owner_of(table.name)}, at);
  return parent == nullptr ? table : *parent;
}

const Table* NameBook::find(const FileRef& file, Lsn at) const {
  auto oid = object_of_file_.find({file.database, file.node});
  // A table that was never rewritten has its own number as its file's.
  return find(ObjectRef{file.database, oid == object_of_file_.end() ? file.node : oid->second}, at);
}

std::string NameBook::database(uint32_t oid) const {
  if (oid == 0) return "(shared)";
  auto found = databases_.find(oid);
  return found == databases_.end() ? fmt::format("database {}", oid) : found->second;
}

std::string NameBook::say(const Table& table) const {
  auto schema = schemas_.find({table.database, table.schema});
  constexpr uint32_t kPublic = 2200, kCatalogue = 11;
  std::string in = schema != schemas_.end()     ? schema->second
                   : table.schema == kPublic    ? "public"
                   : table.schema == kCatalogue ? "pg_catalog"
                                                : fmt::format("schema {}", table.schema);
  return fmt::format("{}.{}.{}", database(table.database), in, table.name);
}

std::string NameBook::say(const FileRef& file, Lsn at) const {
  if (const Table* table = find(file, at)) return say(owner(*table, at));
  return fmt::format("a table of {} whose name is not known (file {})", database(file.database), to_string(file));
}

std::string NameBook::say(const ObjectRef& object, Lsn at) const {
  if (const Table* table = find(object, at)) return say(*table);
  return fmt::format("a table of {} whose name is not known (number {})", database(object.database), object.oid);
}

bool NameBook::tells_names(const FileRef& file) const {
  if (file.node == kClass || file.node == kSchemas) return file.database != 0;
  if (file.tablespace == kGlobalTablespace) return file.node == kDatabases;
  auto found = class_files_.find(file.database);
  return found != class_files_.end() && found->second.contains(file.node);
}

void NameBook::learn_row(const PlacedRow& row, Lsn lsn) {
  Place place{row.file, row.block, row.offset};
  std::string data = row.data;
  if (row.prefix > 0 || row.suffix > 0) {
    auto before = rows_.find({row.file, row.block, row.old_offset});
    if (before == rows_.end() || before->second.size() < size_t{row.prefix} + row.suffix) {
      rows_.erase(place);
      return;
    }
    const std::string& old = before->second;
    data = old.substr(0, row.prefix) + row.data + old.substr(old.size() - row.suffix);
  }
  if (rows_.size() < kMostRows || rows_.contains(place)) rows_[place] = data;
  uint32_t database = row.file.database;
  if (row.file.tablespace == kGlobalTablespace) {
    if (auto named = named_row(data)) databases_.try_emplace(named->oid, named->name);
  } else if (row.file.node == kSchemas) {
    if (auto named = named_row(data)) schemas_.try_emplace({database, named->oid}, named->name);
  } else if (auto found = class_row(data)) {
    add_class(database, *found, lsn);
  }
}

bool NameBook::learn(std::string_view bytes, Lsn lsn, int version) {
  auto record = decode_record(bytes, version);
  if (!record) return false;
  for (const PlacedRow& row : placed_rows(*record)) {
    if (tells_names(row.file)) learn_row(row, lsn);
  }
  return true;
}

void NameBook::learn_map(std::string_view bytes, int version) {
  auto record = decode_record(bytes, version);
  if (!record) return;
  ByteReader in(record->main);
  auto database = in.take<uint32_t>();
  in.take<uint32_t>();
  auto size = in.take<uint32_t>();
  std::string_view map = in.take_bytes(size);
  if (in.good()) add_map(database, read_map(map));
}

}  // namespace lifeboat::forensics
