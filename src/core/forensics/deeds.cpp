#include "core/forensics/deeds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lifeboat::forensics {
namespace {

constexpr uint32_t kFirstOwn = 16384;  // below it are the numbers of what comes with PostgreSQL

bool holds_rows(const Table& table) { return table.kind == 'r' || table.kind == 'm'; }
bool is_own(const Table& table) { return table.oid >= kFirstOwn && table.persistence != 't'; }

class Reading {
 public:
  Reading(const Transaction& transaction, const NameBook& names) : work_(transaction), names_(names) {}

  std::vector<Deed> read() {
    for (const DroppedDatabase& one : work_.databases) {
      Deed deed{DeedKind::dropped_database, {one.database, 0}, names_.database(one.database)};
      bool known = std::ranges::any_of(out_, [&](const Deed& other) { return other.key == deed.key; });
      if (!known) out_.push_back(std::move(deed));
    }
    read_dropped();
    read_replaced();
    read_rows();
    return std::move(out_);
  }

 private:
  void add(DeedKind kind, const Table& table) {
    TableKey key{table.database, table.oid};
    for (const Deed& deed : out_) {
      if (deed.kind == kind && deed.key == key) return;
    }
    out_.push_back({kind, key, names_.say(table), true, 0, table.rows, {}});
  }
  void add_unnamed(DeedKind kind, TableKey key, std::string words) {
    out_.push_back({kind, key, std::move(words), false, 0, -1, {}});
  }

  bool was_dropped(const ObjectRef& object) const {
    return std::ranges::find(work_.dropped, object) != work_.dropped.end();
  }

  void read_dropped() {
    std::vector<ObjectRef> unknown;
    bool some = false;
    for (const ObjectRef& object : work_.dropped) {
      const Table* table = names_.find(object, work_.commit);
      if (table == nullptr) {
        unknown.push_back(object);
      } else if (is_own(*table) && holds_rows(*table)) {
        add(DeedKind::dropped, *table);
        some = true;
      }
    }
    // Indexes and long values go with their table; they need no names. Temporary tables leave no file in the log.
    if (some || unknown.empty() || work_.gone.empty()) return;
    std::string numbers;
    for (const ObjectRef& object : unknown) numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", object.oid);
    add_unnamed(DeedKind::dropped, {unknown.front().database, unknown.front().oid},
                fmt::format("of {} what the catalogue knew as {} (names not known)",
                            names_.database(unknown.front().database), numbers));
  }

  // Whether a table's new file was given anything.
  bool filled(const Table& table) const {
    for (const MadeFile& made : work_.made) {
      const Table* now = names_.find(made.file, work_.commit);
      bool its = made.object == table.oid || (now != nullptr && names_.owner(*now, work_.commit).oid == table.oid);
      // What the lock says may also be an index that was made anew with the table; those hold a page from the start.
      bool other_kind = now != nullptr && !holds_rows(*now);
      if (its && !other_kind && made.file.database == table.database && (made.rows > 0 || made.pages > 1)) return true;
    }
    return false;
  }

  void read_replaced() {
    for (const ObjectRef& object : work_.truncated) {
      if (const Table* table = names_.find(object, work_.commit)) {
        if (is_own(*table)) add(DeedKind::truncated, *table);
      } else if (object.oid >= kFirstOwn) {
        add_unnamed(DeedKind::truncated, {object.database, object.oid}, names_.say(object, work_.commit));
      }
    }
    std::vector<FileRef> unknown;
    for (const FileRef& file : work_.gone) {
      const Table* found = names_.find(file, work_.commit);
      if (found == nullptr) {
        unknown.push_back(file);
        continue;
      }
      if (found->kind == 't') continue;
      const Table& table = names_.owner(*found, work_.commit);
      if (!is_own(table) || !holds_rows(table) || was_dropped({table.database, table.oid})) continue;
      bool truncated = std::ranges::find(work_.truncated, table.oid, &ObjectRef::oid) != work_.truncated.end();
      if (truncated) continue;
      // Without a new file there is nothing left of it: versions before 15 do not name what is dropped.
      DeedKind kind = work_.made.empty() ? DeedKind::dropped
                      : filled(table)    ? DeedKind::rewritten
                                         : DeedKind::truncated;
      add(kind, table);
    }
    if (!unknown.empty() && out_.empty()) read_unknown(unknown);
  }

