#include "report/words.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/base/time.hpp"

namespace lifeboat {

std::string seconds_in_words(double seconds) {
  if (seconds < 0) return "not reached";
  return format_span(Duration{std::llround(seconds * 1000)});
}

std::string count_in_words(int64_t count) {
  std::string out = std::to_string(count);
  for (size_t at = out.size(); at > 3 && out[at - 4] != '-';) out.insert(at -= 3, ",");
  return out;
}

std::string share_in_words(double share) {
  double percent = share * 100;
  if (percent == 0) return "0 %";
  return percent < 1 ? fmt::format("{:.2f} %", percent) : fmt::format("{:.0f} %", percent);
}

const std::string& outcome_of(const ReportStep& step) { return step.error.empty() ? step.summary : step.error; }

std::vector<std::string> votes_in_words(const ReportDecision& decision) {
  std::vector<std::string> out;
  const Json& votes = member(decision.observations, "votes");
  if (!votes.is_array()) return out;
  for (const Json& vote : votes.get_array()) {
    std::string line = fmt::format("{}: {} of {} targets fail", text_or(vote, "vantage"), int_or(vote, "failing"),
                                   int_or(vote, "targets"));
    if (!bool_or(vote, "counts")) line += "; not counted: " + text_or(vote, "detail");
    out.push_back(std::move(line));
  }
  return out;
}

std::string report_headline(const RunReport& report) {
  std::string title = report.title.empty() ? report.scenario : report.title;
  if (!report.measured) return fmt::format("{}: {}. No witness measured what users saw.", title, report.state);
  std::string served = report.rta_s < 0
                           ? "Users were not served again."
                           : fmt::format("Users were served again after {}.", seconds_in_words(report.rta_s));
  std::string all = count_in_words(report.rpa.acknowledged);
  if (report.rpa.lost == 0) return fmt::format("{} None of {} acknowledged writes is lost.", served, all);
  return fmt::format("{} {} of {} acknowledged writes {} lost, the oldest {} old.", served,
                     count_in_words(report.rpa.lost), all, report.rpa.lost == 1 ? "is" : "are",
                     seconds_in_words(report.rpa.oldest_lost_age_s));
}

}  // namespace lifeboat
