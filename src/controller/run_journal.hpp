// Runs in the journal: events of core/run as rows of the store, and back.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/run/state.hpp"
#include "io/task.hpp"
#include "store/store.hpp"

namespace lifeboat {

// "run/R-3".
std::string stream_of(std::string_view run_id);

std::vector<NewEvent> to_store(const std::string& run_id, const std::vector<run::Event>& events);

// Everything that matches, page by page; `limit` of the filter is not used. `store` outlives the call.
Task<Result<std::vector<StoredEvent>>> read_all(Store& store, EventFilter filter);
Task<Result<std::vector<StoredEvent>>> read_run(Store& store, std::string run_id);

// The state of a run; invalid_input, naming run and event, when the journal does not fit.
Result<run::RunState> fold_stored(const std::string& id, std::span<const StoredEvent> stored);

// Which boot of the machine this is, as the kernel names it.
std::string current_boot();

}  // namespace lifeboat
