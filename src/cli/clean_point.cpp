#include "cli/clean_point.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <filesystem>

#include "cli/exit_codes.hpp"
#include "cli/wait.hpp"
#include "core/recovery/clean_set.hpp"
#include "core/recovery/time_span.hpp"
#include "io/file.hpp"
#include "recovery/clean_point.hpp"
#include "recovery/corruption.hpp"

namespace lifeboat::cli {
namespace {

// Damage is mostly noticed within a day; a longer span takes the room of all its log.
constexpr Duration kReachesBack{24 * 3'600'000};

// What is looked for, whoever does it.
struct Wanted {
  recovery::TimeSpan span;
  Duration usual{};
  Duration within{};
  std::vector<clean_point::Check> checks;
};

Result<Wanted> wanted_of(const CleanPointOptions& options) {
  Wanted out;
  TRY(out.span, recovery::parse_span(options.from, options.to, kReachesBack, wall_now()));
  TRY(out.usual, duration_of(options.usual, "--usual", "1h"));
  TRY(out.within, duration_of(options.within, "--within", "12h"));
  if (!options.checks.empty()) {
    TRY(std::string text, read_file(options.checks));
    TRY(out.checks, clean_point::parse_checks(text, options.database));
  }
  if (out.checks.empty() && !options.indexes && !options.pages && !options.encrypted)
    return fail(ErrorKind::invalid_input, "there is nothing to check",
                "--check FILE.sql, or one of --indexes, --pages, --encrypted");
  return out;
}

Result<recovery::CleanPointRequest> request_of(const CleanPointOptions& options, Wanted wanted) {
  recovery::CleanPointRequest out;
  if (options.repository.empty() || options.stanza.empty())
    return fail(ErrorKind::invalid_input, "it is not said where the backups are",
                "the name of a service of the plan, or --repository PGBACKREST.CONF with --stanza NAME");
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
  out.from = wanted.span.from;
  out.to = wanted.span.to;
  out.usual = wanted.usual;
  out.catalogs = options.catalogs;
  out.built_in = {options.indexes, options.pages, options.encrypted};
  out.checks = std::move(wanted.checks);
  return out;
}

JsonObject body_of(const CleanPointOptions& options, const Wanted& wanted) {
  JsonArray checks;
  for (const clean_point::Check& check : wanted.checks)
    checks.push_back(JsonObject{{"name", check.name}, {"database", check.database}, {"sql", check.sql}});
  return JsonObject{{"from", ScalarText<Moment>::format(wanted.span.from)},
                    {"to", ScalarText<Moment>::format(wanted.span.to)},
                    {"usual_ms", wanted.usual.count()},
                    {"checks", checks},
                    {"indexes", options.indexes},
                    {"pages", options.pages},
                    {"encrypted", options.encrypted}};
}

// Whoever has looked.
int print_found(const CleanPointOptions& options, const Json& found, const Output& output) {
  if (output.json) {
    JsonObject out{{"clean_point", found}};
    if (!options.order.service.empty()) out["service"] = options.order.service;
    fmt::print("{}\n", to_pretty_text(out));
  } else {
    fmt::print("{}", recovery::clean_point_in_words(found));
  }
  return bool_or(found, "found") ? kOk : kNotWell;
}

}  // namespace

int run_clean_point(const CleanPointOptions& options, const Output& output) {
  auto wanted = wanted_of(options);
  if (!wanted) return complain(wanted.error());
  Duration bound = wanted->within;
  auto request = request_of(options, std::move(*wanted));
  if (!request) return complain(request.error());
  if (!output.json) {
    request->on_reason = [](const std::string& line) {
      fmt::print("{} {}\n", format_wall_clock(wall_now()), line);
      std::fflush(stdout);
    };
  }
  asio::io_context context;
  auto report = wait(context, recovery::find_clean_point(std::move(*request), Deadline::after(bound)));
  if (!report) return complain(report.error());
  return print_found(options, recovery::to_json(*report), output);
}

int order_clean_point(Client& client, const CleanPointOptions& options, const Output& output) {
  auto wanted = wanted_of(options);
  if (!wanted) return complain(wanted.error());
  ServiceOrder order = options.order;
  order.what = "clean-point";
  order.within = wanted->within;
  auto found = order_and_follow(client, order, body_of(options, *wanted), output);
  if (!found) return complain(found.error());
  // What was said meanwhile is only the last line of each moment.
  const Json& reasoning = member(*found, "reasoning");
  if (!output.json && reasoning.is_array())
    for (const Json& line : reasoning.get_array())
      if (line.is_string()) fmt::print("{}\n", std::string_view(line.get_string()));
  return print_found(options, *found, output);
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

void add_clean_point(CLI::App& app, ClientOptions& client, const std::string& by, int& exit_code) {
  auto* command =
      app.add_subcommand("clean-point", "the last moment at which all checks of the data hold, to one transaction");
  command->group("Incidents");
  auto options = std::make_shared<CleanPointOptions>();
  options->order.by = by;
  auto format = std::make_shared<std::string>("text");
  command->add_option("service", options->order.service, "the service; with --repository what it is called");
  command->add_option("--check", options->checks,
                      "SQL file; each statement returns no row, or one row with true, on good data");
  command->add_option("--database", options->database,
                      "where the checks run; the service's, or the only one of users, when left out");
  command->add_flag("--indexes", options->indexes, "also check indexes and rows by amcheck, where it is installed");
  command->add_flag("--pages", options->pages, "also check the checksums of all pages");
  command->add_flag("--encrypted", options->encrypted, "also look for texts that look encrypted and did not before");
  command->add_option("--from", options->from, "a moment before the damage, with its zone; a day when left out");
  command->add_option("--to", options->to, "a moment behind it; now when left out");
  command->add_option("--usual", options->usual, "how much of the time before tells what is usual (1h)");
  command->add_option("--within", options->within, "time allowed for all of it (12h)");
  command->add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  add_order_options(command, client, options->order);
  auto* repository = command->add_option("--repository", options->repository,
                                         "without a controller: pgBackRest's configuration file on this host");
  auto here = [&](const char* name, auto& value, const char* text) {
    command->add_option(name, value, text)->needs(repository);
  };
  here("--stanza", options->stanza, "stanza of the repository");
  here("--repository-number", options->repository_number, "which of several repositories");
  here("--set", options->set, "label of the backup to begin from");
  here("--catalog", options->catalogs, "where names come from; see `lifeboat forensics`");
  here("--into", options->folder, "empty folder for the copies; removed at the end");
  here("--run-as", options->user, "user that reads the repository and runs the copies");
  here("--superuser", options->superuser, "of the database");
  command->callback([options, format, &client, &exit_code] {
    Output output = detect_output(*format);
    if (!options->repository.empty() || options->order.service.empty()) {
      exit_code = run_clean_point(*options, output);
      return;
    }
    Client asked(client);
    exit_code = order_clean_point(asked, *options, output);
  });

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
