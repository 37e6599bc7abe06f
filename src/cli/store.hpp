// `lifeboat store status|backup|restore`: the memory of the controllers, asked directly, so that it works when no controller does.
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

}  // namespace lifeboat::cli
