#include "cli/check.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <tuple>

#include "actions/action.hpp"
#include "core/data/decode.hpp"
#include "plan/load.hpp"
#include "plan/rules/rule.hpp"

namespace lifeboat {
namespace {

// All that check says, before it is said in text or JSON.
struct Verdict {
  bool unreadable = false;
  bool loaded = false;
  Findings findings;
  std::vector<Runnable> scenarios;

  int exit_code() const { return unreadable ? 2 : has_errors(findings) ? 1 : 0; }
  int64_t count(Severity severity) const { return std::ranges::count(findings, severity, &Finding::severity); }
};

Date date_of(std::chrono::system_clock::time_point now) {
  std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(now)};
  return {int(day.year()), unsigned(day.month()), unsigned(day.day())};
}

Verdict look_at(const CheckOptions& options) {
  Verdict out;
  ActionCatalogue actions = built_in_actions();
  auto loaded = load_plan(options.plan, actions, {options.inventory, options.profile});
  if (!loaded) {
    out.unreadable = loaded.error().unreadable;
    out.findings = std::move(loaded.error().findings);
    return out;
  }
  out.loaded = true;
  Date today = options.today.value_or(date_of(std::chrono::system_clock::now()));
  out.findings = judge({loaded->plan, actions, today}, loaded->positions, loaded->file);
  out.scenarios = runnable_scenarios(loaded->plan, actions);
  // What breaks first, then in the order of the file.
  std::ranges::sort(out.findings, {}, [](const Finding& finding) {
    return std::tuple(finding.severity, finding.at, finding.path, finding.rule);
  });
  return out;
}

Json as_json(const CheckOptions& options, const Verdict& verdict) {
  JsonArray findings;
  for (const Finding& finding : verdict.findings) {
    findings.push_back({{"rule", finding.rule},
                        {"severity", enum_name(finding.severity)},
                        {"message", finding.message},
                        {"file", finding.file},
                        {"line", finding.at.line},
                        {"column", finding.at.column},
                        {"path", finding.path},
                        {"suggestion", finding.suggestion}});
  }
  JsonArray scenarios;
  for (const Runnable& scenario : verdict.scenarios) {
    JsonArray reasons;
    for (const std::string& reason : scenario.reasons) reasons.push_back(Json(reason));
    scenarios.push_back({{"scenario", scenario.scenario}, {"runnable", scenario.today}, {"reasons", reasons}});
  }
  return {{"plan", options.plan},
          {"readable", !verdict.unreadable},
          {"errors", verdict.count(Severity::error)},
          {"warnings", verdict.count(Severity::warning)},
          {"notes", verdict.count(Severity::note)},
          {"findings", findings},
          {"scenarios", scenarios}};
}

bool wants_colour() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr &&
         (term == nullptr || std::string_view(term) != "dumb");
}

// Colour only for what is abnormal, and never alone: each severity has its word and, on a terminal, its shape.
std::string mark_of(Severity severity, bool colour) {
  std::string word = enum_name(severity);
  if (!colour) return word;
  switch (severity) {
    case Severity::error: return "\x1b[91m✗ " + word + "\x1b[0m";
    case Severity::warning: return "\x1b[33m▲ " + word + "\x1b[0m";
    case Severity::note: break;
  }
  return "· " + word;
}

std::string counted(int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count == 0 ? "no" : std::to_string(count), what, count == 1 ? "" : "s");
}

// The answer, in one line.
std::string headline(const CheckOptions& options, const Verdict& verdict) {
  if (verdict.unreadable) return fmt::format("{} cannot be read.", options.plan);
  int64_t errors = verdict.count(Severity::error);
  if (!verdict.loaded) return fmt::format("{} cannot be used: {}.", options.plan, counted(errors, "error"));
  int64_t today = std::ranges::count(verdict.scenarios, true, &Runnable::today);
  return fmt::format("{}: {}, {}. {} of {} scenarios can be run today.", options.plan, counted(errors, "error"),
                     counted(verdict.count(Severity::warning), "warning"), today, verdict.scenarios.size());
}

std::string as_text(const CheckOptions& options, const Verdict& verdict, bool colour) {
  std::string out = headline(options, verdict) + "\n";
  if (!verdict.findings.empty()) out += "\n";
  for (const Finding& finding : verdict.findings) {
    out += fmt::format("{}:{}:{}: {}: {} [{}]\n", finding.file, finding.at.line, finding.at.column,
                       mark_of(finding.severity, colour), finding.message, finding.rule);
    if (!finding.suggestion.empty()) out += fmt::format("    {}\n", finding.suggestion);
  }
  if (verdict.scenarios.empty()) return out;
  size_t width = 0;
  for (const Runnable& scenario : verdict.scenarios) width = std::max(width, scenario.scenario.size());
  out += "\nscenarios\n";
  for (const Runnable& scenario : verdict.scenarios) {
    out += fmt::format("  {:{}}  {}\n", scenario.scenario, width,
                       scenario.today ? "can be run" : "cannot be run: " + scenario.reasons.front());
    for (size_t index = 1; index < scenario.reasons.size(); ++index)
      out += fmt::format("  {:{}}                 {}\n", "", width, scenario.reasons[index]);
  }
  return out;
}

}  // namespace

int run_check(const CheckOptions& options) {
  Verdict verdict = look_at(options);
  std::string text = options.format == "json" ? to_pretty_text(as_json(options, verdict)) + "\n"
                                              : as_text(options, verdict, wants_colour());
  std::fwrite(text.data(), 1, text.size(), stdout);
  return verdict.exit_code();
}

}  // namespace lifeboat
