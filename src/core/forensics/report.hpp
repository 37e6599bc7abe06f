// What forensics found, as data: for the page, the terminal, and the search for the last clean moment.
#pragma once

#include <string>
#include <vector>

#include "core/data/json.hpp"
#include "core/forensics/judge.hpp"
#include "core/forensics/oddities.hpp"
#include "core/forensics/surges.hpp"

namespace lifeboat::forensics {

struct Report {
  Moment from{};
  Moment to{};
  // What of that the log held: its first and last commit within. Empty: no commit at all.
  std::optional<Moment> first;
  std::optional<Moment> last;
  uint64_t transactions = 0;        // committed within
  uint64_t rows = 0;                // changed by them
  uint64_t usual_transactions = 0;  // of the time before
  uint64_t usual_rows = 0;
  std::string usual_span;
  uint64_t records = 0;  // of the log that were looked at
  uint64_t log_bytes = 0;
  Duration took{};
  std::vector<Finding> findings;   // newest first
  uint64_t left_out = 0;           // stood out too, but less than those listed
  std::vector<Surge> surges;       // newest first
  std::vector<std::string> notes;  // what could not be read or named; nothing here: all was
  // For those who look for a position, when they were asked for.
  std::vector<Mark> marks;       // of each commit within
  std::vector<Oddity> oddities;  // oldest first
};

// The finding that a person should look at first; null when there is none.
const Finding* most_unusual(const Report& report);

// {"xid": "before:757", "lsn": …, "time": …, "time_exact": …}; words for `lifeboat restore`.
Json to_json(const Before& before);
Json to_json(const Report& report);
// Lines for a terminal or a pipe, from the report as to_json gives it: so those who asked another host say the same of it.
std::string report_in_words(const Json& report);
std::string in_words(const Report& report);
// "--to-xid before:757", of what to_json gives of a Before.
std::string restore_words(const Json& before);

}  // namespace lifeboat::forensics
