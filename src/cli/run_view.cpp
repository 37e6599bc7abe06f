#include "cli/run_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/time.hpp"

namespace lifeboat::cli {
namespace {

constexpr std::string_view kBold = "\x1b[1m", kDim = "\x1b[2m", kBlue = "\x1b[1;94m", kAmber = "\x1b[33m",
                           kRed = "\x1b[91m", kPlain = "\x1b[0m";

std::string paint(std::string_view colour, const std::string& text, const ViewOptions& options) {
  return options.colour ? fmt::format("{}{}{}", colour, text, kPlain) : text;
}

// Foreign text (titles, summaries) on a terminal: no control bytes, cut to the columns that are left.
std::string fit(std::string_view text, size_t columns) {
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < text.size();) {
    auto lead = static_cast<unsigned char>(text[at]);
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (used + 1 > columns) break;
    if (lead >= 0x20 && lead != 0x7f) out += text.substr(at, length), ++used;
    at += length;
  }
  return out;
}

std::string pad(const std::string& text, size_t columns) {
  std::string out = fit(text, columns);
  size_t shown = static_cast<size_t>(
      std::ranges::count_if(out, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  return out + std::string(columns > shown ? columns - shown : 0, ' ');
}

struct Mark {
  std::string_view sign;
  std::string_view word;
  std::string_view colour;
};

Mark mark_of(std::string_view status) {
  if (status == "running") return {"◐", "run", ""};
  if (status == "asking") return {"@", "ASK", kBlue};
  if (status == "done") return {"✓", "ok", kDim};
  if (status == "failed") return {"✗", "FAIL", kRed};
  if (status == "skipped") return {"»", "skip", kDim};
  if (status == "undone") return {"↶", "undo", kDim};
  if (status == "unknown") return {"?", "UNKNOWN", kAmber};
  if (status == "retrying") return {"◐", "late", kAmber};
  return {"○", "idle", kDim};
}

// Elapsed against the objective: filled up to now, the objective as a heavy tick at the end.
std::string clock_bar(Duration elapsed, Duration objective, size_t columns) {
  double share =
      objective.count() == 0 ? 0 : static_cast<double>(elapsed.count()) / static_cast<double>(objective.count());
  auto filled = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(columns));
  std::string out;
  for (size_t column = 0; column < columns; ++column) out += column < filled ? "█" : "·";
  return out + "┃";
}

std::string step_time(const Json& step) {
  std::string status = text_or(step, "status");
  Duration elapsed{int_or(step, "elapsed_ms")};
  if (status == "running" || status == "asking") return format_clock(elapsed).substr(2);
  if (status == "done" || status == "failed" || status == "undone") return format_span(elapsed);
  return "";
}

std::string step_line(const Json& step, const ViewOptions& options) {
  std::string status = text_or(step, "status");
  Mark mark = mark_of(status);
  std::string what = text_or(step, "progress");
  if (what.empty()) what = text_or(step, "summary");
  if (what.empty() && status == "idle") {
    std::string after;
    for (const Json& need : member(step, "after").is_array() ? member(step, "after").get_array() : JsonArray{})
      after +=
          (after.empty() ? "after " : ", ") + std::string(need.is_string() ? std::string_view(need.get_string()) : "");
    what = after;
  }
  int64_t attempts = int_or(step, "attempts");
  if (attempts > 1) what = fmt::format("{} tries; {}", attempts, what);
  std::string line = fmt::format(" {} {} {} {}", mark.sign, pad(text_or(step, "id"), 20), pad(step_time(step), 9),
                                 fit(what, options.width > 36 ? options.width - 36 : 10));
  return mark.colour.empty() ? line : paint(mark.colour, line, options);
}

void add_question(const Json& ask, const ViewOptions& options, std::vector<std::string>& out) {
  std::string step = text_or(ask, "step");
  auto line = [&](const std::string& text) {
    out.push_back(paint(kBlue, "│ " + fit(text, options.width - 2), options));
  };
  std::string title =
      fmt::format("┌ {} ", bool_or(ask, "manual") ? "a person does this and confirms" : "an approval is asked");
  out.push_back(paint(kBlue, title, options));
  line(text_or(ask, "question", step));
  if (!text_or(ask, "loss").empty()) line(text_or(ask, "loss"));
  std::string people;
  for (const Json& person : member(ask, "people").is_array() ? member(ask, "people").get_array() : JsonArray{})
    people +=
        (people.empty() ? "" : ", ") + std::string(person.is_string() ? std::string_view(person.get_string()) : "");
  if (!people.empty()) line(fmt::format("{} of: {}", int_or(ask, "need", 1), people));
  line(text_or(ask, "command"));
}

}  // namespace

std::vector<std::string> render_run(const Json& run, const ViewOptions& options) {
  std::vector<std::string> out;
  bool drill = text_or(run, "mode") == "drill";
  std::string kind = drill ? "Drill" : paint(kRed, "real, not a drill", options);
  out.push_back(fmt::format(" Lifeboat  {}  {} {}  {}", kind, text_or(run, "id"), text_or(run, "incident"),
                            text_or(run, "scenario")));
  out.push_back(paint(kBold, " " + fit(text_or(run, "headline"), options.width - 2), options));
  out.emplace_back();
  Duration elapsed{int_or(run, "elapsed_ms")}, rto{int_or(run, "rto_ms")};
  out.push_back(fmt::format(" {} {} {}", format_clock(elapsed), clock_bar(elapsed, rto, 40), format_span(rto)));
  out.emplace_back();
  std::string phases = " ";
  for (const Json& phase : member(run, "phases").is_array() ? member(run, "phases").get_array() : JsonArray{})
    phases += fmt::format("{} {}/{}  ", text_or(phase, "name"), int_or(phase, "settled"), int_or(phase, "total"));
  out.push_back(fit(phases, options.width));

  const Json& steps = member(run, "steps");
  std::vector<std::string> lines;
  size_t hidden = 0;
  const JsonArray& list = steps.is_array() ? steps.get_array() : JsonArray{};
  size_t room = options.height > 14 ? options.height - 12 : 4;
  size_t begin = 0;
  if (list.size() > room) {
    // Keep what is under way in sight; what was done long ago goes first.
    size_t current = 0;
    for (size_t index = 0; index < list.size(); ++index) {
      std::string status = text_or(list[index], "status");
      if (status != "idle") current = index;
    }
    begin = std::min(list.size() - room, current > room / 2 ? current - room / 2 : 0);
    hidden = list.size() - room;
  }
  for (size_t index = begin; index < std::min(list.size(), begin + room); ++index)
    out.push_back(step_line(list[index], options));
  if (hidden > 0) out.push_back(paint(kDim, fmt::format("   {} more", hidden), options));
  for (const Json& ask : member(run, "asks").is_array() ? member(run, "asks").get_array() : JsonArray{})
    add_question(ask, options, out);
  return out;
}

std::string event_line(const Json& event) {
  std::string at = text_or(event, "at");
  std::string time = at.size() >= 19 ? at.substr(11, 8) : at;
  std::string kind = text_or(event, "kind");
  const Json& body = member(event, "body");
  std::string step = text_or(body, "step");
  auto line = [&](std::string_view word, const std::string& text) {
    return fmt::format("{} {:<7} {}", time, word, fit(text, 400));
  };
  auto with = [&](std::string_view key) {
    std::string text = text_or(body, key);
    return text.empty() ? step : step + "  " + text;
  };
  if (kind == "signal-raised") return line("signal", text_or(body, "signal") + "  " + text_or(body, "text"));
  if (kind == "decided") return line("decide", text_or(body, "verdict") + "  " + text_or(body, "reason"));
  if (kind == "run-opened") return line("open", text_or(body, "scenario") + "  " + text_or(body, "reason"));
  if (kind == "step-started")
    return line("run", step + (int_or(body, "attempt", 1) > 1 ? fmt::format("  try {}", int_or(body, "attempt")) : ""));
  if (kind == "step-finished" || kind == "step-observed") return line("ok", with("summary"));
  if (kind == "step-failed") return line("FAIL", with("error"));
  if (kind == "step-unknown") return line("UNKNOWN", with("error"));
  if (kind == "step-skipped") return line("skip", with("reason"));
  if (kind == "step-undone") return line("undo", with("summary"));
  if (kind == "step-undo-failed") return line("FAIL", with("error"));
  if (kind == "step-retry-scheduled") return line("late", with("reason"));
  if (kind == "approval-asked" || kind == "manual-asked") return line("ASK", with("question"));
  if (kind == "approval-given" || kind == "manual-confirmed") return line("approve", with("by"));
  if (kind == "approval-declined" || kind == "approval-expired") return line("decline", with("by"));
  if (kind == "run-paused" || kind == "run-halted" || kind == "run-restored")
    return line("PAUSE", text_or(body, "reason"));
  if (kind == "run-resumed") return line("resume", text_or(body, "by"));
  if (kind == "abort-asked") return line("abort", text_or(body, "reason"));
  if (kind == "run-finished") return line("end", text_or(body, "state") + "  " + text_or(body, "reason"));
  if (kind == "incident-opened") return line("open", text_or(body, "severity") + "  " + text_or(body, "title"));
  std::string text = text_or(body, "text");
  return text.empty() ? std::string() : line("note", text);
}

std::string closing_line(const Json& run) {
  return fmt::format("{} {}: {} after {}", text_or(run, "id"), text_or(run, "scenario"), text_or(run, "state"),
                     format_span(Duration{int_or(run, "elapsed_ms")}));
}

}  // namespace lifeboat::cli
