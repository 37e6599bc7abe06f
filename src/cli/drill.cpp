#include "cli/drill.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "cli/check.hpp"
#include "cli/exit_codes.hpp"
#include "lab/drill.hpp"
#include "lab/drill_measure.hpp"
#include "plan/load.hpp"

namespace lifeboat::cli {

namespace {

std::string numbered(const std::string& file, int number, int of) {
  if (of == 1 || file.empty()) return file;
  std::filesystem::path path(file);
  return (path.parent_path() / fmt::format("{}-{}{}", path.stem().string(), number, path.extension().string()))
      .string();
}

std::string in_seconds(const Json& value) {
  return value.is_number() ? fmt::format("{:.2f} s", value.to_number<double>()) : std::string("not reached");
}

void print_outcome(const lab::DrillOutcome& outcome) {
  const Json& report = outcome.report;
  const Json& rpa = member(report, "rpa");
  const Json& objectives = member(report, "objectives");
  fmt::print("{} under {}: {}\n", text_or(report, "scenario"), text_or(report, "fault"),
             outcome.passed ? "passed" : "FAILED");
  fmt::print("  recovery time  {}, objective {:.0f} s\n", in_seconds(member(report, "rta_s")),
             number_or(objectives, "rto_s"));
  fmt::print("  lost           {} of {} acknowledged writes, oldest {:.2f} s, objective {:.0f} s\n",
             int_or(rpa, "lost"), int_or(rpa, "acknowledged"), number_or(rpa, "oldest_lost_age_s"),
             number_or(objectives, "rpo_s"));
  const Json& orphans = member(report, "orphans");
  for (const Json& saved : orphans.is_array() ? orphans.get_array() : JsonArray{})
    fmt::print("  set aside      {} transactions of {}, {}: {}\n", int_or(saved, "transactions"),
               text_or(saved, "member"), bool_or(saved, "complete") ? "all read back" : "NOT ALL READ BACK",
               text_or(saved, "id"));
  fmt::print("  two writers    {}\n", in_seconds(member(report, "double_acknowledged_s")));
  const Json& control = member(report, "control");
  if (!control.is_null()) {
    fmt::print("  no controller  for {}, writes paused {}, right to write moved {} times; one led again after {}\n",
               in_seconds(member(control, "away_s")), in_seconds(member(control, "writes_paused_s")),
               int_or(control, "grants"), in_seconds(member(control, "back_s")));
  }
  const Json& failback = member(report, "failback");
  if (!member(failback, "write_outage_s").is_null()) {
    fmt::print("  failback       writes paused {}, lost {}\n", in_seconds(member(failback, "write_outage_s")),
               int_or(failback, "lost"));
  }
  for (const auto& [name, value] : member(report, "milestones").as_object()) {
    fmt::print("  {:<14} {}\n", std::string(name), in_seconds(value));
  }
  if (!outcome.note.empty()) fmt::print("  {}\n", outcome.note);
  std::fflush(stdout);
}

// A drill takes minutes; that its report has no place to go is to be known before.
Result<void> make_place_for(const std::string& report) {
  std::filesystem::path folder = std::filesystem::path(report).parent_path();
  if (folder.empty()) folder = ".";
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (!failure && access(folder.c_str(), W_OK) == 0) return {};
  std::string why = failure ? failure.message() : std::string("the folder may not be written to");
  return std::unexpected(Error{.kind = ErrorKind::refused,
                               .what = fmt::format("the report cannot be written to {}: {}", report, why),
                               .hint = "name another place by --report"});
}

std::string spread_in_seconds(const Json& value) {
  if (!member(value, "median").is_number()) return "not reached";
  std::string none = int_or(value, "none") == 0 ? "" : fmt::format(", not reached in {}", int_or(value, "none"));
  return fmt::format("{:.2f} / {:.2f} / {:.2f} s{}", number_or(value, "min"), number_or(value, "median"),
                     number_or(value, "max"), none);
}

// What several drills came to, least / median / most.
Result<void> tell_spread(const DrillCommand& command, const std::vector<Json>& reports) {
  JsonObject spread = lab::spread_of(reports);
  if (command.format == "json") {
    fmt::print("{}\n", to_pretty_text(spread));
  } else {
    fmt::print("{} under {}, {} times: least / median / most\n", command.scenario, command.fault, reports.size());
    fmt::print("  recovery time  {}\n", spread_in_seconds(spread["rta_s"]));
    const Json& lost = member(spread["rpa"], "lost");
    fmt::print("  lost           {:.0f} / {:.0f} / {:.0f}\n", number_or(lost, "min"), number_or(lost, "median"),
               number_or(lost, "max"));
    fmt::print("  two writers    {}\n", spread_in_seconds(spread["double_acknowledged_s"]));
    for (const auto& [name, value] : spread["milestones"].as_object()) {
      fmt::print("  {:<14} {}\n", std::string(name), spread_in_seconds(value));
    }
  }
  std::fflush(stdout);
  if (command.report.empty()) return {};
  return lab::write_file(command.report, to_pretty_text(spread) + "\n", 0644);
}

}  // namespace

int run_drill_command(const DrillCommand& command) {
  auto loaded = load_plan(command.plan, built_in_actions(), {.profile = command.profile});
  if (!loaded) {
    for (const Finding& finding : loaded.error().findings) fmt::print(stderr, "{}\n", one_line(finding));
    return loaded.error().unreadable ? kBadInput : kNotWell;
  }
  if (!command.report.empty()) {
    auto place = make_place_for(command.report);
    if (!place) return complain(place.error());
  }
  bool quiet = command.format == "json";
  lab::LabProgress progress = [quiet](const std::string& text, double since) {
    if (quiet) return;
    fmt::print("  {:6.2f} s  {}\n", since, text);
    std::fflush(stdout);
  };
  int worst = kOk;
  std::vector<Json> reports;
  for (int number = 1; number <= command.repeat; ++number) {
    lab::DrillOptions options{.scenario = command.scenario,
                              .plan_file = command.plan,
                              .plan = loaded->plan,
                              .fault = command.fault,
                              .target = command.target,
                              .profile = command.profile,
                              .report = numbered(command.report, number, command.repeat),
                              .keep = command.keep,
                              .kill_controller = command.kill_controller,
                              .lose_leader_at = command.lose_leader_at,
                              .in_a_row = command.in_a_row};
    if (command.heal_after >= 0) options.heal_after = Duration{static_cast<int64_t>(command.heal_after * 1000)};
    auto outcome = lab::run_drill(options, progress);
    if (!outcome) return complain(outcome.error());
    if (command.format == "json") {
      fmt::print("{}\n", to_pretty_text(outcome->report));
    } else {
      print_outcome(*outcome);
    }
    if (!outcome->passed) worst = kNotWell;
    reports.push_back(std::move(outcome->report));
  }
  if (command.repeat == 1) return worst;
  if (auto told = tell_spread(command, reports); !told) return complain(told.error());
  return worst;
}

}  // namespace lifeboat::cli
