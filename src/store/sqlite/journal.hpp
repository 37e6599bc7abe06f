// The store's tables and what is done in them, one call after the other on one thread. Every writing call expects to be
// inside a transaction that the caller begins and commits, so that many callers share one fsync.
//
// Beside the chain the head (number and hash of the last event) is kept, so that events cut off at the end show too.
#pragma once

#include <string>
#include <vector>

#include "store/sqlite/database.hpp"
#include "store/store.hpp"

namespace lifeboat::sqlite {

class Journal {
 public:
  // `invalid_input` when the file is of a newer version, `conflict` when another process has it.
  Result<void> open(const std::string& path);

  // Only to read, also while a controller has it open.
  Result<void> open_to_read(const std::string& path);

  Result<void> begin();
  Result<void> commit();
  void roll_back();
  // A part of a transaction that can fail alone.
  Result<void> mark();
  Result<void> keep_mark();
  void drop_mark();

  Result<std::vector<StoredEvent>> append(const std::vector<NewEvent>& events, WallTime at);
  Result<std::vector<StoredEvent>> read(const EventFilter& filter);
  Result<ChainReport> verify();
  Result<uint64_t> next_number(const std::string& counter);
  Result<OwnershipRecord> ownership(const std::string& service);
  Result<OwnershipRecord> grant(const std::string& service, uint64_t expected_term, const std::string& holder,
                                const NewEvent& journal, WallTime at, uint64_t floor = 0);

  Result<StoreContents> copy();
  Result<void> restore(const StoreContents& contents);

 private:
  Database database_;
  uint64_t head_ = 0;
  std::string head_hash_;
  uint64_t marked_head_ = 0;
  std::string marked_hash_;
  uint64_t begun_head_ = 0;
  std::string begun_hash_;

  Result<void> create_or_check();
  Result<void> load_head();
};

}  // namespace lifeboat::sqlite
