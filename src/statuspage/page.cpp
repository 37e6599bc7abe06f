#include "statuspage/page.hpp"

#include <algorithm>

namespace lifeboat::statuspage {
namespace {

constexpr std::string_view kStyle = R"(:root{color-scheme:light dark;
--bg:#f1f2f1;--line:#d7dbdb;--line-2:#a7b0b2;--edge:#798488;--ink:#12181b;--ink-2:#3f4a4f;
--bad:#c22a20;--bad-ink:#a31d15;--bad-wash:#fbe8e5;--warn:#b56a00;--warn-ink:#7d4700;--warn-wash:#faeed8}
@media (prefers-color-scheme:dark){:root{--bg:#0d1113;--line:#232c31;--line-2:#455259;--edge:#6c7a80;--ink:#e9eded;
--ink-2:#b7c1c4;--bad:#f4604f;--bad-ink:#ff9d91;--bad-wash:#2d1513;--warn:#e3a33a;--warn-ink:#f3c070;
--warn-wash:#281e0d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:400 1rem/1.45 "Inter",ui-sans-serif,system-ui,-apple-system,
"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums slashed-zero}
h1,h2,h3,p,ol,ul,dl,dd{margin:0;padding:0}ol,ul{list-style:none}
.wrap{max-width:60rem;margin:auto;padding:0 1.5rem}
header{min-height:64px;display:flex;align-items:center;font-weight:650;letter-spacing:-.015em}
.now{border:2px solid var(--line-2);border-radius:10px;padding:1.5rem}
.now.bad{border-color:var(--bad);background:var(--bad-wash)}.now.bad h1 span{color:var(--bad-ink)}
.now.warn{border-color:var(--warn);background:var(--warn-wash)}.now.warn h1 span{color:var(--warn-ink)}
.now.drill{border-style:dashed;border-color:var(--edge)}
h1{font-size:clamp(1.5rem,1.1rem + 1.8vw,2.25rem);line-height:1.15;font-weight:600;letter-spacing:-.018em}
.now p{margin-top:.6rem;max-width:66ch;font-size:1.0625rem;white-space:pre-line}
dl{display:flex;flex-wrap:wrap;gap:.6rem 2.5rem;margin-top:1.25rem;padding-top:1rem;border-top:1px solid var(--line)}
dt{font-size:.8125rem;color:var(--ink-2)}dd{font-weight:600}
h2{font-size:1.25rem;letter-spacing:-.015em;margin:2rem 0 .75rem}
.upd li{position:relative;padding:0 0 1.5rem 1.6rem}
.upd li::before{content:"";position:absolute;left:4px;top:.5rem;bottom:-.5rem;border-left:1.5px solid var(--line-2)}
.upd li:last-child::before{display:none}
.upd li::after{content:"";position:absolute;left:0;top:.45rem;width:9px;height:9px;border-radius:50%;
background:var(--ink)}
time{font-size:.8125rem;color:var(--ink-2)}h3{font-size:1rem;margin:.1rem 0 .25rem;font-weight:600}
.upd p{color:var(--ink-2);max-width:60ch;white-space:pre-line}
.past li{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.75rem 0;border-top:1px solid var(--line)}
.past span:last-child{margin-left:auto;color:var(--ink-2)}
footer{margin:2rem 0 1.5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.8125rem;color:var(--ink-2)}
@media (max-width:719px){.wrap{padding:0 1rem}.now{padding:1rem}}
)";

// Outside, minutes are exact enough: "23 November, 04:12 UTC".
std::string when(WallTime at) {
  static constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                                 "July",    "August",   "September", "October", "November", "December"};
  std::string text = format_wall(at);  // 2026-11-23T04:12:55.123Z
  size_t month = static_cast<size_t>((text[5] - '0') * 10 + text[6] - '0');
  int day = (text[8] - '0') * 10 + text[9] - '0';
  return fmt::format("{} {}, {} UTC", day, kMonths[std::clamp<size_t>(month, 1, 12) - 1], text.substr(11, 5));
}

std::string time_tag(WallTime at) { return fmt::format(R"(<time datetime="{}">{}</time>)", format_wall(at), when(at)); }

std::string_view state_in_words(std::string_view state) {
  if (state == "investigating") return "We are looking for the cause";
  if (state == "identified") return "We know the cause";
  if (state == "monitoring") return "It works again; we are watching it";
  return "Over";
}

std::string minutes(Duration span) {
  auto whole = std::chrono::duration_cast<std::chrono::minutes>(span).count();
  if (whole < 1) return "less than a minute";
  return whole < 60 ? fmt::format("{} min", whole) : fmt::format("{} h {} min", whole / 60, whole % 60);
}

std::string update_items(const Incident& incident) {
  std::string out;
  for (auto update = incident.updates.rbegin(); update != incident.updates.rend(); ++update) {
    out += fmt::format("<li>{}<h3>{}{}</h3><p>{}</p></li>\n", time_tag(update->at), update->drill ? "Drill. " : "",
                       state_in_words(update->state), escape_html(update->text));
  }
  return out;
}

std::string now_section(const std::optional<Incident>& current, const std::string& head, WallTime now) {
  if (!current) {
    return fmt::format(
        "<section class=\"now\" id=\"now\"><h1>{}</h1>"
        "<p>If something does not work for you, it may be that we have not seen it yet.</p></section>\n",
        escape_html(head));
  }
  const Update& last = current->updates.back();
  std::string_view look = current->drill() ? "drill" : last.state == "monitoring" ? "warn" : "bad";
  std::string_view mark = current->drill()             ? ""
                          : last.state == "monitoring" ? "<span aria-hidden=\"true\">&#9651;</span> "
                                                       : "<span aria-hidden=\"true\">&#10005;</span> ";
  std::string intro = current->drill() ? "This is a rehearsal. The words below are part of it.\n" : "";
  return fmt::format(
      "<section class=\"now {}\" id=\"now\"><h1>{}{}</h1><p>{}{}</p>\n"
      "<dl><div><dt>Since</dt><dd>{}</dd></div><div><dt>For</dt><dd>{}</dd></div>"
      "<div><dt>State</dt><dd>{}</dd></div></dl></section>\n"
      "<h2>What we know</h2>\n<ol class=\"upd\">\n{}</ol>\n",
      look, mark, escape_html(head), intro, escape_html(last.text), time_tag(current->since()),
      minutes(std::max(Duration{0}, now - current->since())), state_in_words(last.state), update_items(*current));
}

std::string past_section(const Board& board) {
  std::vector<Incident> incidents = board.incidents();
  std::string out;
  size_t shown = 0;
  for (auto incident = incidents.rbegin(); incident != incidents.rend() && shown < 20; ++incident) {
    if (!incident->over()) continue;
    ++shown;
    out += fmt::format("<li><span>{}</span><span>{}{}</span><span>{}</span></li>\n", when(incident->since()),
                       incident->drill() ? "Drill: " : "", escape_html(incident->title()),
                       minutes(incident->updates.back().at - incident->since()));
  }
  return out.empty() ? out : fmt::format("<h2>Before</h2>\n<ul class=\"past\">\n{}</ul>\n", out);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string page(const Board& board, std::string_view title, WallTime now) {
  std::string head = headline(board);
  std::string name = escape_html(title);
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"refresh\" content=\"30\">\n<title>{} · {}</title>\n<style>\n{}</style>\n</head>\n<body>\n"
      "<div class=\"wrap\">\n<header>{}</header>\n<main>\n{}{}</main>\n"
      "<footer>Written {}. This page reloads itself every 30 s. The same as <a "
      "href=\"/api/v1/status\">JSON</a>.</footer>\n"
      "</div>\n</body>\n</html>\n",
      escape_html(head), name, kStyle, name, now_section(board.current(), head, now), past_section(board), when(now));
}

}  // namespace lifeboat::statuspage
