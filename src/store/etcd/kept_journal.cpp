#include "store/etcd/kept_journal.hpp"

namespace lifeboat::etcd {

bool is_wanted(const EventFilter& filter, const StoredEvent& event) {
  return event.seq > filter.after && (filter.stream.empty() || event.stream == filter.stream) &&
         event.stream.starts_with(filter.stream_prefix);
}

KeptJournal::KeptJournal(size_t most_bytes) : most_bytes_(most_bytes) {}

bool KeptJournal::has(const StoredEvent& event) const {
  return event.seq >= 1 && event.seq <= end() && events_[event.seq - 1].hash == event.hash;
}

void KeptJournal::add(const std::vector<StoredEvent>& write) {
  std::vector<Kept> fresh;
  size_t bytes = bytes_;
  for (const StoredEvent& event : write) {
    if (event.seq != end() + fresh.size() + 1) return;
    fresh.push_back({event.at, event.stream, event.kind, to_canonical_text(event.body), event.hash});
    const Kept& kept = fresh.back();
    bytes += sizeof(Kept) + kept.stream.size() + kept.kind.size() + kept.body.size() + kept.hash.size();
  }
  if (bytes > most_bytes_) return;
  bytes_ = bytes;
  std::ranges::move(fresh, std::back_inserter(events_));
}

Result<void> KeptJournal::give(const EventFilter& filter, uint64_t until, std::vector<StoredEvent>& out) const {
  for (uint64_t seq = filter.after + 1; seq <= std::min(until, end()) && out.size() < filter.limit; ++seq) {
    const Kept& kept = events_[seq - 1];
    StoredEvent event{seq, kept.at, kept.stream, kept.kind, {}, kept.hash};
    if (!is_wanted(filter, event)) continue;
    TRY(event.body, parse_json(kept.body));
    out.push_back(std::move(event));
  }
  return {};
}

void KeptJournal::clear() {
  events_.clear();
  bytes_ = 0;
}

}  // namespace lifeboat::etcd
