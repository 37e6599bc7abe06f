#include "core/forensics/oddities.hpp"

#include <algorithm>

namespace lifeboat::forensics {

void Oddities::add(const Transaction& transaction, const std::vector<Deed>& deeds, bool counts) {
  for (const Deed& deed : deeds) {
    // Whatever else can be done to a table stands out by itself.
    if (deed.kind < DeedKind::deleted) continue;
    std::pair key{deed.key, deed.kind};
    if (habits_.size() >= kMostHabits && !habits_.contains(key)) continue;
    Habit& habit = habits_[key];
    if (++habit.transactions > kMostAlike) {
      habit.judged.clear();
    } else if (counts) {
      habit.judged.push_back({mark_of(transaction), deed});
    }
  }
}

std::vector<Oddity> Oddities::find(const NameBook& names) const {
  std::vector<Oddity> out;
  for (const auto& [what, habit] : habits_) {
    for (Oddity one : habit.judged) {
      one.alike = habit.transactions;
      one.deed.table = names.say(one.deed.file, one.mark.lsn);
      out.push_back(std::move(one));
    }
  }
  std::ranges::sort(out, {}, [](const Oddity& one) { return one.mark.lsn; });
  return out;
}

}  // namespace lifeboat::forensics
