#include "core/clean_point/costs.hpp"

#include <algorithm>

namespace lifeboat::clean_point {
namespace {

// So many commits take longer than stopping behind them.
constexpr size_t kLongWay = 500;
constexpr double kLeastStep = 0.005, kLeastRestore = 0.1;

}  // namespace

void learn(Costs& costs, const Move& move) {
  if (move.fresh) {
    double replay = costs.per_commit * static_cast<double>(move.to);
    costs.restore = std::max(kLeastRestore, move.seconds - replay - costs.step);
    return;
  }
  auto commits = static_cast<double>(move.to - move.from);
  if (move.to - move.from >= kLongWay) {
    costs.per_commit = std::max(0.0, move.seconds - costs.step) / commits;
  } else {
    costs.step = std::max(kLeastStep, move.seconds - costs.per_commit * commits);
  }
}

}  // namespace lifeboat::clean_point
