#include "plan/action_names.hpp"

#include <algorithm>
#include <vector>

#include "core/base/similar.hpp"

namespace lifeboat {

std::string nearest_action(std::string_view name, std::span<const std::string> known) {
  size_t dot = name.find('.');
  if (dot == std::string_view::npos) return nearest(name, known);
  std::string best;
  for (const std::string& candidate : known) {
    size_t split = candidate.find('.');
    if (split == std::string::npos) continue;
    std::vector<std::string> family{candidate.substr(0, split)};
    std::vector<std::string> verb{candidate.substr(split + 1)};
    bool near_family = !nearest(name.substr(0, dot), family).empty();
    bool near_verb = !nearest(name.substr(dot + 1), verb).empty();
    bool same_verb = name.substr(dot + 1) == verb.front();
    if (!near_family || !near_verb) continue;
    if (best.empty() || same_verb) best = candidate;
  }
  return best;
}

}  // namespace lifeboat
