// When a target is asked whether it is there. To most, a connection that is opened and closed is nothing; to some it is a process: a
// database server begins one for everybody who knocks, and with an agent on every host knocking, these are more than its users'. Such a target is spared while others of its region show that the region is there.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "core/base/time.hpp"

namespace lifeboat::detection {

inline constexpr Duration kSparedEvery{10'000};

struct Asked {
  std::string target;
  std::string region;
  bool spared = false;
  Duration every{};
};

// Of one vantage point: what it has asked so far.
class Pace {
 public:
  // Whether it is asked now, at one of the times at which it would be (`every`): always while it or its neighbours are silent, else
  // once in kSparedEvery.
  bool is_due(const Asked& what, MonoTime now) const {
    bool region_answers = was_within(answers_of_regions_, what.region, what.every * 3 / 2, now);
    return !what.spared || !region_answers ||
           !was_within(answers_, what.target, std::max(what.every, kSparedEvery), now);
  }
  // It was asked at `asked`, and the answer, or none, was there `now`.
  void heard(const Asked& what, bool answered, MonoTime asked, MonoTime now) {
    if (!answered) {
      answers_.erase(what.target);
      return;
    }
    answers_[what.target] = asked;
    if (!what.spared) answers_of_regions_[what.region] = now;
  }

 private:
  using Times = std::map<std::string, MonoTime>;
  Times answers_;             // by target that answered last time: when it was asked
  Times answers_of_regions_;  // when a target there that is not spared last did

  static bool was_within(const Times& of, const std::string& key, Duration span, MonoTime now) {
    auto found = of.find(key);
    return found != of.end() && now - found->second < span;
  }
};

}  // namespace lifeboat::detection
