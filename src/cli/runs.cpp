#include "cli/runs.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cli/backups.hpp"
#include "cli/drills.hpp"
#include "cli/exit_codes.hpp"
#include "cli/run_view.hpp"
#include "core/data/list_of.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

Result<Json> vars_of(const std::vector<std::string>& assignments) {
  JsonObject vars;
  for (const std::string& assignment : assignments) {
    size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorKind::invalid_input, fmt::format("'{}' is no assignment", assignment), "write it NAME=VALUE");
    vars[assignment.substr(0, equals)] = assignment.substr(equals + 1);
  }
  return Json(vars);
}

bool has_ended(const std::string& state) {
  return state == "done" || state == "failed" || state == "aborted" || state == "rolled-back";
}

ViewOptions terminal_size() {
  ViewOptions options;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40)
    options.width = size.ws_col, options.height = size.ws_row;
  options.colour = true;
  return options;
}

// Redraws in place: up over what was drawn last, then the new lines, each cleared to its end.
void redraw(const std::vector<std::string>& lines, size_t& drawn) {
  std::string out;
  if (drawn > 0) out += fmt::format("\x1b[{}A", drawn);
  for (const std::string& line : lines) out += line + "\x1b[K\n";
  out += "\x1b[J";
  drawn = lines.size();
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

std::string joined(const JsonArray& names) {
  std::string out;
  for (const Json& name : names) {
    if (name.is_string()) out += (out.empty() ? "" : ", ") + std::string(name.get_string());
  }
  return out;
}

// "assess  Assessment and Activation, 0s..30m".
std::string phase_heading(const std::string& name, const Json& known) {
  std::string title = text_or(known, "title"), expected = text_or(known, "expected");
  if (title.empty()) return name;
  return fmt::format("{}  {}{}", name, title, expected.empty() ? "" : ", " + expected);
}

// What a step of a preview waits for, besides the phase before.
std::string conditions_of(const Json& step) {
  std::string after = joined(list_of(step, "after")), condition = text_or(step, "if"), ask = text_or(step, "approval");
  std::string out = after.empty() ? "" : "after " + after;
  if (!condition.empty()) out += (out.empty() ? "only if " : "; only if ") + condition;
  if (!ask.empty()) out += (out.empty() ? "needs " : "; needs ") + ask;
  return out;
}

std::string encoded(const std::string& text) { return percent_encode(text); }

}  // namespace

Output detect_output(const std::string& format) {
  const char* term = std::getenv("TERM");
  bool dumb = term == nullptr || std::string_view(term) == "dumb";
  Output output;
  output.json = format == "json";
  output.terminal = !output.json && isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr && !dumb;
  return output;
}

int start_run(Client& client, const RunOptions& options, const Output& output) {
  auto vars = vars_of(options.vars);
  if (!vars) return complain(vars.error());
  auto opened = client.post(
      "/api/runs", {{"scenario", options.scenario}, {"by", options.by}, {"vars", *vars}, {"reason", options.reason}});
  if (!opened) return complain(opened.error());
  std::string id = text_or(*opened, "id");
  if (!options.watch) {
    fmt::print("{}\n", output.json ? to_text(*opened) : id);
    return kOk;
  }
  return watch_run(client, id, output);
}

