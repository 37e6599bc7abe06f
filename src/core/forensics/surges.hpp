// Many small transactions that together are unusual: a table whose rows are changed far faster than in the time before,
// as when a program encrypts it bit by bit. Counted in steps of ten seconds.
#pragma once

#include <map>
#include <vector>

#include "core/forensics/deeds.hpp"

namespace lifeboat::forensics {

struct Surge {
  TableKey key;
  std::string table;
  DeedKind kind = DeedKind::updated;
  Mark first;  // the first transaction of the first fast step; the damage may begin a few transactions later
  Moment to{};
  uint64_t rows = 0;
  uint64_t transactions = 0;
  uint64_t peak = 0;   // rows in its fastest step
  uint64_t usual = 0;  // rows in the fastest step of the time before
};

class Surges {
 public:
  static constexpr std::chrono::seconds kStep{10};

  // `counts`: whether it belongs to the time that is judged, or to the time before.
  void add(const Transaction& transaction, const std::vector<Deed>& deeds, bool counts);
  std::vector<Surge> find(const NameBook& names) const;

 private:
  static constexpr size_t kMostSteps = 2'000'000;
  struct Step {
    uint64_t rows = 0;
    uint64_t transactions = 0;
    uint64_t most = 0;  // by one transaction
    Mark first;
    Moment last{};
  };
  struct Table {
    FileRef file;
    uint64_t usual = 0;      // the fastest step of the time before
    int64_t open_step = -1;  // of the time before, being counted
    uint64_t open_rows = 0;
    std::map<int64_t, Step> steps;
  };
  std::map<std::pair<TableKey, DeedKind>, Table> tables_;
  size_t steps_ = 0;
};

std::string in_words(const Surge& surge);

}  // namespace lifeboat::forensics
