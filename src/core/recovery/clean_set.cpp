#include "core/recovery/clean_set.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/base/split.hpp"
#include "core/data/json.hpp"

namespace lifeboat::recovery {
namespace {

enum class State { clean, damaged, unchecked };

State state_of(const Catalogue& catalogue, const BackupSet& set) {
  State out = !set.page_errors ? State::unchecked : *set.page_errors ? State::damaged : State::clean;
  for (const std::string& label : set.references) {
    auto other = std::ranges::find(catalogue.sets, label, &BackupSet::label);
    bool unknown = other == catalogue.sets.end() || !other->page_errors;
    if (!unknown && *other->page_errors) return State::damaged;
    if (unknown && out == State::clean) out = State::unchecked;
  }
  return out;
}

}  // namespace

void forget_unchecked(Catalogue& catalogue, std::string_view index) {
  std::set<std::string, std::less<>> checked;
  bool current = false;
  for (const std::string& line : lines_of(index)) {
    if (line.starts_with('[')) current = line == "[backup:current]";
    size_t equals = line.find('=');
    if (!current || equals == std::string::npos) continue;
    auto about = parse_json(std::string_view(line).substr(equals + 1));
    if (about && bool_or(*about, "option-checksum-page")) checked.insert(line.substr(0, equals));
  }
  for (BackupSet& set : catalogue.sets) {
    if (!set.page_errors.value_or(false) && !checked.contains(set.label)) set.page_errors.reset();
  }
}

CleanSet newest_clean_set(const Catalogue& catalogue) {
  CleanSet out;
  std::vector<BackupSet> sets = catalogue.sets;
  std::ranges::sort(sets, std::ranges::greater{}, &BackupSet::stopped);
  for (const BackupSet& set : sets) {
    switch (state_of(catalogue, set)) {
      case State::clean: out.newest_clean = set; return out;
      case State::damaged: out.damaged.push_back(set.label); break;
      case State::unchecked: out.unchecked.push_back(set.label); break;
    }
  }
  return out;
}

std::string in_words(const CleanSet& found) {
  std::string out = found.newest_clean
                        ? fmt::format("The newest backup without damaged pages is {} of {}", found.newest_clean->label,
                                      moment_in_words(found.newest_clean->stopped))
                        : std::string("No backup is known to be without damaged pages");
  if (!found.damaged.empty()) out += fmt::format("; damaged pages are in {}", fmt::join(found.damaged, ", "));
  if (!found.unchecked.empty()) out += fmt::format("; not checked: {}", fmt::join(found.unchecked, ", "));
  return out + ".";
}

}  // namespace lifeboat::recovery
