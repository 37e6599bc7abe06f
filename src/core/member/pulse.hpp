// Whether a server lives, by what it answers and by what it does. One that has more to do than it can answers late, and to take it
// for dead would put its users on a server that then has as much to do; so silence alone counts only of one that does nothing either.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/base/time.hpp"

namespace lifeboat {

class Pulse {
 public:
  explicit Pulse(MonoTime began = {}) : began_(began) {}

  // A server that answers nothing for this share of the lease is taken for hung: a stall that is shorter moves nothing, and
  // one that is longer is noticed as soon as a host that is lost.
  static constexpr double kHungAfter = 0.85;
  // One whose processes ran within this share of the lease is at work, and is given this many leases.
  static constexpr double kStillAfter = 0.5;
  static constexpr int kHungAtWorkAfter = 5;

  // A question of its session, or a knock of a new user. It is silent since the first that is without an answer.
  enum Question { look, knock };

  // What was asked before this server began was asked of another one.
  void asked(Question what, MonoTime at) {
    if (!since_[what]) since_[what] = std::max(at, began_);
  }
  void answered(Question what) { since_[what].reset(); }
  bool waits_for(Question what) const { return since_[what].has_value(); }

  // The processor time that its processes used so far, in any unit.
  void used(int64_t work, MonoTime now) {
    if (work == work_) return;
    work_ = work;
    worked_at_ = now;
  }

  MonoTime::duration silent_for(MonoTime now) const {
    MonoTime since = now;
    for (const auto& each : since_) since = std::min(since, each.value_or(since));
    return now - since;
  }

  bool hung(MonoTime now, Duration lease) const {
    MonoTime::duration silent = silent_for(now);
    bool at_work = worked_at_ && now - *worked_at_ < lease * kStillAfter;
    return at_work ? silent >= lease * kHungAtWorkAfter : silent >= lease * kHungAfter;
  }

 private:
  MonoTime began_;
  std::optional<MonoTime> since_[2];
  int64_t work_ = 0;
  std::optional<MonoTime> worked_at_;
};

}  // namespace lifeboat
