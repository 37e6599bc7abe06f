// Something that is tried again and again: for how long it has failed without a success in between. Counted up to the last attempt, so
// that one failure before a long pause is one failure. Pure.
#pragma once

#include <optional>

#include "core/base/time.hpp"

namespace lifeboat::backup {

class Failing {
 public:
  void went_well() { since_.reset(); }
  // For how long by now.
  Duration failed(MonoTime now) {
    if (!since_) since_ = now;
    return to_duration(now - *since_);
  }

 private:
  std::optional<MonoTime> since_;
};

}  // namespace lifeboat::backup
