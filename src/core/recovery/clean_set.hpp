// Which backup has no damaged page, by what was found while it was copied.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/recovery/catalogue.hpp"

namespace lifeboat::recovery {

// pgBackRest's list of sets says "no errors" also of one whose pages nobody checked (--no-checksum-page, or a cluster that had no checksums
// then); its index, backup.info, tells which were. `page_errors` of a set of which it does not say so becomes unknown, unless there are
// some.
void forget_unchecked(Catalogue& catalogue, std::string_view index);

struct CleanSet {
  std::optional<BackupSet> newest_clean;  // its pages were all checked and none was damaged
  std::vector<std::string> damaged;       // labels of newer sets in which pages were
  std::vector<std::string> unchecked;     // labels of newer sets of which it is not known
};
// A set that refers to others holds their pages too, so it is clean only if these are.
CleanSet newest_clean_set(const Catalogue& catalogue);
std::string in_words(const CleanSet& found);

}  // namespace lifeboat::recovery
