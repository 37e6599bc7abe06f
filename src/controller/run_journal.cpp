#include "controller/run_journal.hpp"

#include <fmt/format.h>

#include <fstream>

namespace lifeboat {

std::string stream_of(std::string_view run_id) { return fmt::format("run/{}", run_id); }

std::vector<NewEvent> to_store(const std::string& run_id, const std::vector<run::Event>& events) {
  std::vector<NewEvent> out;
  out.reserve(events.size());
  for (const run::Event& event : events)
    out.push_back({stream_of(run_id), std::string(run::kind_of(event)), run::encode_event(event)});
  return out;
}

Task<Result<std::vector<StoredEvent>>> read_all(Store& store, EventFilter filter) {
  constexpr size_t kPage = 10'000;
  std::vector<StoredEvent> all;
  filter.limit = kPage;
  while (true) {
    auto page = co_await store.read(filter);
    if (!page) co_return std::unexpected(std::move(page).error());
    size_t got = page->size();
    std::ranges::move(*page, std::back_inserter(all));
    if (got < kPage) co_return all;
    filter.after = all.back().seq;
  }
}

Task<Result<std::vector<StoredEvent>>> read_run(Store& store, std::string run_id) {
  EventFilter filter;
  filter.stream = stream_of(run_id);
  return read_all(store, std::move(filter));
}

Result<run::RunState> fold_stored(const std::string& id, std::span<const StoredEvent> stored) {
  std::vector<run::Event> events;
  events.reserve(stored.size());
  for (const StoredEvent& one : stored) {
    auto event = run::decode_event(one.kind, one.body);
    if (!event) {
      return std::unexpected(
          std::move(event).error().with(fmt::format("run {}, event {} of the journal", id, one.seq)));
    }
    events.push_back(std::move(*event));
  }
  return run::fold(id, events);
}

std::string current_boot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return boot;
}

}  // namespace lifeboat
