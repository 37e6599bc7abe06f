#include "core/recovery/anomaly.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::recovery {
namespace {

using History = std::vector<const BackupSet*>;

double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double ratio(uint64_t data, uint64_t stored) {
  return stored == 0 ? 0 : static_cast<double>(data) / static_cast<double>(stored);
}
// Of the whole database as it would come back from the set, with all that it refers to: comparable whatever the type.
double whole_ratio(const BackupSet& set) { return ratio(set.bytes, set.repository_bytes); }
// Of what this very backup copied.
double copied_ratio(const BackupSet& set) { return ratio(set.copied_bytes, set.repository_copied_bytes); }

bool differs(double value, double usual, double factor) {
  return usual > 0 && (value > usual * factor || value < usual / factor);
}

std::string megabytes(double bytes) { return fmt::format("{:.1f} MB", bytes / 1e6); }
std::string compresses(double now, double usual) {
  return fmt::format("compresses {:.1f} : 1, usually {:.1f} : 1", now, usual);
}

std::string compression_differs(const BackupSet& set, const History& history, const AnomalyLimits& limits) {
  double now = whole_ratio(set);
  std::vector<double> before;
  for (const BackupSet* other : history) {
    if (whole_ratio(*other) > 0) before.push_back(whole_ratio(*other));
  }
  if (now <= 0 || before.empty()) return {};
  if (before.size() >= limits.least_history && differs(now, median(before), limits.compression_factor))
    return compresses(now, median(before));
  // The best, not the usual: what gets worse a little with each backup is seen in the end.
  double best = std::ranges::max(before);
  return now < best / limits.gross_factor ? compresses(now, best) : std::string();
}

std::string size_differs(const BackupSet& set, const History& history, const AnomalyLimits& limits) {
  std::vector<double> before;
  for (const BackupSet* other : history) before.push_back(static_cast<double>(other->bytes));
  double size = static_cast<double>(set.bytes);
  if (before.size() < limits.least_history || !differs(size, median(before), limits.size_factor)) return {};
  return fmt::format("the database is {}, usually {}", megabytes(size), megabytes(median(before)));
}

// Of an incremental or a differential, against those of its type.
std::vector<std::string> changes_differ(const BackupSet& set, const History& history, const AnomalyLimits& limits) {
  std::vector<std::string> out;
  double change = static_cast<double>(set.copied_bytes);
  if (set.type == BackupType::full || change < static_cast<double>(set.bytes) * limits.change_share) return out;
  std::vector<double> ratios, copied;
  for (const BackupSet* other : history) {
    if (other->type != set.type) continue;
    if (copied_ratio(*other) > 0) ratios.push_back(copied_ratio(*other));
    copied.push_back(static_cast<double>(other->copied_bytes));
  }
  double now = copied_ratio(set);
  if (ratios.size() >= limits.least_history && now > 0 && now < median(ratios) / limits.compression_factor)
    out.push_back("what changed " + compresses(now, median(ratios)));
  if (copied.size() >= limits.least_history && change > median(copied) * limits.change_factor)
    out.push_back(fmt::format("{} changed, usually {}", megabytes(change), megabytes(median(copied))));
  return out;
}

std::vector<Anomaly> wrong_with(const BackupSet& set, const History& history, const AnomalyLimits& limits) {
  std::vector<Anomaly> out;
  auto complain = [&](std::string what) {
    if (!what.empty()) out.push_back({set.label, std::move(what)});
  };
  if (set.page_errors.value_or(false)) complain("page checksums failed while it was copied");
  complain(size_differs(set, history, limits));
  std::string compression = compression_differs(set, history, limits);
  bool all_of_it = !compression.empty();
  complain(std::move(compression));
  // A differential of a database that was encrypted is one finding, not three.
  if (!all_of_it) {
    for (std::string& what : changes_differ(set, history, limits)) complain(std::move(what));
  }
  return out;
}

// What a person has looked at, and of it what looks like the newest: that is how the database should be.
History looked_at(const std::vector<BackupSet>& sets, Moment until, const AnomalyLimits& limits) {
  History out;
  const BackupSet* newest = nullptr;
  for (const BackupSet& set : sets) {
    if (set.stopped <= until) newest = &set;
  }
  for (const BackupSet& set : sets) {
    if (set.stopped > until) continue;
    bool alike = !differs(whole_ratio(set), whole_ratio(*newest), limits.compression_factor) &&
                 !differs(static_cast<double>(set.bytes), static_cast<double>(newest->bytes), limits.size_factor);
    if (alike) out.push_back(&set);
  }
  return out;
}

}  // namespace

std::vector<Anomaly> anomalies_of(const std::vector<BackupSet>& sets, std::optional<Moment> looked_until,
                                  const AnomalyLimits& limits) {
  std::vector<Anomaly> out;
  History history;
  if (looked_until) history = looked_at(sets, *looked_until, limits);
  for (const BackupSet& set : sets) {
    if (looked_until && set.stopped <= *looked_until) continue;
    std::vector<Anomaly> wrong = wrong_with(set, history, limits);
    // What looks wrong is nothing that later ones are measured by.
    if (wrong.empty()) history.push_back(&set);
    out.insert(out.end(), wrong.begin(), wrong.end());
  }
  return out;
}

}  // namespace lifeboat::recovery
