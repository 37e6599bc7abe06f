#include "core/ramp/shares.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lifeboat {
namespace {

constexpr double kTolerance = 1.0;  // percentage points

double share_or_zero(const Shares& shares, const std::string& region) {
  auto found = shares.find(region);
  return found == shares.end() ? 0.0 : found->second;
}

struct Wanted {
  std::string region;
  double share = 0;
  int up = 0;
};

// Weights whose largest is about `scale`, and by how much the shares they give miss what is wanted.
std::pair<std::vector<int>, double> attempt(const std::vector<Wanted>& wanted, double largest, int scale) {
  std::vector<int> weights;
  double sum = 0;
  for (const Wanted& entry : wanted) {
    double exact = entry.share / entry.up / largest * scale;
    weights.push_back(std::max(1, static_cast<int>(std::lround(exact))));
    sum += static_cast<double>(weights.back()) * entry.up;
  }
  double miss = 0;
  for (size_t index = 0; index < wanted.size(); ++index) {
    double given = static_cast<double>(weights[index]) * wanted[index].up / sum * 100;
    miss = std::max(miss, std::abs(given - wanted[index].share));
  }
  return {weights, miss};
}

}  // namespace

Result<std::map<std::string, int>> weights_for(const Shares& shares, const std::vector<RegionServers>& servers) {
  double total = 0;
  for (const auto& [region, share] : shares) total += share;
  if (std::abs(total - 100) > 0.01) {
    return fail(ErrorKind::invalid_input, fmt::format("shares add up to {:g} %, not to 100 %", total));
  }
  std::map<std::string, int> out;
  std::vector<Wanted> wanted;
  double largest = 0;
  for (const RegionServers& entry : servers) out[entry.region] = 0;
  for (const auto& [region, share] : shares) {
    if (share <= 0) continue;
    auto found = std::ranges::find(servers, region, &RegionServers::region);
    if (found == servers.end() || found->up == 0) {
      return fail(ErrorKind::unreachable,
                  fmt::format("no server of {} is up, so it cannot take {:g} % of users", region, share),
                  "bring its instances up first (service.scale), or wait for the health checks to see them");
    }
    wanted.push_back({region, share, found->up});
    largest = std::max(largest, share / found->up);
  }
  std::vector<int> best;
  double least_miss = 1e9;
  for (int scale = 1; scale <= kMaxWeight; ++scale) {
    auto [weights, miss] = attempt(wanted, largest, scale);
    if (miss < least_miss - 1e-9) {
      best = weights;
      least_miss = miss;
    }
  }
  for (size_t index = 0; index < wanted.size(); ++index) out[wanted[index].region] = best[index];
  return out;
}

Shares shares_of(const std::vector<WeighedServer>& servers) {
  Shares out;
  double sum = 0;
  for (const WeighedServer& server : servers) {
    double weight = server.up ? server.weight : 0;
    out[server.region] += weight;
    sum += weight;
  }
  if (sum <= 0) return {};
  for (auto& [region, share] : out) share = share / sum * 100;
  return out;
}

bool same_shares(const Shares& one, const Shares& other) {
  auto covered = [](const Shares& left, const Shares& right) {
    return std::ranges::all_of(left, [&](const auto& entry) {
      double there = share_or_zero(right, entry.first);
      // Nothing and a little are not the same, whatever the tolerance.
      return std::abs(entry.second - there) <= kTolerance && (entry.second > 0) == (there > 0);
    });
  };
  return !one.empty() && !other.empty() && covered(one, other) && covered(other, one);
}

std::string shares_text(const Shares& shares) {
  std::string out;
  for (const auto& [region, share] : shares) {
    out += fmt::format("{}{} {:.3g} %", out.empty() ? "" : ", ", region, share);
  }
  return out.empty() ? "nobody" : out;
}

}  // namespace lifeboat
