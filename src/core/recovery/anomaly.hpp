// Which backups look unlike the ones before them. Encrypted by an attacker, emptied, or half of them gone: each shows in sizes and in how
// well the data compress. Text that was encrypted in place keeps its size and does not compress any more; nobody reads the data for
// this, since every backup says how many bytes it is of and how many it takes.
//
// A backup that looked wrong stays so whatever comes after it, until a person has looked: it is no history for later ones, so two
// backups of encrypted data do not make each other usual. Until then nothing may be expired.
//
// What is not seen: data that hardly compressed before (pictures, what the application encrypts itself), and the encryption of a
// small part of a database.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/recovery/catalogue.hpp"

namespace lifeboat::recovery {

struct AnomalyLimits {
  double size_factor = 2.0;         // the database grew or shrank by more than this against the median before it
  double compression_factor = 1.5;  // the data compress worse or better by more than this against the median before it
  // They compress worse by more than this than they did in any backup before: then one is history enough.
  double gross_factor = 1.75;
  double change_factor = 5.0;  // an incremental or differential copied so many times what they usually do
  double change_share = 0.1;   // and at least this part of the database: a quiet night is no measure of a busy day
  size_t least_history = 3;    // backups before it; with fewer nothing is said, but of what is gross
};

struct Anomaly {
  std::string set;
  std::string what;  // "compresses 1.1 : 1, usually 4.8 : 1"
};

// Of all `sets` of one repository, oldest first. A person has looked at those that ended no later than `looked_until`, and said that
// the newest of them is what the database should be: they are history as far as they look like that one. Empty: nothing looks wrong.
std::vector<Anomaly> anomalies_of(const std::vector<BackupSet>& sets, std::optional<Moment> looked_until = {},
                                  const AnomalyLimits& limits = {});

}  // namespace lifeboat::recovery