  void read_unknown(const std::vector<FileRef>& files) {
    bool any_filled =
        std::ranges::any_of(work_.made, [](const MadeFile& made) { return made.rows > 0 || made.pages > 1; });
    DeedKind kind = work_.made.empty() ? DeedKind::dropped : any_filled ? DeedKind::rewritten : DeedKind::truncated;
    std::string numbers;
    for (const FileRef& file : files) numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", to_string(file));
    add_unnamed(
        kind, {files.front().database, files.front().node},
        fmt::format("of {} what stood in {} (names not known)", names_.database(files.front().database), numbers));
  }

  void read_rows() {
    struct Sum {
      Deed shape;
      uint64_t inserted = 0, updated = 0, deleted = 0;
    };
    std::map<TableKey, Sum> sums;
    for (const TableChange& change : work_.changes) {
      const Table* found = names_.find(change.file, work_.commit);
      if (found == nullptr && (change.file.node < kFirstOwn || change.file.database == 0)) continue;
      Sum sum;
      if (found != nullptr) {
        if (found->kind == 't' || !is_own(*found) || &names_.owner(*found, work_.commit) != found) continue;
        sum.shape = {.key = {found->database, found->oid}, .table_rows = found->rows, .file = change.file};
      } else {
        sum.shape = {.key = {change.file.database, change.file.node}, .named = false, .file = change.file};
      }
      Sum& into = sums.try_emplace(sum.shape.key, sum).first->second;
      into.inserted += change.inserted;
      into.updated += change.updated;
      into.deleted += change.deleted;
    }
    for (auto& [key, sum] : sums) {
      bool rewritten = std::ranges::any_of(
          out_, [&](const Deed& deed) { return deed.kind == DeedKind::rewritten && deed.key == key; });
      if (rewritten) continue;
      for (auto [kind, rows] : {std::pair{DeedKind::deleted, sum.deleted}, std::pair{DeedKind::updated, sum.updated},
                                std::pair{DeedKind::inserted, sum.inserted}}) {
        if (rows == 0) continue;
        Deed deed = sum.shape;
        deed.kind = kind;
        deed.rows = rows;
        out_.push_back(std::move(deed));
      }
    }
  }

  const Transaction& work_;
  const NameBook& names_;
  std::vector<Deed> out_;
};

}  // namespace

std::vector<Deed> deeds_of(const Transaction& transaction, const NameBook& names) {
  return Reading(transaction, names).read();
}

void give_names(std::vector<Deed>& deeds, const NameBook& names, Lsn at) {
  for (Deed& deed : deeds) {
    if (deed.table.empty()) deed.table = names.say(deed.file, at);
  }
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string in_words(const Deed& deed) {
  std::string rows = fmt::format("{} row{} of {}", grouped(deed.rows), deed.rows == 1 ? "" : "s", deed.table);
  switch (deed.kind) {
    case DeedKind::dropped_database: return "dropped the database " + deed.table;
    case DeedKind::dropped: return "dropped " + deed.table;
    case DeedKind::truncated: return "truncated " + deed.table;
    case DeedKind::rewritten: return "rewrote " + deed.table;
    case DeedKind::deleted: return "deleted " + rows;
    case DeedKind::updated: return "updated " + rows;
    case DeedKind::inserted:
      return fmt::format("inserted {} row{} into {}", grouped(deed.rows), deed.rows == 1 ? "" : "s", deed.table);
  }
  return deed.table;
}

}  // namespace lifeboat::forensics
