#include <algorithm>
#include <set>

#include "core/run/state.hpp"

namespace lifeboat::run {

std::vector<std::string> touched_services(std::span<const ResolvedStep> steps) {
  std::set<std::string> services;
  for (const ResolvedStep& step : steps) {
    if (step.kind != StepKind::message && !step.touches.empty()) services.insert(step.touches);
  }
  return {services.begin(), services.end()};
}

std::optional<Clash> clash_with(std::span<const std::string> services, std::span<const OtherRun> active) {
  for (const OtherRun& other : active) {
    for (const std::string& service : other.services) {
      if (std::ranges::find(services, service) != services.end()) return Clash{other.id, other.scenario, service};
    }
  }
  return std::nullopt;
}

}  // namespace lifeboat::run
