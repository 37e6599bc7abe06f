#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/html_parts.hpp"
#include "report/words.hpp"

namespace lifeboat {
namespace {

constexpr double kLeft = 208, kRight = 1020, kWidth = 1100, kRow = 19, kTickRow = 15;

// Where a time lies. Runs of more than a minute get a log scale: what matters happens in their first seconds.
class Axis {
 public:
  explicit Axis(double last) : last_(last), log_(last > 60) {}
  bool log() const { return log_; }
  double operator()(double at) const {
    double share = log_ ? std::log1p(std::max(0.0, at)) / std::log1p(last_) : at / last_;
    return kLeft + (kRight - kLeft) * std::clamp(share, 0.0, 1.0);
  }
  std::vector<double> marks() const {
    constexpr std::array<double, 22> kNice{0.1, 0.2, 0.5,  1,    2,    5,     10,    20,    30,     60,     120,
                                           300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800, 2592000};
    std::vector<double> out;
    if (log_) {
      for (double nice : kNice) {
        if (nice < last_ && (*this)(nice) - (out.empty() ? kLeft : (*this)(out.back())) > 50) out.push_back(nice);
      }
      return out;
    }
    auto step = std::ranges::find_if(kNice, [&](double nice) { return last_ / nice <= 8; });
    for (double at = *step; at < last_ * 0.999; at += *step) out.push_back(at);
    return out;
  }

 private:
  double last_;
  bool log_;
};

std::string mark_in_words(double at) {
  if (at < 60) return fmt::format("{:g} s", at);
  if (at < 3600) return fmt::format("{:g} min", at / 60);
  return at < 86400 ? fmt::format("{:g} h", at / 3600) : fmt::format("{:g} d", at / 86400);
}

struct Tick {
  double at;
  std::string name;
};

std::vector<Tick> milestones_of(const RunReport& report) {
  const Milestones& m = report.milestones;
  std::vector<Tick> out;
  for (const Tick& tick : {Tick{m.detected, "detected"},
                           {m.decided, "decided"},
                           {m.approved, "approved"},
                           {m.writable, "writable"},
                           {m.first_served, "first served"},
                           {m.all_served, "all served"},
                           {m.reprotected, "reprotected"}}) {
    if (tick.at >= 0) out.push_back(tick);
  }
  std::ranges::sort(out, {}, &Tick::at);
  return out;
}

std::string text_at(double x, double y, std::string_view kind, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x='{:.1f}' y='{:.1f}' class='{}' text-anchor='{}'>{}</text>", x, y, kind, anchor,
                     html_escaped(text));
}

std::string bar(const ReportStep& step, const Axis& x, double y) {
  double from = x(step.started_after_s), width = std::max(2.5, x(step.started_after_s + step.seconds) - from);
  bool bad = step.status == "failed" || step.status == "undo-failed",
       struck = step.status == "skipped" || step.status == "undone";
  std::string fill = struck ? "url(#hatch)" : bad ? "var(--bad)" : step.message ? "var(--fill)" : "var(--fill-2)";
  std::string word = step.status == "done" ? "" : step.status + ", ";
  std::string length = word + seconds_in_words(step.seconds);
  bool fits_right = from + width + 8 + 7 * static_cast<double>(length.size()) < kWidth;
  return text_at(12, y + 10, "", "start", step.id.substr(0, 28)) +
         fmt::format(
             "<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='11' rx='2' fill='{}'><title>{}: {} after {}, took "
             "{}</title></rect>",
             from, y + 1, width, fill, html_escaped(step.id), html_escaped(step.status),
             seconds_in_words(step.started_after_s), seconds_in_words(step.seconds)) +
         text_at(fits_right ? from + width + 6 : from - 6, y + 10, bad ? "b" : "k", fits_right ? "start" : "end",
                 length);
}

}  // namespace

std::string html_timeline_chart(const RunReport& report) {
  std::vector<const ReportStep*> steps, messages;
  std::vector<Tick> ticks = milestones_of(report);
  double last = 1;
  for (const Tick& tick : ticks) last = std::max(last, tick.at);
  for (const ReportStep& step : report.steps) {
    if (step.started_after_s < 0) continue;
    (step.message ? messages : steps).push_back(&step);
    last = std::max(last, step.started_after_s + step.seconds);
  }
  if (steps.empty() && messages.empty()) return {};
  Axis x(last * 1.02);

  std::string body;
  double top = 12 + kTickRow * static_cast<double>(ticks.size()), y = top + 6;
  std::string phase;
  for (const ReportStep* step : steps) {
    if (step->phase != phase) {
      body += text_at(0, y + 12, "h", "start", step->phase);
      phase = step->phase;
      y += kRow;
    }
    body += bar(*step, x, y);
    y += kRow;
  }
  if (!messages.empty()) {
    body += text_at(0, y + 12, "h", "start", "messages");
    body += text_at(kLeft - 10, y + 12, "k", "end", "nothing waits for them");
    y += kRow;
    for (const ReportStep* step : messages) {
      body += bar(*step, x, y);
      y += kRow;
    }
  }
  double bottom = y + 6;
  std::string grid =
      fmt::format("<line x1='{0}' x2='{1}' y1='{2:.1f}' y2='{2:.1f}' stroke='var(--line-2)'/>", kLeft, kRight, bottom);
  grid += text_at(kLeft, bottom + 16, "k", "middle", "0");
  for (double mark : x.marks()) {
    grid += fmt::format("<line x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}' stroke='var(--line)'/>", x(mark),
                        top, bottom);
    grid += text_at(x(mark), bottom + 16, "k", "middle", mark_in_words(mark));
  }
  // Lines go below the bars, their names above all.
  std::string under, over;
  for (size_t index = 0; index < ticks.size(); ++index) {
    double at = x(ticks[index].at), row = 8 + kTickRow * static_cast<double>(index);
    bool left = at > kLeft + (kRight - kLeft) * 0.7;
    under += fmt::format("<line x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}' stroke='var(--ink-3)'/>", at,
                         row - 6, bottom);
    over += text_at(left ? at - 5 : at + 5, row + 3, "h", left ? "end" : "start",
                    fmt::format("{} {}", ticks[index].name, seconds_in_words(ticks[index].at)));
  }
  double objective = report.objectives.rto_s;
  std::string note = x.log() ? "seconds after the fault, log scale" : "seconds after the fault";
  if (objective > last)
    note += fmt::format("; the objective, {}, lies beyond the right edge", seconds_in_words(objective));
  if (objective > 0 && objective <= last) {
    under += fmt::format("<line x1='{0:.1f}' x2='{0:.1f}' y1='0' y2='{1:.1f}' stroke='var(--ink)' stroke-width='3'/>",
                         x(objective), bottom + 4);
    over += text_at(x(objective), bottom + 32, "h", "middle", "objective " + seconds_in_words(objective));
  }
  double height = bottom + 40;
  return fmt::format(
             "<div class=chart><svg viewBox='0 0 {:.0f} {:.0f}' role=img aria-label='Steps and milestones by {}'>"
             "<defs><pattern id=hatch width=5 height=5 patternUnits=userSpaceOnUse patternTransform='rotate(25)'><line "
             "y2=5 stroke='var(--fill-2)' stroke-width=2 /></pattern></defs>",
             kWidth, height, html_escaped(note)) +
         grid + under + body + over + text_at(kLeft, height - 4, "k", "start", note) + "</svg></div>";
}

}  // namespace lifeboat
