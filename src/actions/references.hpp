// Checks of what a step's parameters refer to in the plan. Each adds a problem with the names that would be right.
#pragma once

#include "actions/action.hpp"

namespace lifeboat {

template <class T>
const T* require_service(const Plan& plan, const std::string& name, DecodeProblems& problems,
                         const std::string& path = "/service") {
  const T* found = service_as<T>(plan, name);
  if (found != nullptr) return found;
  if (plan.services.contains(name)) {
    problems.push_back({path, fmt::format("'{}' is not a {} service", name, T::kKind), {}});
    return nullptr;
  }
  std::vector<std::string> known;
  for (const auto& [service, value] : plan.services) {
    if (std::holds_alternative<T>(value)) known.push_back(service);
  }
  problems.push_back(unknown_reference(path, fmt::format("{} service", T::kKind), name, known));
  return nullptr;
}

template <class T>
const T* require_name(const OrderedMap<T>& map, std::string_view what, const std::string& name,
                      DecodeProblems& problems, const std::string& path) {
  const T* found = map.find(name);
  if (found == nullptr) problems.push_back(unknown_reference(path, what, name, map.names()));
  return found;
}

// A database's service and, in `to`, a region where it has a member, or a member.
inline void require_database_target(const Plan& plan, const std::string& service, const std::string& to,
                                    DecodeProblems& problems) {
  const auto* database = require_service<PostgresService>(plan, service, problems);
  if (database == nullptr) return;
  std::vector<std::string> known;
  for (const auto& [member, settings] : database->members) {
    known.push_back(member);
    std::string region = region_of(plan, settings.host.text);
    if (!region.empty() && std::ranges::find(known, region) == known.end()) known.push_back(region);
  }
  if (std::ranges::find(known, to) == known.end())
    problems.push_back(unknown_reference("/to", fmt::format("region or member of {}", service), to, known));
}

}  // namespace lifeboat
