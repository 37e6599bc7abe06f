#include "cli/drills.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/exit_codes.hpp"
#include "core/data/list_of.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

// What a person still reads in `lifeboat status`.
constexpr size_t kShown = 3;

void print_drill(const Json& drill) {
  std::string run = text_or(drill, "run"), standing = text_or(drill, "standing");
  fmt::print("{:<20} {}, {} in {}{}{}\n", text_or(drill, "name"), text_or(drill, "title"), text_or(drill, "every"),
             text_or(drill, "in"), run.empty() ? "" : ": " + run,
             bool_or(drill, "automatic") ? ", starts by itself" : "");
  fmt::print("  {}\n", text_or(drill, "text"));
  if (std::string came = text_or(member(drill, "last"), "text"); !came.empty()) fmt::print("  last: {}\n", came);
  if (standing != "current") fmt::print("  to do: {}\n", text_or(drill, "todo"));
}

}  // namespace

int list_drills(Client& client, const Output& output) {
  auto answer = client.get("/api/drills");
  if (!answer) return complain(answer.error());
  const JsonArray& drills = list_of(*answer, "drills");
  bool overdue = false;
  for (const Json& drill : drills) overdue = overdue || text_or(drill, "standing") == "overdue";
  if (output.json) {
    fmt::print("{}\n", to_text(*answer));
  } else {
    for (const Json& drill : drills) print_drill(drill);
    if (drills.empty()) fmt::print("The controller keeps no calendar: its plan has no drills, or it only plays.\n");
  }
  return overdue ? kNotWell : kOk;
}

int tell_drill_done(Client& client, const DrillDoneOptions& options, const Output& output) {
  Json report;
  if (!options.report.empty()) {
    auto text = read_file(options.report);
    if (!text) return complain(text.error());
    auto parsed = parse_json(*text);
    if (!parsed) return complain(std::move(parsed).error().with(options.report));
    report = std::move(*parsed);
  }
  auto told = client.post("/api/drills/" + percent_encode(options.name) + "/done",
                          {{"by", options.by}, {"at", options.at}, {"text", options.text}, {"report", report}});
  if (!told) return complain(told.error());
  fmt::print("{}\n", output.json ? to_text(*told) : text_or(*told, "text"));
  return bool_or(*told, "passed") ? kOk : kNotWell;
}

void print_due_drills(const Json& status) {
  std::vector<Json> due;
  for (std::string_view standing : {"overdue", "due"}) {
    for (const Json& drill : list_of(status, "drills"))
      if (text_or(drill, "standing") == standing) due.push_back(drill);
  }
  for (size_t index = 0; index < std::min(due.size(), kShown); ++index)
    fmt::print("to rehearse      {}: {}\n  {}\n", text_or(due[index], "name"), text_or(due[index], "text"),
               text_or(due[index], "todo"));
  if (due.size() > kShown) fmt::print("  and {} more: lifeboat drills\n", due.size() - kShown);
}

void add_drills(CLI::App& app, ClientOptions& client, const std::string& by, int& exit_code) {
  auto format = std::make_shared<std::string>("text");
  auto add_options = [&client, format](CLI::App* command) {
    command->add_option("--controller", client.controller, "address of a controller (LIFEBOAT_CONTROLLER)");
    command->add_option("--token-file", client.token_file, "file that holds the API token (LIFEBOAT_TOKEN_FILE)");
    command->add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  };
  auto* drills = app.add_subcommand("drills", "the plan's calendar of drills: when each was held, and when it is due");
  drills->group("Evidence")->require_subcommand(0, 1);
  add_options(drills);
  auto wanted = std::make_shared<DrillDoneOptions>();
  wanted->by = by;
  auto* done = drills->add_subcommand("done", "tell of a drill that was held in the lab or among people");
  done->add_option("name", wanted->name, "name of the drill in the plan")->required();
  done->add_option("--report", wanted->report, "of a drill in the lab: the JSON that `lifeboat drill --report` wrote");
  done->add_option("--at", wanted->at, "when it was held, such as 2026-11-28T03:00:00Z; now when left out");
  done->add_option("--text", wanted->text, "what came of it");
  done->add_option("--by", wanted->by, "who says so (LIFEBOAT_USER)");
  add_options(done);
  drills->callback([done, wanted, format, &client, &exit_code] {
    Client asked(client);
    Output output = detect_output(*format);
    exit_code = done->parsed() ? tell_drill_done(asked, *wanted, output) : list_drills(asked, output);
  });
}

}  // namespace lifeboat::cli
