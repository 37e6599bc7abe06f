// A rule looks for one thing in a plan that will make a recovery fail or disappoint, though the plan can be loaded. One
// file for each, listed in registry.cpp. A rule is a pure function of the plan and today's date.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/scalars.hpp"
#include "plan/catalogue.hpp"
#include "plan/finding.hpp"

namespace lifeboat {

struct RuleInput {
  const Plan& plan;
  const ActionCatalogue& actions;
  Date today;
};

struct Rule {
  std::string_view name;   // stable
  std::string_view about;  // the question it asks, one sentence
  void (*judge)(const RuleInput& input, Findings& out);
};

// All rules, in the order in which they are told.
std::span<const Rule> all_rules();
// What all of them find; the places are filled in from `positions`.
Findings judge(const RuleInput& input, const Positions& positions, const std::string& file);

// Whether a scenario can be run by this version, and if not, why: one sentence for each step that cannot.
struct Runnable {
  std::string scenario;
  bool today = true;
  std::vector<std::string> reasons;
};
std::vector<Runnable> runnable_scenarios(const Plan& plan, const ActionCatalogue& actions);

// Days from 1970 to a date; a whole month (day 0) counts as its last day.
int64_t days_of(const Date& date);

}  // namespace lifeboat
