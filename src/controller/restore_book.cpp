#include "controller/restore_book.hpp"

#include <fmt/format.h>

#include "controller/run_journal.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "io/clock.hpp"

namespace lifeboat {
namespace {

constexpr std::string_view kStreams = "restore-times/";
constexpr std::string_view kMeasured = "restore-measured";
// More than a forecast looks at and a person reads; the journal has them all.
constexpr size_t kKept = 200;

std::string in_words(const std::string& service, const recovery::RestoreTiming& timing) {
  std::string what = fmt::format("{} of {} from {} on {}", timing.drill ? "restore drill" : "restore", service,
                                 timing.backup.empty() ? "its backups" : timing.backup, timing.host);
  if (timing.bytes == 0) return fmt::format("{}: {}", what, timing.problem);
  return fmt::format("{}: {:.1f} s, {}", what, timing.seconds, timing.problem.empty() ? "sound" : timing.problem);
}

}  // namespace

Json forecast_in_json(const std::string& service, const std::optional<recovery::Forecast>& forecast, Duration rto) {
  if (!forecast) {
    std::string text = fmt::format("{}: no restore was measured yet; a step postgres.restore-drill does", service);
    return JsonObject{{"service", service},     {"text", text},          {"samples", 0},
                      {"expected_ms", nullptr}, {"longest_ms", nullptr}, {"per_month_ms", nullptr},
                      {"fits", nullptr}};
  }
  bool fits = forecast->longest <= rto;
  std::string judged = fits ? fmt::format("within the RTO of {}", format_span(rto))
                            : fmt::format("LONGER THAN THE RTO of {}", format_span(rto));
  return JsonObject{{"service", service},
                    {"text", fmt::format("{}: {}, {}", service, recovery::in_words(*forecast), judged)},
                    {"samples", forecast->samples},
                    {"expected_ms", forecast->expected.count()},
                    {"longest_ms", forecast->longest.count()},
                    {"per_month_ms", forecast->per_month ? Json(forecast->per_month->count()) : Json(nullptr)},
                    {"fits", fits}};
}

Task<Result<>> RestoreBook::start() {
  EventFilter filter{.stream_prefix = std::string(kStreams)};
  CO_TRY(std::vector<StoredEvent> events, co_await read_all(store_, std::move(filter)));
  for (const StoredEvent& event : events) fold(event);
  co_return Result<>{};
}

void RestoreBook::fold(const StoredEvent& event) {
  if (event.kind != kMeasured || !event.stream.starts_with(kStreams)) return;
  auto timing = decode<recovery::RestoreTiming>(member(event.body, "data"));
  if (!timing) return;  // of a newer version
  auto& kept = by_service_[event.stream.substr(kStreams.size())];
  kept.push_back(std::move(*timing));
  if (kept.size() > kKept) kept.erase(kept.begin());
}

std::vector<recovery::RestoreTiming> RestoreBook::of(std::string service) {
  auto found = by_service_.find(service);
  return found == by_service_.end() ? std::vector<recovery::RestoreTiming>{} : found->second;
}

Task<Result<void>> RestoreBook::measured(std::string service, recovery::RestoreTiming timing) {
  JsonObject body{{"text", in_words(service, timing)},
                  {"boot_ns", boot_now().time_since_epoch().count()},
                  {"data", encode(timing)}};
  NewEvent event{std::string(kStreams) + service, std::string(kMeasured), std::move(body)};
  std::vector<NewEvent> events{std::move(event)};
  CO_TRY(std::vector<StoredEvent> stored, co_await store_.append(std::move(events)));
  for (const StoredEvent& one : stored) fold(one);
  co_return Result<void>{};
}

}  // namespace lifeboat
