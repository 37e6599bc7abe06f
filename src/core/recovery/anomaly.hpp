// Whether the newest backups look like the ones before them. Encrypted by an attacker, emptied, or half of them gone: each shows
// in sizes and in how well the data compress. When something looks wrong, nothing old may be expired before a person has looked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/recovery/catalogue.hpp"

namespace lifeboat::recovery {

struct AnomalyLimits {
  double size_factor = 2.0;         // the database grew or shrank by more than this against the median before it
  double compression_factor = 1.5;  // the data compress worse or better by more than this
  double change_factor = 5.0;       // an incremental or differential copied so many times what they usually do
  double entropy_bits = 7.5;        // per byte of stored text, of 8: what is above looks encrypted
  size_t least_history = 3;         // sets of the same type before it; with fewer nothing can be said
};

// Bits per byte of the data, measured by whoever took the backup.
struct Entropy {
  std::string set;
  double bits = 0;
};

struct Anomaly {
  std::string set;
  std::string what;  // "compresses 1.1 : 1, usually 4.8 : 1"
};

// Of the `newest` sets last in time. Empty: nothing looks wrong.
std::vector<Anomaly> anomalies_of(const std::vector<BackupSet>& sets, const std::vector<Entropy>& measured = {},
                                  size_t newest = 1, const AnomalyLimits& limits = {});

}  // namespace lifeboat::recovery
