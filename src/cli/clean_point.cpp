#include "cli/clean_point.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <filesystem>

#include "cli/exit_codes.hpp"
#include "cli/wait.hpp"
#include "core/recovery/clean_set.hpp"
#include "io/file.hpp"
#include "recovery/clean_point.hpp"
#include "recovery/corruption.hpp"

namespace lifeboat::cli {
namespace {

Result<Moment> moment_of(const std::string& text, const char* option) {
  auto at = ScalarText<Moment>::parse(text);
  if (!at)
    return fail(ErrorKind::invalid_input, fmt::format("{} '{}': {}", option, text, at.error()),
                "a moment has a date, a time and a zone: \"2024-01-01 14:30:00+00\"");
  return *at;
}

Result<recovery::CleanPointRequest> request_of(const CleanPointOptions& options) {
  recovery::CleanPointRequest out;
  out.restore.config = options.repository;
  out.restore.stanza = options.stanza;
  out.restore.repository = options.repository_number;
  out.restore.wish.set = options.set;
  out.restore.run_as = options.user;
  out.restore.superuser = options.superuser;
  out.restore.folder = options.folder;
  if (out.restore.folder.empty())
    out.restore.folder =
        (std::filesystem::temp_directory_path() / fmt::format("lifeboat-clean-point-{}", getpid())).string();
  TRY(out.from, moment_of(options.from, "--from"));
  out.to = wall_now();
  if (!options.to.empty()) TRY(out.to, moment_of(options.to, "--to"));
  auto usual = parse_duration(options.usual);
  if (!usual) return fail(ErrorKind::invalid_input, "--usual is no duration", "such as 1h");
  out.usual = *usual;
  out.catalogs = options.catalogs;
  out.built_in = {options.indexes, options.pages, options.encrypted};
  if (!options.checks.empty()) {
    TRY(std::string text, read_file(options.checks));
    TRY(out.checks, clean_point::parse_checks(text, options.database));
  }
  if (out.checks.empty() && !options.indexes && !options.pages && !options.encrypted)
    return fail(ErrorKind::invalid_input, "there is nothing to check",
                "--check FILE.sql, or one of --indexes, --pages, --encrypted");
  return out;
}

}  // namespace

int run_clean_point(const CleanPointOptions& options, const Output& output) {
  auto request = request_of(options);
  if (!request) return complain(request.error());
  auto bound = parse_duration(options.within);
  if (!bound) return complain(Error{ErrorKind::invalid_input, "--within is no duration", {}, "such as 12h", {}});
  if (!output.json) {
    request->on_reason = [](const std::string& line) {
      fmt::print("{} {}\n", format_wall_clock(wall_now()), line);
      std::fflush(stdout);
    };
  }
  asio::io_context context;
  auto report = wait(context, recovery::find_clean_point(std::move(*request), Deadline::after(*bound)));
  if (!report) return complain(report.error());
  if (output.json) {
    JsonObject out{{"clean_point", recovery::to_json(*report)}};
    if (!options.service.empty()) out["service"] = options.service;
    fmt::print("{}\n", to_pretty_text(out));
  } else {
    fmt::print("{}", recovery::in_words(*report));
  }
  return report->no_answer ? kNotWell : kOk;
}

int run_pages(const PagesOptions& options, const Output& output) {
  auto report = recovery::verify_pages(options.data);
  if (!report) return complain(report.error());
  JsonObject json = recovery::to_json(*report).as_object();
  std::string words = recovery::in_words(*report);
  if (!options.repository.empty()) {
    PgBackRest repository{.config = options.repository, .stanza = options.stanza, .user = options.user};
    constexpr Duration kLook{120'000};
    asio::io_context context;
    auto catalogue = wait(context, recovery::look_at_repository(repository, Deadline::after(kLook)));
    if (!catalogue) return complain(catalogue.error());
    recovery::CleanSet sets = recovery::newest_clean_set(*catalogue);
    words += recovery::in_words(sets) + "\n";
    json["newest_clean_set"] = sets.newest_clean ? Json(sets.newest_clean->label) : Json(nullptr);
  }
  if (output.json) {
    fmt::print("{}\n", to_pretty_text(json));
  } else {
    fmt::print("{}", words);
  }
  return report->damaged_pages == 0 ? kOk : kNotWell;
}

void add_clean_point(CLI::App& app, int& exit_code) {
  auto* command =
      app.add_subcommand("clean-point", "the last moment at which all checks of the data hold, to one transaction");
  command->group("Incidents");
  auto options = std::make_shared<CleanPointOptions>();
  auto format = std::make_shared<std::string>("text");
  command->add_option("service", options->service, "what it is called");
  command->add_option("--repository", options->repository, "pgBackRest's configuration file")->required();
  command->add_option("--stanza", options->stanza, "stanza of the repository")->required();
  command->add_option("--repository-number", options->repository_number, "which of several repositories");
  command->add_option("--set", options->set, "label of the backup to begin from");
  command->add_option("--check", options->checks,
                      "SQL file; each statement returns no row, or one row with true, on good data");
  command->add_option("--database", options->database, "where the checks run (postgres)");
  command->add_flag("--indexes", options->indexes, "also check indexes and rows by amcheck, where it is installed");
  command->add_flag("--pages", options->pages, "also check the checksums of all pages");
  command->add_flag("--encrypted", options->encrypted, "also look for texts that look encrypted and did not before");
  command->add_option("--from", options->from, "a moment before the damage, with its zone")->required();
  command->add_option("--to", options->to, "a moment behind it; now when left out");
  command->add_option("--usual", options->usual, "how much of the time before tells what is usual (1h)");
  command->add_option("--catalog", options->catalogs, "where names come from; see `lifeboat forensics`");
  command->add_option("--into", options->folder, "empty folder for the copies; removed at the end");
  command->add_option("--run-as", options->user, "user that reads the repository and runs the copies");
  command->add_option("--superuser", options->superuser, "of the database");
  command->add_option("--within", options->within, "time allowed for all of it (12h)");
  command->add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->callback([options, format, &exit_code] { exit_code = run_clean_point(*options, detect_output(*format)); });

  auto* pages =
      app.add_subcommand("pages", "pages of a data folder whose checksum is wrong, and the newest backup without");
  pages->group("Incidents");
  auto wanted = std::make_shared<PagesOptions>();
  pages->add_option("data", wanted->data, "the data folder")->required();
  pages->add_option("--repository", wanted->repository, "pgBackRest's configuration file");
  pages->add_option("--stanza", wanted->stanza, "stanza of the repository");
  pages->add_option("--run-as", wanted->user, "user that reads the repository");
  pages->add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  pages->callback([wanted, format, &exit_code] { exit_code = run_pages(*wanted, detect_output(*format)); });
}

}  // namespace lifeboat::cli
