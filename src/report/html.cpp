#include <fmt/format.h>

#include <algorithm>

#include "report/html_parts.hpp"
#include "report/report.hpp"
#include "report/words.hpp"

namespace lifeboat {
namespace {

struct StatusLook {
  std::string_view mark, colour;
};
StatusLook look_of(const std::string& status) {
  if (status == "done") return {"done", ""};
  if (status == "failed" || status == "undo-failed") return {"failed", "bad"};
  if (status == "skipped") return {"skipped", "qq"};
  if (status == "undone") return {"undone", "qq"};
  if (status == "running" || status == "retrying" || status == "undoing") return {"running", ""};
  return {status == "asking" ? "waiting" : "idle", "qq"};
}

std::string short_hash(const std::string& hash) {
  return hash.size() < 8 ? hash : hash.substr(0, 4) + " " + hash.substr(4, 4);
}

std::string clock_of(const std::string& at) { return at.size() > 23 ? at.substr(11, 12) : at; }

std::string panel(std::string_view name, std::string_view note, std::string_view body) {
  return fmt::format("<section class=panel><header><h2>{}</h2><span>{}</span></header>{}</section>", name, note, body);
}

std::string masthead(const RunReport& report) {
  bool drill = report.mode == "drill";
  std::string out =
      fmt::format("<div class=top><b>{}Lifeboat</b><span class=q>Report</span><span class='end q'>{}</span></div>",
                  html_mark("boat"), html_escaped(report.started));
  out += fmt::format("<main><p class=tags><span class='tag {}'>{}</span>", drill ? "drill" : "real",
                     drill ? "Drill" : "Real, not a drill");
  if (!report.incident.empty()) out += fmt::format("<span>{}</span>", html_escaped(report.incident));
  out +=
      fmt::format("<span>run {} of {}</span><span>plan {} <span class=mono>{}</span></span>", html_escaped(report.run),
                  html_escaped(report.scenario), html_escaped(report.plan), html_escaped(short_hash(report.plan_hash)));
  if (!report.fault.empty()) out += fmt::format("<span>fault {}</span>", html_escaped(report.fault));
  out += fmt::format("</p><h1>{}</h1><p class='lead q'>", html_escaped(report_headline(report)));
  if (report.measured) out += html_escaped((report.title.empty() ? report.scenario : report.title) + ". ");
  if (report.measured) out += report.objectives.met ? "Objectives met. " : "<b class=bad>Objectives not met.</b> ";
  out += fmt::format("The run is {}; {} opened it.", html_escaped(report.state), html_escaped(report.by));
  if (!report.profile.empty())
    out += fmt::format(" Profile {}: its waits and steps are not those of a real day.", html_escaped(report.profile));
  return out + "</p>";
}

std::string goal(std::string_view name, double actual, double objective, std::string_view below) {
  bool over = actual < 0 || actual > objective;
  double share = objective <= 0 ? (over ? 1 : 0) : std::clamp(actual / objective, 0.0, 1.0);
  std::string used = objective > 0 && actual >= 0 ? share_in_words(actual / objective) + " used" : "";
  return fmt::format(
      "<div class=goal><p class='big{}'>{}</p><p class=q>{}</p><div class=scale role=img aria-label='{}: {} of "
      "{}'><i{} style='width:{:.2f}%'></i><u style='right:0'></u></div>"
      "<p class=what><span>{}</span><span>objective {}</span></p><p class=qq>{}</p></div>",
      over ? " bad" : "", seconds_in_words(actual), name, name, seconds_in_words(actual), seconds_in_words(objective),
      over ? " class=over" : "", actual < 0 ? 100 : share * 100, used, seconds_in_words(objective), below);
}

std::string strip_cell(std::string_view name, const std::string& value, std::string_view colour = {}) {
  return fmt::format("<div><dt>{}</dt><dd class='{}'>{}</dd></div>", name, colour, html_escaped(value));
}

std::string figures(const RunReport& report) {
  std::string out;
  if (report.measured) {
    std::string lost = report.rpa.lost == 0
                           ? fmt::format("none of {} acknowledged writes", count_in_words(report.rpa.acknowledged))
                           : fmt::format("{} of {} acknowledged writes are gone", count_in_words(report.rpa.lost),
                                         count_in_words(report.rpa.acknowledged));
    out += "<div class=goals>" + goal("without an answer to users (RTA)", report.rta_s, report.objectives.rto_s,
                                      "from the last good answer to the next one, as the witness saw it");
    out += goal("of writes lost (RPA)", report.rpa.oldest_lost_age_s, report.objectives.rpo_s, lost) + "</div>";
  }
  const Milestones& m = report.milestones;
  struct {
    const char* name;
    double at;
  } all[]{{"detected", m.detected},
          {"decided", m.decided},
          {"approved", m.approved},
          {"writable", m.writable},
          {"first user served", m.first_served},
          {"10 % served", m.tenth_served},
          {"all served", m.all_served},
          {"reprotected", m.reprotected}};
  out += "<dl class=strip>";
  for (const auto& one : all) {
    bool needless = one.at < 0 && one.name == std::string_view("approved");
    out += strip_cell(one.name,
                      needless                         ? "not needed"
                      : one.at < 0 && !report.measured ? "not measured"
                                                       : seconds_in_words(one.at),
                      one.at < 0 ? "q" : "");
  }
  out += "</dl>";
  if (!report.measured) return out;
  out += "<dl class=strip style='margin-top:0;border-top:0'>";
  bool twice = report.double_acknowledged_s > 0;
  out += strip_cell("two servers took writes", twice ? seconds_in_words(report.double_acknowledged_s) : "never",
                    twice ? "bad" : "");
  if (report.failback) {
    out += strip_cell("failback without writes", seconds_in_words(report.failback->write_outage_s));
    out += strip_cell("writes lost by failback",
                      report.failback->lost == 0 ? "none" : count_in_words(report.failback->lost),
                      report.failback->lost > 0 ? "bad" : "");
  }
  if (report.users) {
    out += strip_cell("journeys that failed", fmt::format("{} of {}", share_in_words(report.users->error_rate),
                                                          count_in_words(report.users->journeys)));
    out += strip_cell("good answers within", fmt::format("{:.0f} ms, 95 of 100", report.users->p95_ms));
  }
  return out + "</dl>";
}

std::string steps_table(const RunReport& report) {
  std::string rows, phase;
  for (const ReportStep& step : report.steps) {
    if (step.phase != phase || rows.empty()) {
      phase = step.phase;
      rows += fmt::format("</tbody><tbody class=phase><tr><th colspan=6 scope=rowgroup>{}</th></tr></tbody><tbody>",
                          html_escaped(phase));
    }
    StatusLook look = look_of(step.status);
    bool began = step.started_after_s >= 0, struck = look.mark == "skipped" || look.mark == "undone";
    std::string name = html_escaped(step.id);
    rows += fmt::format(
        "<tr><td>{}<small>{}</small><td class='nb {}'>{}{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=say>{}",
        struck ? "<s>" + name + "</s>" : name, html_escaped(step.title.empty() ? step.uses : step.title), look.colour,
        html_mark(look.mark), html_escaped(step.status), step.attempts > 0 ? std::to_string(step.attempts) : "",
        began ? seconds_in_words(step.started_after_s) : "", began ? seconds_in_words(step.seconds) : "",
        html_escaped(outcome_of(step)));
  }
  auto done = std::ranges::count(report.steps, "done", &ReportStep::status);
  return panel("Steps", fmt::format("{} of {} done", done, report.steps.size()),
               "<div class=wide><table><thead><tr><th>step<th>ended<th class=n>tries<th class=n>began after<th "
               "class=n>took<th>what was done</thead><tbody>" +
                   rows + "</tbody></table></div>");
}

// What was validated, one row each; no panel when nothing was.
std::string checks_table(const RunReport& report) {
  std::string rows;
  size_t count = 0, well = 0;
  for (const ReportStep& step : report.steps) {
    for (const Check& check : step.checks) {
      ++count;
      bool bad = check.verdict == Verdict::failed || check.verdict == Verdict::unknown;
      well += bad ? 0 : 1;
      rows += fmt::format("<tr><td>{}<small>{}</small><td class='nb {}'>{}{}<td class=say>{}", html_escaped(check.name),
                          html_escaped(step.id), bad ? "bad" : "", html_mark(bad ? "failed" : "done"),
                          enum_name(check.verdict), html_escaped(check.text));
    }
  }
  if (count == 0) return {};
  return panel("Checks", fmt::format("{} of {} hold", well, count),
               "<div class=wide><table><thead><tr><th>looked at<th>verdict<th>found</thead><tbody>" + rows +
                   "</tbody></table></div>");
}

std::string decisions(const RunReport& report) {
  std::string rows;
  for (const ReportDecision& decision : report.decisions) {
    rows +=
        fmt::format("<li><span class=at>{}</span><span><b>{}{}</b>: {}. {}", html_escaped(decision.verdict),
                    html_escaped(decision.signal), decision.subject.empty() ? "" : " " + html_escaped(decision.subject),
                    html_escaped(decision.verdict), html_escaped(decision.reason));
    for (const std::string& vote : votes_in_words(decision)) rows += "<small>" + html_escaped(vote) + "</small>";
    rows += "</span></li>";
  }
  return panel("Decisions", "with what was seen",
               rows.empty() ? "<p class=empty>Nobody and nothing decided by a signal; a person opened the run.</p>"
                            : "<ol class=rows>" + rows + "</ol>");
}

std::string lines(std::string_view name, std::string_view note, const std::vector<ReportLine>& of,
                  std::string_view when_empty) {
  std::string rows;
  for (const ReportLine& line : of)
    rows += fmt::format("<li><time datetime='{}'>{}</time><span>{}</span></li>", html_escaped(line.at),
                        html_escaped(clock_of(line.at)), html_escaped(line.text));
  return panel(name, note,
               rows.empty() ? fmt::format("<p class=empty>{}</p>", when_empty) : "<ol class=rows>" + rows + "</ol>");
}

// Messages of their own, or else the steps that told people something.
std::string messages(const RunReport& report) {
  if (!report.messages.empty())
    return lines("Messages", fmt::format("{}", report.messages.size()), report.messages, "");
  std::string rows;
  size_t count = 0;
  for (const ReportStep& step : report.steps) {
    if (!step.message) continue;
    StatusLook look = look_of(step.status);
    ++count;
    rows += fmt::format("<li><span class='{}'>{}{}</span><span>{}<small>{}</small></span></li>", look.colour,
                        html_mark(look.mark), html_escaped(step.status),
                        html_escaped(step.title.empty() ? step.id : step.title), html_escaped(outcome_of(step)));
  }
  return panel("Messages", count == 0 ? "none" : "nothing waits for them",
               rows.empty() ? "<p class=empty>Nobody was to be told.</p>" : "<ol class=rows>" + rows + "</ol>");
}

std::string losses(const RunReport& report) {
  if (!report.losses.empty()) return lines("Losses", "", report.losses, "");
  if (!report.measured) return panel("Losses", "", "<p class=empty>No witness measured what was lost.</p>");
  if (report.rpa.lost == 0)
    return panel("Losses", "", "<p class=empty>Every acknowledged write was found afterwards.</p>");
  return panel("Losses", "",
               fmt::format("<p class=empty>{} writes that users were told are safe were not found afterwards; the "
                           "oldest was {} old.</p>",
                           count_in_words(report.rpa.lost), seconds_in_words(report.rpa.oldest_lost_age_s)));
}

}  // namespace

std::string report_html(const RunReport& report) {
  bool drill = report.mode == "drill";
  std::string title = report.title.empty() ? report.scenario : report.title;
  std::string out = fmt::format(
      "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content='width=device-width,initial-scale=1'><title>{}{}</title><style>{}</style></head><body class={}>",
      drill ? "Drill: " : "", html_escaped(title), html_style(), drill ? "drill" : "real");
  out += html_shapes();
  out += masthead(report) + figures(report);
  std::string chart = html_timeline_chart(report);
  if (!chart.empty()) out += panel("What happened when", report.profile.empty() ? "" : "waits compressed", chart);
  out += steps_table(report) + checks_table(report);
  out += "<div class=two>" + decisions(report) + lines("Approvals", "", report.approvals, "No step needed one.") +
         losses(report) + messages(report) + "</div>";
  std::string chain = report.chain.events == 0 ? std::string("chain not checked")
                                               : fmt::format("{} events, chain {}, head <span class=mono>{}</span>",
                                                             count_in_words(report.chain.events),
                                                             report.chain.whole ? "whole" : "<b class=bad>broken</b>",
                                                             html_escaped(short_hash(report.chain.head)));
  out += lines("Timeline", chain, report.timeline, "The journal holds nothing of this run.");
  out += fmt::format(
      "<footer>Times are UTC. Milestones and beginnings count from {}. Plan <span class=mono>{}</span>, journal head "
      "<span class=mono>{}</span>.</footer></main></body></html>\n",
      report.measured ? "the fault" : "the opening of the run, since nobody measured the fault",
      html_escaped(report.plan_hash), html_escaped(report.chain.head));
  return out;
}

}  // namespace lifeboat
