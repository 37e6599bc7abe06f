// Waits beside a drill for the leading controller to end itself at a step, and then ends what is left of its region. It must not be
// held up by anything that waits for an answer of a controller.
#pragma once

#include <optional>
#include <string>
#include <thread>

#include "lab/system.hpp"

namespace lifeboat::lab {

class LeaderLoss {
 public:
  // `crash_points`: the controllers' file; `lab`: the lab's folder.
  LeaderLoss(std::string lab, std::string crash_points, std::string region);

  // When the region died; empty as long as no controller came to that step. The error is the lab's.
  Result<std::optional<int64_t>> end();

 private:
  void watch(const std::stop_token& stop);
  std::string lab_, crash_points_, region_;
  Result<std::optional<int64_t>> died_ns_{std::nullopt};
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace lifeboat::lab
