#include <fmt/format.h>

#include "core/base/time.hpp"
#include "core/data/encode.hpp"
#include "report/report.hpp"

namespace lifeboat {
namespace {

std::string seconds(double value) { return value < 0 ? "not reached" : format_span(Duration{static_cast<int64_t>(value * 1000)}); }

std::string cell(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

std::string report_headline(const RunReport& report) {
  if (!report.measured) return fmt::format("{}: {}. No witness measured what users saw.", report.title.empty() ? report.scenario : report.title, report.state);
  std::string served = report.rta_s < 0 ? "Users were not served again." : fmt::format("Users were served again after {}.", seconds(report.rta_s));
  std::string lost = report.rpa.lost == 0 ? fmt::format("None of {} acknowledged writes is lost.", report.rpa.acknowledged)
                                          : fmt::format("{} of {} acknowledged writes {} lost, the oldest {} old.", report.rpa.lost, report.rpa.acknowledged,
                                                        report.rpa.lost == 1 ? "is" : "are", seconds(report.rpa.oldest_lost_age_s));
  return served + " " + lost;
}

std::string report_json(const RunReport& report) {
  Json out = encode(report);
  // These are always there, also when they are empty: scripts rely on the keys.
  JsonObject& object = out.as_object();
  for (const char* list : {"steps", "decisions", "approvals", "timeline"}) {
    if (!object.contains(list)) object[list] = JsonArray{};
  }
  if (!object.contains("failback")) object["failback"] = nullptr;
  return to_pretty_text(out) + "\n";
}

std::string report_markdown(const RunReport& report) {
  std::string out = fmt::format("# {}{}\n\n{}\n\n", report.mode == "drill" ? "Drill: " : "", report.title.empty() ? report.scenario : report.title,
                                report_headline(report));
  out += fmt::format("| | |\n| --- | --- |\n| plan | {} ({}) |\n| scenario | {} |\n| run | {}, {} |\n| started | {} by {} |\n", report.plan,
                     report.plan_hash.substr(0, 12), report.scenario, report.run, report.state, report.started, report.by);
  if (!report.fault.empty()) out += fmt::format("| fault | {} |\n", report.fault);
  if (!report.profile.empty()) out += fmt::format("| profile | {}: some waits are not those of a real day |\n", report.profile);
  out += fmt::format("| journal | {} events, chain {} |\n\n", report.chain.events, report.chain.whole ? "whole" : "NOT WHOLE");

  if (report.measured) {
    out += "## Objectives\n\n| | objective | actual |\n| --- | --- | --- |\n";
    out += fmt::format("| recovery time | {} | {} |\n", seconds(report.objectives.rto_s), seconds(report.rta_s));
    out += fmt::format("| recovery point | {} | {} |\n", seconds(report.objectives.rpo_s), seconds(report.rpa.oldest_lost_age_s));
    out += fmt::format("| two servers acknowledging writes | never | {} |\n", seconds(report.double_acknowledged_s));
    out += fmt::format("\nObjectives {}.\n\n", report.objectives.met ? "met" : "NOT MET");
    if (report.failback)
      out += fmt::format("Failback: {} without writes, {} acknowledged writes lost.\n\n", seconds(report.failback->write_outage_s), report.failback->lost);
    const Milestones& m = report.milestones;
    out += fmt::format("## Milestones after the fault\n\n| detected | decided | writable | first served | all served | reprotected |\n| --- | --- | --- | --- | --- | --- |\n"
                       "| {} | {} | {} | {} | {} | {} |\n\n",
                       seconds(m.detected), seconds(m.decided), seconds(m.writable), seconds(m.first_served), seconds(m.all_served), seconds(m.reprotected));
  }
  out += "## Steps\n\n| phase | step | status | tries | began after | took | |\n| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const ReportStep& step : report.steps) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", step.phase, step.id, step.status, step.attempts, step.started_after_s < 0 ? "" : seconds(step.started_after_s),
                       step.started_after_s < 0 ? "" : seconds(step.seconds), cell(step.error.empty() ? step.summary : step.error));
  }
  if (!report.decisions.empty()) out += "\n## Decisions\n\n";
  for (const ReportDecision& decision : report.decisions) {
    out += fmt::format("- {} {}: {} ({})\n", decision.signal, decision.subject, decision.verdict, decision.reason);
    const Json& votes = member(decision.observations, "votes");
    for (const Json& vote : votes.is_array() ? votes.get_array() : JsonArray{}) {
      out += fmt::format("  - {}: {} of {} targets fail{}\n", text_or(vote, "vantage"), int_or(vote, "failing"), int_or(vote, "targets"),
                         bool_or(vote, "counts") ? "" : "; not counted: " + text_or(vote, "detail"));
    }
  }
  if (!report.approvals.empty()) out += "\n## Approvals\n\n";
  for (const ReportLine& line : report.approvals) out += fmt::format("- {} {}\n", line.at, line.text);
  out += "\n## Timeline\n\n";
  for (const ReportLine& line : report.timeline) out += fmt::format("- `{}` {:+.3f} s  {}\n", line.at, line.after_s, line.text);
  return out;
}

}  // namespace lifeboat
