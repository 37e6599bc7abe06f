// `lifeboat store status|backup|restore|take-over`: the memory of the controllers, asked directly, so that it works when no controller does.
#pragma once

#include <string>

namespace lifeboat::cli {

struct StoreOptions {
  std::string plan;
  std::string inventory;
  std::string secrets;
  std::string store;  // "etcd" or a file; what the plan says when empty
  std::string file;   // of the copy
  bool json = false;
};

// 0 when all is well; 1 when the journal is not whole, no majority of voters answers, or etcd raised an alarm.
int run_store_status(const StoreOptions& options);
// Writes a copy of everything, as it was at one moment, and reads it again before it says so.
int run_store_backup(const StoreOptions& options);
// Fills an empty store from a copy.
int run_store_restore(const StoreOptions& options);

struct TakeOverOptions {
  StoreOptions store;           // `file` is the journal to be made
  std::string region;           // that goes on alone
  std::string copy;             // what to begin from; empty: what the region's own voter has
  std::vector<std::string> by;  // who decided it
  std::string reason;
};
// For the day on which a majority of regions is lost for good: makes a journal of its own for a controller in a region that is
// left. Refused while a majority of voters answers, and without enough of the people whom the plan names. Terms are granted
// from far above what was seen, so that none is used twice whatever the lost regions granted last.
int run_store_take_over(const TakeOverOptions& options);

}  // namespace lifeboat::cli
