// Folds the records of the log, in their order, into transactions: one pass, and only what is still under way is held.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "core/forensics/record.hpp"

namespace lifeboat::forensics {

struct TableChange {
  FileRef file;
  uint64_t inserted = 0;
  uint64_t updated = 0;
  uint64_t deleted = 0;

  uint64_t rows() const { return inserted + updated + deleted; }
};

// A file that a transaction made, and what it wrote there. One that replaces another and stays empty is a TRUNCATE; one
// that is filled is a rewrite (VACUUM FULL, CLUSTER, ALTER TABLE).
struct MadeFile {
  FileRef file;
  uint64_t pages = 0;   // whole pages logged
  uint64_t rows = 0;    // rows logged
  uint32_t object = 0;  // whose lock was taken last before; 0: none
};

struct DroppedDatabase {
  uint32_t database = 0;
  Lsn at;      // with this record its files are gone
  Lsn before;  // the record before that one
};

struct Transaction {
  uint32_t xid = 0;
  Lsn first;                  // its first record that was read
  Lsn commit;                 // where its commit record begins
  Lsn before;                 // where the record before the commit record begins
  uint32_t commit_bytes = 0;  // length of the commit record
  Moment at{};
  // The latest time that any end of a transaction before it carried. Where that is not earlier than `at` (clocks were set
  // back, or two commits share a microsecond), a moment does not part it from what was before.
  Moment latest_before{};
  std::vector<TableChange> changes;
  std::vector<MadeFile> made;
  std::vector<FileRef> gone;         // files that this commit removes and that it had not made itself
  std::vector<ObjectRef> dropped;    // tables, indexes, sequences, as PostgreSQL 15 and later name them
  std::vector<ObjectRef> truncated;  // named by the log itself (wal_level = logical)
  std::vector<ObjectRef> locked;     // exclusively
  std::vector<DroppedDatabase> databases;
  uint64_t bytes = 0;
  uint64_t unlisted_rows = 0;  // in files beyond the kMostFiles that are listed one by one

  uint64_t rows() const;
};

// Where in the log a transaction ended, for those who look for a position.
struct Mark {
  Lsn lsn;     // of the commit record
  Lsn before;  // of the record before it
  Lsn end;     // behind it: a log that ends here holds it and nothing later
  uint32_t xid = 0;
  Moment at{};
};
// Without `end`, which depends on how the log is cut into segments.
inline Mark mark_of(const Transaction& transaction) {
  return {.lsn = transaction.commit, .before = transaction.before, .xid = transaction.xid, .at = transaction.at};
}

class Ledger {
 public:
  static constexpr size_t kMostFiles = 1'000;   // listed of one transaction
  static constexpr size_t kMostOpen = 200'000;  // transactions under way at once

  // A committed transaction comes out of the record that commits it.
  std::optional<Transaction> feed(const Record& record);

  uint64_t records = 0;
  uint64_t committed = 0;
  uint64_t aborted = 0;
  uint64_t forgotten = 0;  // given up for want of room: what they changed is not known
  size_t open() const { return open_.size(); }

 private:
  Transaction& at_work(const Record& record);
  void note(const Record& record);
  Transaction close(const Record& record);
  void forget_before(uint32_t oldest);
  void make_room();

  Moment latest_{};
  std::unordered_map<uint32_t, Transaction> open_;
  std::deque<uint32_t> order_;  // as they were first seen
};

}  // namespace lifeboat::forensics
