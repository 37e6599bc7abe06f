#include <fmt/format.h>

#include <algorithm>

#include "core/data/encode.hpp"
#include "report/report.hpp"
#include "report/words.hpp"

namespace lifeboat {
namespace {

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string cell(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string lines(std::string_view name, const std::vector<ReportLine>& of) {
  std::string out;
  for (const ReportLine& line : of) out += fmt::format("- {} {}\n", line.at, one_line(line.text));
  return out.empty() ? out : fmt::format("\n## {}\n\n{}", name, out);
}

std::string checks(const std::vector<ReportStep>& steps) {
  std::string out;
  for (const ReportStep& step : steps) {
    for (const Check& check : step.checks)
      out +=
          fmt::format("| {} | {} | {} | {} |\n", step.id, cell(check.name), enum_name(check.verdict), cell(check.text));
  }
  return out.empty() ? out : "\n## Checks\n\n| step | looked at | verdict | |\n| --- | --- | --- | --- |\n" + out;
}

}  // namespace

std::string report_json(const RunReport& report) {
  Json out = encode(report);
  // These are always there, also when they are empty: scripts rely on the keys.
  JsonObject& object = out.as_object();
  for (const char* list : {"steps", "decisions", "approvals", "losses", "messages", "timeline"}) {
    if (!object.contains(list)) object[list] = JsonArray{};
  }
  if (!object.contains("failback")) object["failback"] = nullptr;
  return to_pretty_text(out) + "\n";
}

std::string report_markdown(const RunReport& report) {
  std::string out = fmt::format("# {}{}\n\n{}\n\n", report.mode == "drill" ? "Drill: " : "",
                                report.title.empty() ? report.scenario : report.title, report_headline(report));
  out += fmt::format(
      "| | |\n| --- | --- |\n| plan | {} ({}) |\n| scenario | {} |\n| run | {}, {} |\n| started | {} by {} |\n",
      report.plan, report.plan_hash.substr(0, 12), report.scenario, report.run, report.state, report.started,
      report.by);
  if (!report.fault.empty()) out += fmt::format("| fault | {} |\n", report.fault);
  if (!report.profile.empty())
    out += fmt::format("| profile | {}: some waits are not those of a real day |\n", report.profile);
  out += fmt::format("| journal | {} events, chain {}, head {} |\n\n", report.chain.events,
                     report.chain.whole ? "whole" : "NOT WHOLE", report.chain.head.substr(0, 12));

  if (report.measured) {
    out += "## Objectives\n\n| | objective | actual |\n| --- | --- | --- |\n";
    out += fmt::format("| recovery time | {} | {} |\n", seconds_in_words(report.objectives.rto_s),
                       seconds_in_words(report.rta_s));
    out += fmt::format("| recovery point | {} | {} |\n", seconds_in_words(report.objectives.rpo_s),
                       seconds_in_words(report.rpa.oldest_lost_age_s));
    out += fmt::format("| two servers acknowledging writes | never | {} |\n",
                       seconds_in_words(report.double_acknowledged_s));
    out += fmt::format("| acknowledged writes lost | | {} of {} |\n", count_in_words(report.rpa.lost),
                       count_in_words(report.rpa.acknowledged));
    if (report.users) {
      out += fmt::format("| journeys that failed | | {} of {}; 95 of 100 good answers within {:.0f} ms |\n",
                         share_in_words(report.users->error_rate), count_in_words(report.users->journeys),
                         report.users->p95_ms);
    }
    out += fmt::format("\nObjectives {}.\n\n", report.objectives.met ? "met" : "NOT MET");
    if (report.failback)
      out += fmt::format("Failback: {} without writes, {} acknowledged writes lost.\n\n",
                         seconds_in_words(report.failback->write_outage_s), report.failback->lost);
    const Milestones& m = report.milestones;
    out += fmt::format(
        "## Milestones after the fault\n\n| detected | decided | writable | first served | all served | reprotected "
        "|\n| --- | --- | --- | --- | --- | --- |\n"
        "| {} | {} | {} | {} | {} | {} |\n\n",
        seconds_in_words(m.detected), seconds_in_words(m.decided), seconds_in_words(m.writable),
        seconds_in_words(m.first_served), seconds_in_words(m.all_served), seconds_in_words(m.reprotected));
  }
  out +=
      "## Steps\n\n| phase | step | status | tries | began after | took | |\n| --- | --- | --- | --- | --- | --- | --- "
      "|\n";
  for (const ReportStep& step : report.steps) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", step.phase, step.id, step.status, step.attempts,
                       step.started_after_s < 0 ? "" : seconds_in_words(step.started_after_s),
                       step.started_after_s < 0 ? "" : seconds_in_words(step.seconds), cell(outcome_of(step)));
  }
  out += checks(report.steps);
  if (!report.decisions.empty()) out += "\n## Decisions\n\n";
  for (const ReportDecision& decision : report.decisions) {
    out += fmt::format("- {} {}: {} ({})\n", decision.signal, decision.subject, decision.verdict, decision.reason);
    for (const std::string& vote : votes_in_words(decision)) out += "  - " + vote + "\n";
  }
  out += lines("Approvals", report.approvals) + lines("Losses", report.losses) + lines("Messages", report.messages);
  out += "\n## Timeline\n\n";
  for (const ReportLine& line : report.timeline)
    out += fmt::format("- `{}` {:+.3f} s  {}\n", line.at, line.after_s, one_line(line.text));
  return out;
}

}  // namespace lifeboat
