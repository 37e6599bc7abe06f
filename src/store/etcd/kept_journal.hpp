// The beginning of the journal as it was read once. An event never changes after it was written, so whoever folds the journal
// again asks etcd only for what is newer. Each hash covers all before it: where one event is the same, so is everything before.
#pragma once

#include <string>
#include <vector>

#include "store/store.hpp"

namespace lifeboat::etcd {

// Whether a reader asked for it, but for how many.
bool is_wanted(const EventFilter& filter, const StoredEvent& event);

class KeptJournal {
 public:
  // What is beyond is not kept, and read each time.
  explicit KeptJournal(size_t most_bytes);

  // The number of its last event; 0: it is empty.
  uint64_t end() const { return events_.size(); }
  // Whether it has this very event.
  bool has(const StoredEvent& event) const;
  // Keeps the events of one write, if they are those that come next and there is room.
  void add(const std::vector<StoredEvent>& write);
  // Appends those up to `end` that the filter wants.
  Result<void> give(const EventFilter& filter, uint64_t end, std::vector<StoredEvent>& out) const;
  void clear();

 private:
  // Bodies as text, which takes a fraction of what they take as JSON.
  struct Kept {
    WallTime at{};
    std::string stream;
    std::string kind;
    std::string body;
    std::string hash;
  };
  size_t most_bytes_;
  size_t bytes_ = 0;
  std::vector<Kept> events_;
};

}  // namespace lifeboat::etcd
