#include "controller/profile_book.hpp"

#include <fmt/format.h>

#include "controller/run_journal.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "io/clock.hpp"

namespace lifeboat {
namespace {

constexpr std::string_view kStreams = "profiles/";
constexpr std::string_view kTaken = "profile-taken";
// Of each database. What is older than these is in the journal, and too old to hold data against.
constexpr size_t kKept = 40;

std::string in_words(const std::string& service, const KnownProfile& known) {
  std::string text =
      fmt::format("profile of {}, database {}: {} tables, {} rows at {}", service, known.profile.database,
                  known.profile.tables.size(), known.profile.rows(), known.profile.taken);
  if (!known.left_out.empty()) text += fmt::format("; left out for its size: {}", parts_in_words(known.left_out));
  return text;
}

}  // namespace

Task<Result<>> ProfileBook::start() {
  EventFilter filter{.stream_prefix = std::string(kStreams)};
  CO_TRY(std::vector<StoredEvent> events, co_await read_all(store_, std::move(filter)));
  for (const StoredEvent& event : events) fold(event);
  co_return Result<>{};
}

void ProfileBook::fold(const StoredEvent& event) {
  if (event.kind != kTaken || !event.stream.starts_with(kStreams)) return;
  auto known = decode<KnownProfile>(member(event.body, "data"));
  if (!known) return;  // of a newer version
  auto& kept = by_database_[{event.stream.substr(kStreams.size()), known->profile.database}];
  kept.push_back(std::make_shared<const KnownProfile>(std::move(*known)));
  if (kept.size() > kKept) kept.erase(kept.begin());
}

std::shared_ptr<const KnownProfile> ProfileBook::last(std::string service, std::string database,
                                                      std::optional<WallTime> data_until) {
  auto found = by_database_.find({service, database});
  return found == by_database_.end() ? nullptr : newest_of(found->second, data_until);
}

Task<Result<void>> ProfileBook::taken(std::string service, std::shared_ptr<const KnownProfile> profile) {
  JsonObject body{{"text", in_words(service, *profile)},
                  {"boot_ns", boot_now().time_since_epoch().count()},
                  {"data", encode(*profile)}};
  NewEvent event{std::string(kStreams) + service, std::string(kTaken), std::move(body)};
  std::vector<NewEvent> events{std::move(event)};
  CO_TRY(std::vector<StoredEvent> stored, co_await store_.append(std::move(events)));
  for (const StoredEvent& one : stored) fold(one);
  co_return Result<void>{};
}

}  // namespace lifeboat
