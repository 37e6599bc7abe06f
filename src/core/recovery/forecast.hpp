// How long a restore is going to take, by those that were measured before. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/data/describe.hpp"
#include "core/recovery/moment.hpp"

namespace lifeboat::recovery {

// One restore that was made: for real, or only to see whether it can be. It stands in the journal.
struct RestoreTiming {
  Moment at;            // when it had ended
  std::string backup;   // label of the set it began with
  std::string host;     // where it was made
  std::string target;   // kind of its target: latest, time, immediate, …
  std::string by;       // the run, or the person
  bool drill = false;   // only to see whether it can be
  std::string problem;  // why what came out cannot be trusted, or why nothing came out; empty: it is sound
  uint64_t bytes = 0;   // of the database; 0: nothing came out
  double seconds = 0;   // of all of it
  double copy_seconds = 0;
  double replay_seconds = 0;
};
BOOST_DESCRIBE_STRUCT(RestoreTiming, (),
                      (at, backup, host, target, by, drill, problem, bytes, seconds, copy_seconds, replay_seconds))
constexpr auto field_docs(const RestoreTiming*) {
  return std::to_array<FieldDoc>({{"at", Need::required, "when it had ended"},
                                  {"backup", Need::optional, "label of the set it began with"},
                                  {"host", Need::optional, "where it was made"},
                                  {"target", Need::optional, "kind of its target"},
                                  {"by", Need::optional, "the run, or the person"},
                                  {"drill", Need::optional, "it was only to see whether it can be"},
                                  {"problem", Need::optional, "why it cannot be trusted; empty: it is sound"},
                                  {"bytes", Need::optional, "of the database"},
                                  {"seconds", Need::optional, "of all of it"},
                                  {"copy_seconds", Need::optional, "of these, copying files"},
                                  {"replay_seconds", Need::optional, "of these, replaying log"}});
}

// Whether an error that a restore ended with says something of the backup, and not only that nobody answered, that time ran out, or that
// it was asked for in a way that cannot be.
bool speaks_of_the_backup(ErrorKind kind);

struct Forecast {
  size_t samples = 0;                 // restores it goes by
  Moment newest{};                    // of them
  Duration expected{};                // as they usually went
  Duration longest{};                 // with the slowest copy, the longest replay and the longest rest that were seen
  std::optional<Duration> per_month;  // by how much it grows; empty: too few, or all within a day
  bool operator==(const Forecast&) const = default;
};

// Of a database of `bytes` (0: as large as it was last). Copying is taken to last in proportion to the size, replay and the rest as
// long as they did. The newest twenty count. Empty when nothing was measured yet.
std::optional<Forecast> forecast(std::vector<RestoreTiming> measured, uint64_t bytes);

// "about 1.9 s, 2.4 s at worst, by 8 restores, the last 2026-11-28 17:03:11 UTC; 0.2 s more each month".
std::string in_words(const Forecast& forecast);

}  // namespace lifeboat::recovery
