// What must hold in a plan beyond its shape: every name that is used is defined, steps form a graph without cycles,
// values lie in the ranges in which they make sense, and the parameters of each step fit its action. These are errors:
// a plan that breaks one is not loaded. One file for each group; all collect, so that a person sees everything at once.
#pragma once

#include "core/model/variables.hpp"
#include "plan/catalogue.hpp"
#include "plan/finding.hpp"

namespace lifeboat {

// Hosts, regions, services, members, contacts, roles, channels, scenarios, profiles that are named but not defined.
void check_references(const Plan& plan, Findings& out);
// Ids, needs and cycles in every scenario.
void check_graph(const Plan& plan, const ActionCatalogue& actions, Findings& out);
// Lengths, counts, ports, percentages, and values that only make sense together.
void check_values(const Plan& plan, Findings& out);
// Variables and parameters of steps, with the plan's own values and, if given, those of a profile.
void check_steps(const Plan& plan, const ActionCatalogue& actions, std::string_view profile, Findings& out);

// All of the above.
Findings check_meaning(const Plan& plan, const ActionCatalogue& actions, std::string_view profile);

// The pointer of a step: "/scenarios/region-failover/phases/assess/0".
std::string step_path(std::string_view scenario, std::string_view phase, size_t index);

}  // namespace lifeboat
