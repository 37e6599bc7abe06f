#include "core/ownership/past.hpp"

#include <utility>

#include "core/ownership/sync_sets.hpp"

namespace lifeboat::ownership {

void was_granted(Past& past, bool goes_on, std::vector<SyncSet> sync) {
  past.led = past.led && goes_on;
  past.restored = false;
  past.sync_sets = std::move(sync);
}

bool tells_of_writes(std::string_view note) { return note == "promoted" || note == "holder-writable"; }

void took_writes(Past& past) {
  past.ever_written = past.led = true;
  past.restored = false;
}

void left_terms_out(Past& past, uint64_t above) {
  past.above = above;
  past.restored = true;
  past.sync_sets = unknown_sets("");
}

}  // namespace lifeboat::ownership
