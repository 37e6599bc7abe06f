// Are the data back? Each check is one thing that was looked at, what was found and what was expected, so that a report can show
// all of them and not only the first that failed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/validation/profile.hpp"

namespace lifeboat {

BOOST_DEFINE_ENUM_CLASS(Verdict, passed, failed, noted, unknown)

struct Check {
  std::string name;  // "rows of public.users"
  Verdict verdict = Verdict::passed;
  std::string text;  // one sentence
  Json found;
  Json expected;
};
BOOST_DESCRIBE_STRUCT(Check, (), (name, verdict, text, found, expected))
constexpr auto field_docs(const Check*) {
  return std::to_array<FieldDoc>({{"name", Need::required, "what was looked at"},
                                  {"verdict", Need::required, "passed, failed, noted or unknown"},
                                  {"text", Need::required, "in words"},
                                  {"found", Need::optional, "what was found"},
                                  {"expected", Need::optional, "what it was held against"}});
}
using Checks = std::vector<Check>;

struct RowBounds {
  double fewer = 0;                    // share of the known rows that may be missing, 0 to 1
  std::optional<double> more;          // share by which a table may have grown since; nothing: as much as it likes
  std::optional<double> more_per_day;  // and per day since the profile was taken
  bool exact = false;                  // nothing may have changed at all: the profile is of the very same moment
};

// Growth below this many rows is never too much: small tables double in a day.
constexpr int64_t kSmallGrowth = 1'000;

// A profile of now against one of before, taken `age` earlier.
Checks judge_against(const DatabaseProfile& before, const DatabaseProfile& now, const RowBounds& bounds, Duration age);
// Without a profile of before: a database without tables or rows is no data.
Checks judge_alone(const DatabaseProfile& now);
// A table that must hold rows, as schema.table or, in schema public, table.
Check judge_not_empty(const DatabaseProfile& now, const std::string& table);
Checks judge_integrity(const Integrity& integrity);

// What cannot be read says nothing either way. A copy that stands just before the end of a transaction still has its locks; they go
// when the copy leads.
Check judge_locked(const std::string& name);
// No check failed and none is unknown.
bool all_hold(const Checks& checks);
// "31 of 33 checks hold. rows of public.users: …" The failed and unknown ones by name, at most `most` of them.
std::string in_words(const Checks& checks, size_t most = 5);

}  // namespace lifeboat
