#include "cli/forensics.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/exit_codes.hpp"
#include "cli/wait.hpp"
#include "core/recovery/time_span.hpp"
#include "recovery/forensics.hpp"

namespace lifeboat::cli {
namespace {

constexpr Duration kReachesBack{3'600'000};

Result<recovery::TimeSpan> span_of(const ForensicsOptions& options) {
  return recovery::parse_span(options.from, options.to, kReachesBack, wall_now());
}

Result<ForensicsRequest> request_of(const ForensicsOptions& options) {
  ForensicsRequest out;
  if (options.wal.empty() == options.repository.empty())
    return fail(ErrorKind::invalid_input, "one source of the log is needed",
                "the name of a service of the plan, --wal FOLDER, or --repository PGBACKREST.CONF with --stanza NAME");
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
  TRY(recovery::TimeSpan span, span_of(options));
  out.from = span.from;
  out.to = span.to;
  TRY(out.usual, duration_of(options.usual, "--usual", "1h"));
  out.most = static_cast<size_t>(options.top);
  return out;
}

Result<JsonObject> body_of(const ForensicsOptions& options) {
  if (!options.catalogs.empty())
    return fail(ErrorKind::invalid_input,
                "--catalog is for a log on this host: the controller takes the member's names",
                "give --wal or --repository, or leave it out");
  TRY(recovery::TimeSpan span, span_of(options));
  TRY(Duration usual, duration_of(options.usual, "--usual", "1h"));
  return JsonObject{{"from", ScalarText<Moment>::format(span.from)},
                    {"to", ScalarText<Moment>::format(span.to)},
                    {"usual_ms", usual.count()},
                    {"most", options.top}};
}

// Whoever has read the log.
int print_report(const ForensicsOptions& options, Json report, const Output& output) {
  const std::string& service = options.order.service;
  if (output.json) {
    if (!service.empty() && report.is_object()) report.as_object()["service"] = service;
    fmt::print("{}\n", to_pretty_text(report));
    return kOk;
  }
  if (!service.empty()) fmt::print("{}: ", service);
  fmt::print("{}", forensics::report_in_words(report));
  return kOk;
}

}  // namespace

int run_forensics(const ForensicsOptions& options, const Output& output) {
  auto request = request_of(options);
  if (!request) return complain(request.error());
  auto bound = duration_of(options.within, "--within", "2h");
  if (!bound) return complain(bound.error());
  asio::io_context context;
  auto report = wait(context, read_log(*request, Deadline::after(*bound)));
  if (!report) return complain(report.error());
  return print_report(options, forensics::to_json(*report), output);
}

int order_forensics(Client& client, const ForensicsOptions& options, const Output& output) {
  auto body = body_of(options);
  if (!body) return complain(body.error());
  auto bound = duration_of(options.within, "--within", "2h");
  if (!bound) return complain(bound.error());
  ServiceOrder order = options.order;
  order.what = "forensics";
  order.within = *bound;
  auto report = order_and_follow(client, order, std::move(*body), output);
  if (!report) return complain(report.error());
  return print_report(options, std::move(*report), output);
}

void add_forensics(CLI::App& app, ClientOptions& client, const std::string& by, int& exit_code) {
  auto* command = app.add_subcommand("forensics", "which transactions stand out in the log, and where to restore to");
  command->group("Incidents");
  auto options = std::make_shared<ForensicsOptions>();
  options->order.by = by;
  auto format = std::make_shared<std::string>("text");
  command->add_option("service", options->order.service, "the service; with --wal or --repository what it is called");
  command->add_option("--from", options->from, "begin of the time to look at, with its zone; an hour when left out");
  command->add_option("--to", options->to, "its end; now when left out");
  command->add_option("--usual", options->usual, "how much of the time before tells what is usual (1h)");
  command->add_option("--top", options->top, "list at most so many (20)")->check(CLI::Range(1, 10'000));
  command->add_option("--within", options->within, "time allowed for all of it (2h)");
  command->add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  add_order_options(command, client, options->order);
  command->add_option("--wal", options->wal,
                      "without a controller: folder with segments of the log (pg_wal, an archive)");
  auto* repository = command->add_option("--repository", options->repository,
                                         "without a controller: pgBackRest's configuration file on this host");
  command->add_option("--stanza", options->stanza, "stanza of that repository")->needs(repository);
  command->add_option("--run-as", options->user, "user that reads the repository")->needs(repository);
  command->add_option("--catalog", options->catalogs,
                      "where names come from: \"host=… port=…\", or the data folder of a copy; repeatable");
  command->callback([options, format, &client, &exit_code] {
    Output output = detect_output(*format);
    bool here = !options->wal.empty() || !options->repository.empty() || options->order.service.empty();
    if (here) {
      exit_code = run_forensics(*options, output);
      return;
    }
    Client asked(client);
    exit_code = order_forensics(asked, *options, output);
  });
}

}  // namespace lifeboat::cli
