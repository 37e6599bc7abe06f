#include "controller/orphan_runs.hpp"

#include <algorithm>

#include "core/data/json.hpp"
#include "core/run/events.hpp"

namespace lifeboat {
namespace {

// A server may have been promoted by itself before the run was opened that follows from the same outage.
constexpr std::chrono::seconds kBefore{60};
constexpr std::chrono::seconds kAfter{1};

}  // namespace

void OrphanRuns::see(const StoredEvent& event) {
  constexpr std::string_view kRun = "run/";
  if (event.kind == "promoted") {
    auto timeline = static_cast<uint64_t>(int_or(member(event.body, "data"), "timeline"));
    promoted_[event.stream].push_back({timeline, event.at});
  } else if (event.kind == run::RunOpened::kKind && event.stream.starts_with(kRun)) {
    runs_.push_back({event.stream.substr(kRun.size()), event.at});
  } else if (event.kind == run::RunFinished::kKind && event.stream.starts_with(kRun)) {
    auto run = std::ranges::find(runs_, event.stream.substr(kRun.size()), &Run::id);
    if (run != runs_.end()) run->ended = event.at;
  }
}

std::string OrphanRuns::run_of(const StoredEvent& saved) const {
  WallTime lost = saved.at;
  auto left = static_cast<uint64_t>(int_or(member(saved.body, "data"), "timeline"));
  if (auto promoted = promoted_.find(saved.stream); promoted != promoted_.end()) {
    auto next = std::ranges::find_if(promoted->second, [&](const Promotion& one) { return one.timeline > left; });
    if (next != promoted->second.end()) lost = next->at;
  }
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->opened <= lost && lost - kAfter <= run->ended) return run->id;
  }
  for (const Run& run : runs_) {
    if (lost < run.opened && run.opened <= lost + kBefore) return run.id;
  }
  return {};
}

}  // namespace lifeboat
