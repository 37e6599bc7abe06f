// What a transaction did, in the words of those who own the tables: rows of which table, dropped, truncated, rewritten.
#pragma once

#include <string>
#include <vector>

#include "core/forensics/ledger.hpp"
#include "core/forensics/names.hpp"

namespace lifeboat::forensics {

enum class DeedKind { dropped_database, dropped, truncated, rewritten, deleted, updated, inserted };
BOOST_DESCRIBE_ENUM(DeedKind, dropped_database, dropped, truncated, rewritten, deleted, updated, inserted)

// A table for as long as it lives, or its file where the table is not known.
struct TableKey {
  uint32_t database = 0;
  uint32_t id = 0;
  auto operator<=>(const TableKey&) const = default;
};

struct Deed {
  DeedKind kind = DeedKind::inserted;
  TableKey key;
  std::string table;  // empty for changed rows until give_names
  bool named = true;
  uint64_t rows = 0;       // changed
  double table_rows = -1;  // the table had about as many; -1: not known
  FileRef file;            // whose rows they were
};

// Leaves out what belongs to the catalogue, to indexes and to temporary tables. A table that the transaction itself made
// is its own affair.
std::vector<Deed> deeds_of(const Transaction& transaction, const NameBook& names);

void give_names(std::vector<Deed>& deeds, const NameBook& names, Lsn at);

// "deleted 1,499 rows of app.shop.orders"
std::string in_words(const Deed& deed);
// "1,499"
std::string grouped(uint64_t number);

}  // namespace lifeboat::forensics
