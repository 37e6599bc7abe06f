#include "cli/forensics.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/exit_codes.hpp"
#include "cli/wait.hpp"
#include "recovery/forensics.hpp"

namespace lifeboat::cli {
namespace {

Result<Moment> moment_of(const std::string& text, const char* option) {
  auto at = ScalarText<Moment>::parse(text);
  if (!at)
    return fail(ErrorKind::invalid_input, fmt::format("{} '{}': {}", option, text, at.error()),
                "a moment has a date, a time and a zone: \"2024-01-01 14:30:00+00\"");
  return *at;
}

Result<ForensicsRequest> request_of(const ForensicsOptions& options) {
  ForensicsRequest out;
  if (options.wal.empty() == options.repository.empty())
    return fail(ErrorKind::invalid_input, "one source of the log is needed",
                "--wal FOLDER, or --repository PGBACKREST.CONF with --stanza NAME");
  out.wal = options.wal;
  if (!options.repository.empty()) {
    if (options.stanza.empty()) return fail(ErrorKind::invalid_input, "--repository needs --stanza");
    PgBackRest repository;
    repository.config = options.repository;
    repository.stanza = options.stanza;
    repository.user = options.user;
    out.repository = std::move(repository);
  }
  out.catalogs = options.catalogs;
  TRY(out.from, moment_of(options.from, "--from"));
  out.to = wall_now();
  if (!options.to.empty()) TRY(out.to, moment_of(options.to, "--to"));
  auto usual = parse_duration(options.usual);
  if (!usual)
    return fail(ErrorKind::invalid_input, fmt::format("--usual '{}' is no duration", options.usual), "such as 1h");
  out.usual = *usual;
  out.most = static_cast<size_t>(options.top);
  return out;
}

}  // namespace

int run_forensics(const ForensicsOptions& options, const Output& output) {
  auto request = request_of(options);
  if (!request) return complain(request.error());
  auto bound = parse_duration(options.within);
  if (!bound) return complain(Error{ErrorKind::invalid_input, "--within is no duration", {}, "such as 2h", {}});
  asio::io_context context;
  auto report = wait(context, read_log(*request, Deadline::after(*bound)));
  if (!report) return complain(report.error());
  if (output.json) {
    Json json = forensics::to_json(*report);
    if (!options.service.empty()) json.as_object()["service"] = options.service;
    fmt::print("{}\n", to_pretty_text(json));
    return kOk;
  }
  if (!options.service.empty()) fmt::print("{}: ", options.service);
  fmt::print("{}", forensics::in_words(*report));
  return kOk;
}

void add_forensics(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("forensics", "which transactions stand out in the log, and where to restore to");
  command->group("Incidents");
  auto options = std::make_shared<ForensicsOptions>();
  auto format = std::make_shared<std::string>("text");
  command->add_option("service", options->service, "what it is called");
  command->add_option("--wal", options->wal, "folder with segments of the log (pg_wal, an archive)");
  command->add_option("--repository", options->repository, "pgBackRest's configuration file, instead of a folder");
  command->add_option("--stanza", options->stanza, "stanza of that repository");
  command->add_option("--catalog", options->catalogs,
                      "where names come from: \"host=… port=…\", or the data folder of a copy; repeatable");
  command->add_option("--from", options->from, "begin of the time to look at, with its zone")->required();
  command->add_option("--to", options->to, "its end; now when left out");
  command->add_option("--usual", options->usual, "how much of the time before tells what is usual (1h)");
  command->add_option("--top", options->top, "list at most so many (20)")->check(CLI::Range(1, 10'000));
  command->add_option("--run-as", options->user, "user that reads the repository");
  command->add_option("--within", options->within, "time allowed for all of it (2h)");
  command->add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->callback([options, format, &exit_code] { exit_code = run_forensics(*options, detect_output(*format)); });
}

}  // namespace lifeboat::cli
