#include "core/isolation/isolation.hpp"

#include <algorithm>

namespace lifeboat::isolation {
namespace {

constexpr Duration kProves = kSilentAgent + Duration{1'000};
constexpr Duration kTakeBack{15'000};

}  // namespace

Proof judge(MonoTime closed, std::optional<MonoTime> heard, MonoTime now) {
  if (heard && *heard >= closed + kProves) return Proof::keep;
  return now >= closed + kTakeBack ? Proof::take_back : Proof::wait;
}

bool carries_control(const Plan& plan, const std::string& host) {
  const Host* found = plan.hosts.find(host);
  if (found != nullptr && found->controller) return true;
  if (!plan.controllers) return false;
  return std::ranges::any_of(plan.controllers->voters,
                             [&](const auto& voter) { return voter.second.host.text == host; });
}

}  // namespace lifeboat::isolation
