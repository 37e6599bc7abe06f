#include "lab/leader_place.hpp"

#include <algorithm>

#include "lab/lab.hpp"

namespace lifeboat::lab {

namespace {
constexpr Duration kElected{60'000};
constexpr Duration kStartedAnew{30'000};
}  // namespace

std::string region_of_leader(const Plan& plan, const ControllerLink& link) {
  auto status = link.get("/api/status");
  const Host* host = status ? plan.hosts.find(text_or(*status, "controller")) : nullptr;
  return host == nullptr ? std::string() : host->region.text;
}

bool has_controller(const Plan& plan, const std::string& region) {
  return std::ranges::any_of(
      plan.hosts, [&](const auto& entry) { return entry.second.controller && entry.second.region.text == region; });
}

Result<void> let_lead(const Plan& plan, const std::string& lab, const ControllerLink& link, const std::string& region) {
  for (const auto& [name, host] : plan.hosts) {
    if (!host.controller || host.region.text == region) continue;
    JsonObject end{{"do", "fault"}, {"fault", "kill-process"}, {"target", name + "/controller"}};
    TRY_VOID(ask_lab(lab, end));
  }
  bool leads = false;
  for (int64_t deadline = deadline_in(kElected); !leads && boot_ns() < deadline; pause_for(Duration{100}))
    leads = region_of_leader(plan, link) == region;
  TRY_VOID(ask_lab(lab, JsonObject{{"do", "heal"}}, kStartedAnew));
  if (!leads) return fail(ErrorKind::timed_out, "no controller of " + region + " came to lead");
  return {};
}

}  // namespace lifeboat::lab
