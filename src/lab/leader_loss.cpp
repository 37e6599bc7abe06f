#include "lab/leader_loss.hpp"

#include <utility>

#include "lab/lab.hpp"

namespace lifeboat::lab {

LeaderLoss::LeaderLoss(std::string lab, std::string crash_points, std::string region)
    : lab_(std::move(lab)),
      crash_points_(std::move(crash_points)),
      region_(std::move(region)),
      thread_([this](const std::stop_token& stop) { watch(stop); }) {}

void LeaderLoss::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto passed = read_file(crash_points_ + ".passed");
    if (!passed || passed->empty()) {
      pause_for(Duration{10});
      continue;
    }
    auto done = ask_lab(lab_, JsonObject{{"do", "fault"}, {"fault", "kill-region"}, {"target", region_}});
    if (done) {
      died_ns_ = int_or(*done, "at_ns");
    } else {
      died_ns_ = std::unexpected(std::move(done).error());
    }
    return;
  }
}

Result<std::optional<int64_t>> LeaderLoss::end() {
  thread_.request_stop();
  thread_.join();
  return died_ns_;
}

}  // namespace lifeboat::lab
