#include "core/base/similar.hpp"

#include <algorithm>
#include <vector>

namespace lifeboat {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t row = 0; row <= a.size(); ++row) cost[row][0] = row;
  for (size_t column = 0; column <= b.size(); ++column) cost[0][column] = column;
  for (size_t row = 1; row <= a.size(); ++row) {
    for (size_t column = 1; column <= b.size(); ++column) {
      size_t change = a[row - 1] == b[column - 1] ? 0 : 1;
      cost[row][column] =
          std::min({cost[row - 1][column] + 1, cost[row][column - 1] + 1, cost[row - 1][column - 1] + change});
      bool swapped = row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1];
      if (swapped) cost[row][column] = std::min(cost[row][column], cost[row - 2][column - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  // A word from outside may be megabytes long; no name of ours is.
  if (word.size() > 64) return {};
  std::string best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 64) continue;
    size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  std::string best = nearest(word, candidates);
  return best.empty() ? best : "did you mean '" + best + "'?";
}

}  // namespace lifeboat
