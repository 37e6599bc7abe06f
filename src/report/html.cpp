#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/time.hpp"
#include "report/report.hpp"

namespace lifeboat {
namespace {

// Grey is normal, colour means abnormal; there is no green. No address of another server stands in the page.
constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--bg:#f1f2f1;--surface:#fafaf9;--sunken:#e6e9e9;--line:#d7dbdb;--line-2:#a7b0b2;--ink:#12181b;--ink-2:#3f4a4f;--ink-3:#586469;--fill:#c3cacb;--fill-2:#7c888d;--bad:#c22a20;--bad-ink:#a31d15;--warn-ink:#7d4700}
@media (prefers-color-scheme:dark){:root{--bg:#0d1113;--surface:#12181b;--sunken:#090c0e;--line:#232c31;--line-2:#455259;--ink:#e9eded;--ink-2:#b7c1c4;--ink-3:#8f9ba0;--fill:#333f45;--fill-2:#71808a;--bad:#f4604f;--bad-ink:#ff9d91;--warn-ink:#f3c070}}
*{box-sizing:border-box}body{margin:0;padding:1.5rem;background:var(--bg);color:var(--ink);font:400 .875rem/1.45 ui-sans-serif,system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums slashed-zero}
main{max-width:70rem;margin:0 auto}body.drill main{border:2px dashed var(--line-2);padding:1.25rem;border-radius:10px}
h1{font-size:1.625rem;line-height:1.15;font-weight:600;margin:.25rem 0 .75rem;text-wrap:balance}h2{font-size:1rem;font-weight:600;margin:2rem 0 .5rem}
.mark{font-weight:600}.real{color:var(--bad-ink)}.q{color:var(--ink-2)}.qq{color:var(--ink-3)}.bad{color:var(--bad-ink);font-weight:600}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1px;background:var(--line);border:1px solid var(--line);border-radius:6px;overflow:hidden}
.figures div{background:var(--surface);padding:.75rem 1rem}.figures b{display:block;font-size:1.625rem;font-weight:300;line-height:1.2}.figures small{color:var(--ink-3)}
table{border-collapse:collapse;width:100%;background:var(--surface);border:1px solid var(--line);border-radius:6px}th,td{text-align:left;padding:.375rem .75rem;border-top:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--ink-2);border-top:0}td.n{text-align:right;white-space:nowrap}
.wide{overflow-x:auto}svg{width:100%;height:auto;background:var(--surface);border:1px solid var(--line);border-radius:6px}svg text{fill:var(--ink-2);font:12px ui-sans-serif,system-ui,sans-serif}
ol{list-style:none;margin:0;padding:0}ol li{padding:.25rem 0;border-top:1px solid var(--line)}code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em;color:var(--ink-3)}
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? ' ' : c;
    }
  }
  return out;
}

std::string seconds(double value) { return value < 0 ? "not reached" : format_span(Duration{static_cast<int64_t>(value * 1000)}); }

std::string figure(std::string_view name, const std::string& value, const std::string& objective, bool bad) {
  return fmt::format("<div><small>{}</small><b{}>{}</b><small>{}</small></div>", name, bad ? " class=bad" : "", escaped(value), escaped(objective));
}

// Bars of steps by time after the fault, milestones as ticks. Waits far longer than the rest would squeeze it, so the
// axis ends with the last step or milestone.
std::string timeline_chart(const RunReport& report) {
  struct Bar {
    const ReportStep* step;
    double from, to;
  };
  std::vector<Bar> bars;
  double last = 1;
  for (const ReportStep& step : report.steps) {
    if (step.started_after_s < 0) continue;
    bars.push_back({&step, step.started_after_s, step.started_after_s + step.seconds});
    last = std::max(last, bars.back().to);
  }
  const Milestones& m = report.milestones;
  struct Tick {
    double at;
    const char* name;
  };
  std::vector<Tick> ticks;
  for (Tick tick : {Tick{m.detected, "detected"}, {m.decided, "decided"}, {m.writable, "writable"}, {m.first_served, "first served"}, {m.all_served, "all served"}}) {
    if (tick.at < 0) continue;
    ticks.push_back(tick);
    last = std::max(last, tick.at);
  }
  if (bars.empty()) return {};
  constexpr double kLeft = 190, kWidth = 760, kRow = 20;
  // Room for a row of names for each milestone, so that near ones do not cover each other.
  double top = 16 + 15 * static_cast<double>(ticks.size());
  double height = top + kRow * static_cast<double>(bars.size()) + 28;
  auto x = [&](double at) { return kLeft + kWidth * std::clamp(at / last, 0.0, 1.0); };
  std::string out = fmt::format("<svg viewBox='0 0 1000 {:.0f}' role=img aria-label='Steps by seconds after the fault'>", height);
  for (size_t index = 0; index < bars.size(); ++index) {
    double y = top + kRow * static_cast<double>(index);
    bool failed = bars[index].step->status == "failed";
    out += fmt::format("<text x='12' y='{:.1f}'>{}</text><rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='11' rx='2' fill='var({})'><title>{}: {} after {}, took {}</title></rect>", y + 10,
                       escaped(bars[index].step->id.substr(0, 26)), x(bars[index].from), y + 1, std::max(2.0, x(bars[index].to) - x(bars[index].from)),
                       failed ? "--bad" : bars[index].step->message ? "--fill" : "--fill-2", escaped(bars[index].step->id), escaped(bars[index].step->status),
                       seconds(bars[index].from), seconds(bars[index].to - bars[index].from));
  }
  for (size_t index = 0; index < ticks.size(); ++index) {
    double at = x(ticks[index].at), y = 14 + 15 * static_cast<double>(index);
    bool right_half = at > kLeft + kWidth * 0.7;
    out += fmt::format("<line x1='{0:.1f}' y1='{1:.1f}' x2='{0:.1f}' y2='{2:.1f}' stroke='var(--ink)' stroke-width='1.5'/><text x='{3:.1f}' y='{4:.1f}' text-anchor='{5}'>{6} {7}</text>", at, y - 8,
                       height - 24, right_half ? at - 5 : at + 5, y + 2, right_half ? "end" : "start", ticks[index].name, seconds(ticks[index].at));
  }
  out += fmt::format("<text x='{:.0f}' y='{:.0f}'>0 s, the fault</text><text x='{:.0f}' y='{:.0f}' text-anchor=end>{}</text></svg>", kLeft, height - 8, kLeft + kWidth, height - 8, seconds(last));
  return out;
}

