#include "core/backup/second.hpp"

#include <fmt/format.h>

#include "core/recovery/window.hpp"

namespace lifeboat::backup {

std::string second_lacks(const recovery::Catalogue* first, const recovery::Catalogue* second) {
  if (first == nullptr || first->sets.empty()) return {};
  if (second == nullptr || second->sets.empty()) return "it has no backup";
  const recovery::BackupSet& newest = second->sets.back();
  if (newest.started < first->sets.back().stopped)
    return fmt::format("its newest backup is {}, and the first repository has {}", newest.label,
                       first->sets.back().label);
  auto window = recovery::window_of(*second);
  if (!window || window->reach.empty()) return "no backup of it is on the history of its newest log";
  // What is missing before its newest backup spoils older ones only, as in the first.
  const recovery::Reach& last = window->reach.back();
  if (!last.unusable.empty())
    return fmt::format("its newest backup {} cannot be restored: {}", last.set, last.unusable);
  if (last.to_end || window->gaps.empty()) return {};
  const recovery::Gap& gap = window->gaps.back();
  return fmt::format("log is missing in it from {} to {}",
                     recovery::segment_name(gap.timeline, gap.first, second->segment_bytes),
                     recovery::segment_name(gap.timeline, gap.last, second->segment_bytes));
}

}  // namespace lifeboat::backup
