// Asks checks at a copy that stands still.
#pragma once

#include <string>
#include <vector>

#include "core/clean_point/checks.hpp"
#include "core/clean_point/entropy.hpp"
#include "recovery/probe_copy.hpp"

namespace lifeboat::recovery {

struct BuiltIn {
  bool indexes = false;    // amcheck, in databases that have the extension
  bool pages = false;      // checksums of all pages
  bool encrypted = false;  // texts that look encrypted and did not in the backup
};

struct Asked {
  bool locked = false;                // some could not be asked, since an unfinished transaction holds a lock
  std::vector<std::string> failed;    // "name: what came back"
  std::vector<std::string> unsteady;  // names of those that answered now so, now so, at one and the same position
};

Task<Result<Asked>> ask_checks(ProbeCopy& copy, std::vector<clean_point::Check> checks, Deadline deadline);
// By "database.schema.table.column"; whole tables up to 256 MB, samples of larger ones.
Task<Result<clean_point::TextProfile>> profile_texts(ProbeCopy& copy, std::vector<std::string> databases,
                                                     Deadline deadline);
Task<Result<std::vector<std::string>>> databases_of(ProbeCopy& copy, Deadline deadline);
// The statements of amcheck for each database that has it; `notes` names those that have not.
Task<Result<std::vector<clean_point::Check>>> index_checks(ProbeCopy& copy, std::vector<std::string> databases,
                                                           std::vector<std::string>& notes, Deadline deadline);

}  // namespace lifeboat::recovery
