// How unusual a transaction is against the time before, and why, in words. Dropped and truncated tables are always named;
// changed rows are when no transaction of the time before changed nearly as many of that table.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/forensics/deeds.hpp"

namespace lifeboat::forensics {

// What was usual for one table.
struct Usual {
  struct Verb {
    uint64_t transactions = 0;
    uint64_t rows = 0;
    uint64_t most = 0;  // by one transaction
  };
  std::array<Verb, 3> verbs;  // deleted, updated, inserted
  uint64_t truncated = 0;
};

class Baseline {
 public:
  void add(const Transaction& transaction, const std::vector<Deed>& deeds);
  const Usual& of(TableKey key) const;

  uint64_t transactions = 0;
  uint64_t rows = 0;
  uint64_t dropped = 0;  // tables
  Moment from{};         // of its first and last commit
  Moment to{};
  std::string span() const;  // "the hour before", "the 12 min before"
  // Tables that came into being while the log was read; also called for those after the baseline.
  void note_birth(const Transaction& transaction);
  std::optional<Moment> born(TableKey key) const;

 private:
  static constexpr size_t kMostTables = 200'000;
  std::map<TableKey, Usual> tables_;
  std::map<TableKey, Moment> born_;
};

// A position to restore to, so that the transaction is not there and all before it is.
struct Before {
  uint32_t xid = 0;  // stop before this transaction commits; 0: that would be too late (DROP DATABASE), use `lsn`
  Lsn lsn;           // the last record to be replayed begins here
  Moment time{};     // the last moment before it
  bool time_exact = false;  // whether that moment parts exactly what was committed before it
};

struct Finding {
  Transaction transaction;
  std::vector<Deed> deeds;  // the weightiest first
  std::vector<std::string> why;
  double score = 0;
  Before before;
};

struct Judgement {
  double score = 0;
  std::vector<std::string> why;  // for the weightiest deed
};
Judgement judge(const Deed& deed, Moment at, const Baseline& baseline);
Before before(const Transaction& transaction);

// From here on a transaction stands out.
constexpr double kStandsOut = 50;

// Keeps the `most` findings of the highest score that stand out.
class Findings {
 public:
  explicit Findings(size_t most) : most_(most) {}
  // Cheap for what does not stand out.
  void consider(const Transaction& transaction, std::vector<Deed> deeds, const Baseline& baseline,
                const NameBook& names);
  // Newest first, named once more with all that is known at the end.
  std::vector<Finding> take(const NameBook& names);
  uint64_t left_out() const { return left_out_; }

 private:
  size_t most_;
  uint64_t left_out_ = 0;
  std::multimap<double, Finding> kept_;
};

}  // namespace lifeboat::forensics