std::string figures(const RunReport& report) {
  if (!report.measured) return {};
  bool late = report.rta_s < 0 || report.rta_s > report.objectives.rto_s;
  bool lossy = report.rpa.oldest_lost_age_s > report.objectives.rpo_s;
  std::string out = "<div class=figures>";
  out += figure("recovery time (RTA)", seconds(report.rta_s), "objective " + seconds(report.objectives.rto_s), late);
  out += figure("recovery point (RPA)", seconds(report.rpa.oldest_lost_age_s), "objective " + seconds(report.objectives.rpo_s), lossy);
  out += figure("acknowledged writes lost", std::to_string(report.rpa.lost), fmt::format("of {}", report.rpa.acknowledged), false);
  out += figure("two servers acknowledging", seconds(report.double_acknowledged_s), "objective: never", report.double_acknowledged_s > 0);
  if (report.failback)
    out += figure("failback without writes", seconds(report.failback->write_outage_s), fmt::format("{} writes lost", report.failback->lost), report.failback->lost > 0);
  return out + "</div>";
}

}  // namespace

std::string report_html(const RunReport& report) {
  bool drill = report.mode == "drill";
  std::string title = report.title.empty() ? report.scenario : report.title;
  std::string out = fmt::format("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'><title>{}{}</title><style>{}</style><body class={}><main>",
                                drill ? "Drill: " : "", escaped(title), kStyle, drill ? "drill" : "real");
  out += fmt::format("<p class='mark {}'>{}</p><h1>{}</h1><p class=q>{} · {} · run {} {} · {} by {}</p>", drill ? "" : "real", drill ? "Drill" : "Real, not a drill", escaped(report_headline(report)),
                     escaped(title), escaped(report.plan), escaped(report.run), escaped(report.state), escaped(report.started), escaped(report.by));
  if (!report.profile.empty()) out += fmt::format("<p>Profile {}: some waits are shorter than on a real day.</p>", escaped(report.profile));
  if (!report.fault.empty()) out += fmt::format("<p class=q>Fault: {}. Objectives {}.</p>", escaped(report.fault), report.objectives.met ? "met" : "<span class=bad>not met</span>");
  out += figures(report) + "<h2>What happened when</h2>" + timeline_chart(report);

  out += "<h2>Steps</h2><div class=wide><table><tr><th>phase<th>step<th>ended<th>tries<th>began after<th>took<th>";
  for (const ReportStep& step : report.steps) {
    bool began = step.started_after_s >= 0;
    out += fmt::format("<tr><td>{}<td>{}<td{}>{}<td class=n>{}<td class=n>{}<td class=n>{}<td>{}", escaped(step.phase), escaped(step.id), step.status == "failed" ? " class=bad" : "", escaped(step.status),
                       step.attempts, began ? seconds(step.started_after_s) : "", began ? seconds(step.seconds) : "", escaped(step.error.empty() ? step.summary : step.error));
  }
  out += "</table></div>";
  if (!report.decisions.empty()) out += "<h2>Decisions and what was seen</h2><ol>";
  for (const ReportDecision& decision : report.decisions) {
    out += fmt::format("<li>{} {}: {}. {}", escaped(decision.signal), escaped(decision.subject), escaped(decision.verdict), escaped(decision.reason));
    const Json& votes = member(decision.observations, "votes");
    for (const Json& vote : votes.is_array() ? votes.get_array() : JsonArray{}) {
      out += fmt::format("<br><span class=q>{}: {} of {} targets fail{}</span>", escaped(text_or(vote, "vantage")), int_or(vote, "failing"), int_or(vote, "targets"),
                         bool_or(vote, "counts") ? "" : "; not counted: " + escaped(text_or(vote, "detail")));
    }
  }
  if (!report.decisions.empty()) out += "</ol>";
  if (!report.approvals.empty()) out += "<h2>Approvals</h2><ol>";
  for (const ReportLine& line : report.approvals) out += fmt::format("<li><code>{}</code> {}", escaped(line.at), escaped(line.text));
  if (!report.approvals.empty()) out += "</ol>";
  out += "<h2>Timeline</h2><ol>";
  for (const ReportLine& line : report.timeline) out += fmt::format("<li><code>{}</code> {}", escaped(line.at.size() > 23 ? line.at.substr(11, 12) : line.at), escaped(line.text));
  out += fmt::format("</ol><p class=qq>Journal: {} events, chain {}, head {}. Plan {}.</p></main></body></html>\n", report.chain.events, report.chain.whole ? "whole" : "not whole", escaped(report.chain.head.substr(0, 16)),
                     escaped(report.plan_hash.substr(0, 16)));
  return out;
}

}  // namespace lifeboat