int show_status(Client& client, const Output& output) {
  auto status = client.get("/api/status");
  if (!status) return complain(status.error());
  if (output.json) {
    fmt::print("{}\n", to_text(*status));
    return kOk;
  }
  fmt::print("{}\n", text_or(*status, "headline"));
  const Json& databases = member(*status, "databases");
  for (const auto& [name, database] : databases.is_object() ? databases.get_object() : JsonObject{}) {
    std::string holder = text_or(database, "holder");
    fmt::print("{:<16} {} term {}\n", std::string(name),
               holder.empty()                  ? "NO PRIMARY"
               : bool_or(database, "writable") ? "primary " + holder
                                               : holder + " does not take writes",
               int_or(database, "term"));
    if (!text_or(database, "automatic_refused").empty())
      fmt::print("  nothing is promoted by itself: {}\n", text_or(database, "automatic_refused"));
    for (const Json& one : list_of(database, "members")) {
      fmt::print("  {:<14} {:<12} {:<9} {:<10} {}\n", text_or(one, "member"), text_or(one, "region"),
                 bool_or(one, "connected") ? text_or(one, "state") : "NO AGENT",
                 bool_or(one, "streaming") ? "streams" : "", text_or(one, "written"));
      for (const Json& handicap : list_of(one, "handicaps"))
        if (handicap.is_string()) fmt::print("    {}\n", std::string(handicap.get_string()));
      std::string waits = text_or(member(one, "cancelled_waits"), "text");
      if (!waits.empty()) fmt::print("    {}\n", waits);
    }
  }
  for (const auto& [name, database] : databases.is_object() ? databases.get_object() : JsonObject{}) {
    print_backup_status(std::string(name), member(database, "backups"));
    print_dump_status(std::string(name), member(database, "dumps"));
  }
  print_due_drills(*status);
  for (const Json& signal : list_of(*status, "signals"))
    fmt::print("SIGNAL           {} {}: {}\n", text_or(signal, "signal"), text_or(signal, "subject"),
               text_or(signal, "text"));
  for (const Json& run : list_of(*status, "runs"))
    fmt::print("{:<16} {} {}\n", text_or(run, "id"), text_or(run, "state"), text_or(run, "scenario"));
  return kOk;
}

int watch_run(Client& client, std::string id, const Output& output) {
  if (id.empty()) {
    auto runs = client.get("/api/runs");
    if (!runs) return complain(runs.error());
    for (const Json& run : list_of(*runs, "runs")) id = text_or(run, "id");
    if (id.empty()) {
      fmt::print("There is no run.\n");
      return kOk;
    }
  }
  size_t drawn = 0;
  int64_t after = 0;
  bool warned = false;
  while (true) {
    auto run = client.get("/api/runs/" + encoded(id));
    if (!run) {
      if (run.error().kind != ErrorKind::unreachable && run.error().kind != ErrorKind::timed_out)
        return complain(run.error());
      // The run goes on without its watcher; so does the watcher without its controller, for a while.
      if (!warned) fmt::print(stderr, "lifeboat: not live: {}\n", run.error().what);
      warned = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      continue;
    }
    warned = false;
    if (output.terminal) {
      redraw(render_run(*run, terminal_size()), drawn);
    } else {
      auto events = client.get(fmt::format("/api/events?run={}&after={}", encoded(id), after));
      for (const Json& event : events ? list_of(*events, "events") : JsonArray{}) {
        after = std::max(after, int_or(event, "seq"));
        std::string line = output.json ? to_text(event) : event_line(event);
        if (!line.empty()) fmt::print("{}\n", line);
      }
      std::fflush(stdout);
    }
    std::string state = text_or(*run, "state");
    if (has_ended(state)) {
      if (!output.json) fmt::print("{}\n", closing_line(*run));
      return state == "done" ? kOk : kNotWell;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(output.terminal ? 200 : 300));
  }
}

int say(Client& client, const std::string& verb, const SayOptions& options, const Output& output) {
  auto done = client.post(fmt::format("/api/runs/{}/{}", encoded(options.run), verb),
                          {{"step", options.step}, {"by", options.by}, {"reason", options.reason}});
  if (!done) return complain(done.error());
  fmt::print("{}\n", output.json ? to_text(*done) : text_or(*done, "text", "done"));
  return kOk;
}

int acknowledge(Client& client, const std::string& by, const std::string& text, const Output& output) {
  auto done = client.post("/api/acknowledge", {{"by", by}, {"text", text}});
  if (!done) return complain(done.error());
  fmt::print("{}\n", output.json ? to_text(*done) : text_or(*done, "text", "done"));
  return kOk;
}

