// What hardly any transaction did: rows deleted from a table that nobody else deletes from, however few they were. That is no reason
// to alarm anybody, and where to look first when data turned out to be wrong.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "core/forensics/deeds.hpp"

namespace lifeboat::forensics {

struct Oddity {
  Mark mark;
  Deed deed;
  uint64_t alike = 1;  // transactions of all the log that did the like to that table, this one among them
};

class Oddities {
 public:
  // More than that many did the like: then it is a habit.
  static constexpr uint64_t kMostAlike = 3;

  // `counts`: whether it belongs to the time that is judged, or to the time before.
  void add(const Transaction& transaction, const std::vector<Deed>& deeds, bool counts);
  // Of the time that is judged, oldest first.
  std::vector<Oddity> find(const NameBook& names) const;

 private:
  static constexpr size_t kMostHabits = 200'000;
  struct Habit {
    uint64_t transactions = 0;
    std::vector<Oddity> judged;  // empty once it is a habit
  };
  std::map<std::pair<TableKey, DeedKind>, Habit> habits_;
};

}  // namespace lifeboat::forensics
