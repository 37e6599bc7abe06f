#include "core/recovery/forecast.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lifeboat::recovery {
namespace {

constexpr size_t kCounting = 20;
constexpr size_t kTrendOf = 3;
constexpr auto kTrendSpan = std::chrono::hours(24);
constexpr double kMonth = 30 * 86'400.0;
// Of this share of the time is a change that nobody needs to hear of.
constexpr double kNoTrend = 0.02;

Duration of_seconds(double seconds) { return Duration{std::llround(seconds * 1000)}; }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double most(const std::vector<double>& values) { return values.empty() ? 0 : std::ranges::max(values); }

// Theil and Sen: the median of the slopes between all pairs, which one restore on a busy host does not move.
std::optional<Duration> growth(const std::vector<RestoreTiming>& measured) {
  if (measured.size() < kTrendOf || measured.back().at - measured.front().at < kTrendSpan) return std::nullopt;
  std::vector<double> slopes;
  for (size_t later = 1; later < measured.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      double apart = std::chrono::duration<double>(measured[later].at - measured[earlier].at).count();
      if (apart > 0) slopes.push_back((measured[later].seconds - measured[earlier].seconds) / apart * kMonth);
    }
  }
  return of_seconds(median(std::move(slopes)));
}

}  // namespace

bool speaks_of_the_backup(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::refused:
    case ErrorKind::not_found: return true;
    default: return false;
  }
}

std::optional<Forecast> forecast(std::vector<RestoreTiming> measured, uint64_t bytes) {
  std::erase_if(measured, [](const RestoreTiming& one) { return one.bytes == 0 || one.seconds <= 0; });
  if (measured.empty()) return std::nullopt;
  std::ranges::sort(measured, {}, &RestoreTiming::at);
  if (measured.size() > kCounting) measured.erase(measured.begin(), measured.end() - kCounting);
  if (bytes == 0) bytes = measured.back().bytes;

  std::vector<double> copies, replays, rests;
  std::vector<RestoreTiming> whole;
  for (const RestoreTiming& one : measured) {
    copies.push_back(one.copy_seconds / static_cast<double>(one.bytes));
    rests.push_back(std::max(0.0, one.seconds - one.copy_seconds - one.replay_seconds));
    // One that stops where the backup ends replays next to nothing, and says nothing of what replay takes.
    if (one.target == "immediate") continue;
    replays.push_back(one.replay_seconds);
    whole.push_back(one);
  }
  double size = static_cast<double>(bytes);
  Forecast out{.samples = measured.size(), .newest = measured.back().at};
  out.expected = of_seconds(median(copies) * size + median(replays) + median(rests));
  out.longest = of_seconds(most(copies) * size + most(replays) + most(rests));
  out.per_month = growth(whole);
  return out;
}

std::string in_words(const Forecast& forecast) {
  std::string out = fmt::format("about {}, {} at worst, by {} restore{}, the last {}", format_span(forecast.expected),
                                format_span(forecast.longest), forecast.samples, forecast.samples == 1 ? "" : "s",
                                moment_in_words(std::chrono::floor<std::chrono::seconds>(forecast.newest)));
  if (!forecast.per_month) return out;
  Duration change = *forecast.per_month;
  double share = to_seconds(change) / std::max(0.001, to_seconds(forecast.expected));
  if (std::abs(share) < kNoTrend) return out + "; no longer than before";
  return out + fmt::format("; {} {} each month", format_span(change < Duration{0} ? -change : change),
                           change < Duration{0} ? "less" : "more");
}

}  // namespace lifeboat::recovery