int raise_signal(Client& client, const SignalOptions& options, const Output& output) {
  auto done = client.post(
      "/api/signals",
      {{"signal", options.signal}, {"subject", options.subject}, {"by", options.by}, {"text", options.text}});
  if (!done) return complain(done.error());
  if (output.json) {
    fmt::print("{}\n", to_text(*done));
    return kOk;
  }
  fmt::print("{}\n", text_or(*done, "reason"));
  for (const Json& proposal : list_of(*done, "proposals"))
    fmt::print("A person may start it: lifeboat run {}\n",
               proposal.is_string() ? std::string_view(proposal.get_string()) : "");
  return kOk;
}

int show_report(Client& client, const std::string& run, const std::string& format, const std::string& file) {
  auto report = client.get_text(fmt::format("/api/runs/{}/report?format={}", encoded(run), format));
  if (!report) return complain(report.error());
  if (file.empty()) {
    fmt::print("{}\n", *report);
    return kOk;
  }
  auto written = write_file_atomic(file, *report);
  return written ? static_cast<int>(kOk) : complain(written.error());
}

int preview(Client& client, const PreviewOptions& options, const Output& output) {
  auto bytes = read_file(options.plan_file, 1u << 20);
  if (!bytes) return complain(bytes.error());
  auto vars = vars_of(options.vars);
  if (!vars) return complain(vars.error());
  auto seen =
      client.post("/api/preview", {{"scenario", options.scenario}, {"plan_hash", sha256_hex(*bytes)}, {"vars", *vars}},
                  Duration{60'000});
  if (!seen) return complain(seen.error());
  if (output.json) {
    fmt::print("{}\n", to_text(*seen));
    return kOk;
  }
  fmt::print("{}: what would be done now. Nothing is changed by looking.\n\n", options.scenario);
  std::string phase;
  for (const Json& step : list_of(*seen, "steps")) {
    if (text_or(step, "phase") != phase) {
      phase = text_or(step, "phase");
      fmt::print("{}\n", phase_heading(phase, member(member(*seen, "phases"), phase)));
    }
    bool holds = bool_or(step, "holds");
    fmt::print("  {} {:<20} {}{}\n",
               holds                    ? "="
               : bool_or(step, "known") ? "~"
                                        : "?",
               text_or(step, "id"), text_or(step, "state"),
               text_or(step, "change").empty() ? "" : "  " + text_or(step, "change"));
    if (std::string conditions = conditions_of(step); !conditions.empty())
      fmt::print("    {:<20} {}\n", "", conditions);
  }
  std::string path;
  for (const Json& id : list_of(*seen, "critical_path"))
    path += (path.empty() ? "" : " > ") + std::string(id.is_string() ? std::string_view(id.get_string()) : "");
  fmt::print("\ncritical path  {}\n", path);
  int64_t estimated = int_or(*seen, "estimated_ms"), rto = int_or(*seen, "rto_ms");
  fmt::print("               about {}, where no step fails{}\n", format_span(Duration{estimated}),
             estimated > rto ? fmt::format(": LONGER THAN THE RTO of {}", format_span(Duration{rto})) : "");
  for (const Json& restore : list_of(*seen, "restores")) fmt::print("restore        {}\n", text_or(restore, "text"));
  for (const Json& loss : list_of(*seen, "losses")) fmt::print("loss           {}\n", text_or(loss, "text"));
  return kOk;
}

int verify_journal(Client& client, const Output& output) {
  auto chain = client.get("/api/journal/verify", Duration{120'000});
  if (!chain) return complain(chain.error());
  bool whole = bool_or(*chain, "whole");
  if (output.json) {
    fmt::print("{}\n", to_text(*chain));
  } else if (whole) {
    fmt::print("The journal is whole: {} events, head {}.\n", int_or(*chain, "events"),
               text_or(*chain, "head").substr(0, 16));
  } else {
    fmt::print("THE JOURNAL IS NOT WHOLE at event {}: {}\n", int_or(*chain, "broken_at"), text_or(*chain, "reason"));
  }
  return whole ? kOk : kNotWell;
}

}  // namespace lifeboat::cli
