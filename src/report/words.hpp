// How figures are said to people, the same in every face of a report.
#pragma once

#include <cstdint>
#include <string>

#include "report/report.hpp"

namespace lifeboat {

// "7.40 s"; "not reached" for a negative one.
std::string seconds_in_words(double seconds);
// "4,118"
std::string count_in_words(int64_t count);
// "0.05 %", "12 %"
std::string share_in_words(double share);
// What was done, or what went wrong.
const std::string& outcome_of(const ReportStep& step);
// "west: 3 of 3 targets fail" for each vote behind a decision.
std::vector<std::string> votes_in_words(const ReportDecision& decision);

}  // namespace lifeboat
