#include "core/member/slots.hpp"

#include <algorithm>

namespace lifeboat {

SlotChanges slot_changes(bool primary, const std::string& own, const std::vector<std::string>& others,
                         const std::vector<Slot>& there) {
  SlotChanges out;
  std::vector<std::string> stay;
  for (const Slot& slot : there) {
    bool of_another = std::ranges::find(others, slot.name) != others.end();
    bool useless = slot.name == own || (of_another && (!primary || slot.lost));
    (useless && !slot.active ? out.drop : stay).push_back(slot.name);
  }
  for (const std::string& wanted : others) {
    if (primary && std::ranges::find(stay, wanted) == stay.end()) out.make.push_back(wanted);
  }
  return out;
}

}  // namespace lifeboat
