// In which run the writes were lost that an old primary brought back later: the one during which its successor was promoted.
// The savings themselves come when the old primary is back, often in the run of the way back, or when no run is open.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace lifeboat {

class OrphanRuns {
 public:
  // Every event of the journal, in its order.
  void see(const StoredEvent& event);
  // ID of that run ("R-3"); empty when they were lost outside of any.
  std::string run_of(const StoredEvent& saved) const;

 private:
  struct Run {
    std::string id;
    WallTime opened;
    WallTime ended = WallTime::max();
  };
  struct Promotion {
    uint64_t timeline = 0;
    WallTime at;
  };
  std::vector<Run> runs_;
  std::map<std::string, std::vector<Promotion>> promoted_;  // by stream
};

}  // namespace lifeboat
