#include "core/recovery/anomaly.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::recovery {
namespace {

double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double ratio_of(const BackupSet& set) {
  return set.repository_copied_bytes == 0
             ? 0
             : static_cast<double>(set.copied_bytes) / static_cast<double>(set.repository_copied_bytes);
}

bool differs(double value, double usual, double factor) {
  return usual > 0 && (value > usual * factor || value < usual / factor);
}

std::string megabytes(double bytes) { return fmt::format("{:.1f} MB", bytes / 1e6); }

}  // namespace

std::vector<Anomaly> anomalies_of(const std::vector<BackupSet>& sets, const std::vector<Entropy>& measured,
                                  size_t newest, const AnomalyLimits& limits) {
  std::vector<Anomaly> out;
  size_t begin = sets.size() - std::min(newest, sets.size());
  for (size_t index = begin; index < sets.size(); ++index) {
    const BackupSet& set = sets[index];
    auto complain = [&](std::string what) { out.push_back({set.label, std::move(what)}); };
    if (set.page_errors.value_or(false)) complain("page checksums failed while it was copied");
    auto entropy = std::ranges::find(measured, set.label, &Entropy::set);
    if (entropy != measured.end() && entropy->bits > limits.entropy_bits)
      complain(fmt::format("{:.2f} bits per byte: looks encrypted", entropy->bits));
    std::vector<double> sizes, ratios, copied;
    for (size_t before = 0; before < begin; ++before) {
      const BackupSet& other = sets[before];
      sizes.push_back(static_cast<double>(other.bytes));
      if (other.type != set.type) continue;
      if (ratio_of(other) > 0) ratios.push_back(ratio_of(other));
      copied.push_back(static_cast<double>(other.copied_bytes));
    }
    double size = static_cast<double>(set.bytes);
    if (sizes.size() >= limits.least_history && differs(size, median(sizes), limits.size_factor))
      complain(fmt::format("the database is {}, usually {}", megabytes(size), megabytes(median(sizes))));
    if (ratios.size() >= limits.least_history && differs(ratio_of(set), median(ratios), limits.compression_factor))
      complain(fmt::format("compresses {:.1f} : 1, usually {:.1f} : 1", ratio_of(set), median(ratios)));
    double change = static_cast<double>(set.copied_bytes);
    bool partly = set.type != BackupType::full;
    if (partly && copied.size() >= limits.least_history && change > median(copied) * limits.change_factor)
      complain(fmt::format("{} changed, usually {}", megabytes(change), megabytes(median(copied))));
  }
  return out;
}

}  // namespace lifeboat::recovery
