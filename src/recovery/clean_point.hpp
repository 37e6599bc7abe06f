// The last clean moment: forensics proposes which transactions may have done the damage, a restored copy that rolls forward
// confirms. Only copies are asked; the repository is read and nothing else is touched.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clean_point/search.hpp"
#include "core/forensics/report.hpp"
#include "recovery/ask_checks.hpp"

namespace lifeboat::recovery {

struct CleanPointRequest {
  RestoreRequest restore;  // repository, folder for the copies, users; `wish.set` when a certain backup is wanted
  Moment from{};           // the damage was done between these
  Moment to{};
  Duration usual{3'600'000};
  std::vector<std::string> catalogs;       // for names, see ForensicsRequest
  std::vector<clean_point::Check> checks;  // without a database: in the only one of users
  BuiltIn built_in;
  std::function<void(const std::string&)> on_reason;  // each line of the reasoning as it comes
};

struct CleanPointReport {
  std::optional<clean_point::NoAnswer> no_answer;  // empty: found
  std::optional<forensics::Mark> last_good;  // the last commit that is in; empty: the point is before all of the span
  std::optional<forensics::Mark> first_bad;
  forensics::Before target;         // for `lifeboat restore`
  std::string did;                  // what the first bad transaction did, where forensics knows
  std::vector<std::string> failed;  // checks at the first bad position; at the beginning, when they fail there already
  std::vector<std::string> put_aside;  // checks that answered now so, now so on the same data
  uint64_t commits = 0;                // of the span
  size_t restores = 0;
  size_t probes = 0;
  double restore_seconds = 0;  // of the first one
  double seconds = 0;
  std::string set;
  std::vector<std::string> reasoning;
  std::vector<std::string> notes;
};
// The `clean_point` object.
Json to_json(const CleanPointReport& report);
// From that object, whichever host has made it.
std::string clean_point_in_words(const Json& report);
std::string in_words(const CleanPointReport& report);

// Errors: those of restore and forensics; `invalid_input` when a check cannot be asked, or none tells anything; `not_found` when nothing was committed
// in the span. The copy is removed at the end, however it ends.
Task<Result<CleanPointReport>> find_clean_point(CleanPointRequest request, Deadline deadline);

}  // namespace lifeboat::recovery
